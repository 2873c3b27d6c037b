"""Looking up one value: a key of a document, a cell of a table, a part of a path; of one run of several in a file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import lies_in, open_regular, unreadable
from exaid_evals.runs.files.content import lines_of
from exaid_evals.runs.files.delimited import number, open_delimited
from exaid_evals.runs.files.document import read_document
from exaid_evals.runs.mapping_config import BestRow, Each, Place

_YAML = (".yaml", ".yml")
_LINES = (".jsonl", ".ndjson")
_MAX_YAML = 4 * 1024 * 1024
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Share:
    """One run of a file that holds several.

    Attributes:
        each: how it holds them.
        name: of the run there: the column's value, the key in a mapping, or the place in a list, counted from 1.
    """

    each: Each
    name: str


class Folder:
    """A run's folder, each of whose files is read once however many values lie in it."""

    def __init__(self, folder: Path, label: str, share: Share | None = None) -> None:
        """Remember nothing yet.

        Args:
            folder: of the run.
            label: its path below the folder that the user named, which patterns over paths look at.
            share: which run of a file that holds several is meant.
        """
        self._folder = folder
        self._label = label
        self._share = share
        self._documents: dict[Path, Any] = {}
        self.warnings: list[str] = []

    def shares(self, each: Each) -> list[str]:
        """Return the names of the runs that a file holds, in its order.

        Raises:
            DataError: the file or its key is missing, or holds no runs.
        """
        try:
            path = self._file(each.file)
            if each.key is None and each.column is None:
                return [str(number) for number in range(1, len(self._rows(path)) + 1)]
            if each.column is not None:
                values = (row.get(each.column) for row in self._rows(path))
                return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))
            held = _held(self._document(path), each, each.file)
            return [str(one) for one in (held if isinstance(held, Mapping) else range(1, len(held) + 1))]
        except _AbsentError as error:
            raise error.told from None

    def value(self, place: Place) -> Any:
        """Return what lies at a place; None where an optional one is missing.

        Raises:
            DataError: names the file and the key or column.
        """
        try:
            if place.value is not None:
                return place.value
            return self._of_path(place) if place.path is not None else self._of_file(place)
        except _AbsentError as error:
            if place.optional:
                return None
            raise error.told from None

    def number(self, place: Place) -> float | None:
        """Return the number at a place, scaled; None where it is undefined (NaN, empty, or optional and missing).

        Raises:
            DataError: something else stands there.
        """
        value = self.value(place)
        if value is None:
            return None
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise ValueError
            found = number(value) if isinstance(value, str) else float(value)
        except (ValueError, OverflowError):
            where = f"{place.file or place.path or 'value'}: {place.key or place.column or ''}".rstrip(": ")
            raise DataError(
                f"{str(value)[:40]!r} is not a number", where=where, remedy="name a key that holds a number"
            ) from None
        return found * place.scale if math.isfinite(found) else None

    def _of_path(self, place: Place) -> str:
        match = re.search(place.path or "", self._label)
        if match is None:
            remedy = "correct the pattern"
            raise _AbsentError(DataError(f"does not fit {place.path!r}", where=self._label, remedy=remedy))
        groups = match.groupdict()
        return str(groups["value"] if "value" in groups else match.group(1))

    def _of_file(self, place: Place) -> Any:
        path = self._file(place.file or "")
        shown = path.relative_to(self._folder).as_posix()
        if place.key is not None:
            return _at(self._document(path), place.key, shown)
        rows = self._rows(path)
        return _cell(rows, place, shown)

    def _file(self, name: str) -> Path:
        """Return the one file of a name or pattern; links that lead out of the run's folder are refused."""
        found = sorted(self._folder.glob(name)) if any(sign in name for sign in "*?[") else [self._folder / name]
        if len(found) > 1:
            raise DataError(f"{len(found)} files match", where=name, remedy="write a pattern that only one file fits")
        if not found or not found[0].exists():
            raise _AbsentError(DataError("File not found", where=name, remedy="wait for its end, or leave it out"))
        if not lies_in(found[0], self._folder):
            raise DataError("is a link that leads out of the run's folder", where=name, remedy="copy the file instead")
        return found[0]

    def _document(self, path: Path) -> Any:
        if path not in self._documents:
            twice: list[str] = []
            document = document_of(path, twice)
            share = self._share
            if share is not None and share.each.key is not None and share.each.file == self._shown(path):
                held = _held(document, share.each, share.each.file)
                document = held[share.name if isinstance(held, Mapping) else int(share.name) - 1]
            self._documents[path] = document
            self.warnings += [f"{path.relative_to(self._folder).as_posix()}: {one}" for one in twice]
        return self._documents[path]

    def _rows(self, path: Path) -> Sequence[Mapping[str, Any]]:
        if path not in self._documents:
            rows = rows_of(path)
            share = self._share
            if share is not None and share.each.key is None and share.each.file == self._shown(path):
                column = share.each.column
                chosen = [row for row in rows if str(row.get(column)) == share.name] if column else None
                rows = rows[int(share.name) - 1 : int(share.name)] if chosen is None else chosen
            self._documents[path] = rows
        found: Sequence[Mapping[str, Any]] = self._documents[path]
        return found

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


class _AbsentError(Exception):
    """A value is not there, which an optional place may be."""

    def __init__(self, told: DataError) -> None:
        super().__init__(str(told))
        self.told = told


def _at(document: Any, key: str, shown: str) -> Any:
    """Return the value of a JSON pointer (RFC 6901), or of a dotted key, whose names may themselves hold dots."""
    if key.startswith("/"):
        parts = [part.replace("~1", "/").replace("~0", "~") for part in key[1:].split("/")]
        found = document
        for part in parts:
            found = _step(found, part)
    else:
        found = _dotted(document, key.split("."))
    if found is _MISSING:
        near = ", ".join(str(name) for name in list(document)[:8]) if isinstance(document, Mapping) else "no mapping"
        raise _AbsentError(DataError("no such key", where=f"{shown}: {key}", remedy=f"at its top stand {near}"))
    return found


def _step(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part, _MISSING)
    if isinstance(value, list) and re.fullmatch(r"0|-?[1-9][0-9]{0,9}", part) and -len(value) <= int(part) < len(value):
        return value[int(part)]
    return _MISSING


def _dotted(value: Any, parts: Sequence[str]) -> Any:
    if not parts:
        return value
    for length in range(1, len(parts) + 1):
        found = _step(value, ".".join(parts[:length]))
        if found is not _MISSING and (rest := _dotted(found, parts[length:])) is not _MISSING:
            return rest
    return _MISSING


def _cell(rows: Sequence[Mapping[str, Any]], place: Place, shown: str) -> Any:
    column = place.column or ""
    where = f"{shown}: {column}"
    if not rows:
        raise DataError("holds no row", where=shown, remedy="wait for its end, or leave it out")
    known = list(dict.fromkeys(name for row in (rows[0], rows[-1]) for name in row))
    wanted = [column, *([place.row.best] if isinstance(place.row, BestRow) else [])]
    for name in wanted:
        if not any(name in row for row in rows):
            remedy = f"there are {', '.join(known[:12])}"
            raise _AbsentError(DataError("no such column", where=f"{shown}: {name}", remedy=remedy))
    if place.row == "only" and len(rows) != 1:
        raise DataError(f"has {len(rows)} rows, where only one may stand", where=where, remedy="say which with `row`")
    if place.row == "first":
        return rows[0].get(column)
    if place.row == "last non-empty":
        written = [value for row in rows if (value := row.get(column)) is not None and str(value).strip()]
        return written[-1] if written else None
    return _best(rows, place.row, shown).get(column) if isinstance(place.row, BestRow) else rows[-1].get(column)


def _best(rows: Sequence[Mapping[str, Any]], which: BestRow, shown: str) -> Mapping[str, Any]:
    sign = -1.0 if which.direction == "higher" else 1.0
    ranked = [
        (sign * value, index) for index, row in enumerate(rows) if (value := _number(row.get(which.best))) is not None
    ]
    if not ranked:
        raise DataError("holds no number", where=f"{shown}: {which.best}", remedy="choose the row by another column")
    return rows[min(ranked)[1]]


def _number(value: Any) -> float | None:
    try:
        found = number(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def document_of(path: Path, warnings: list[str] | None = None) -> Any:
    """Return what a JSON or YAML file holds.

    Raises:
        DataError: it cannot be read.
    """
    return _yaml(path) if path.suffix.lower() in _YAML else read_document(path, warnings=warnings)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV or JSON Lines file; not to be changed, for many runs may share them.

    Raises:
        DataError: it cannot be read.
    """
    status = path.stat()
    return _rows_of(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _rows_of(path: Path, _changed: int, _size: int) -> list[dict[str, Any]]:
    return _json_lines(path) if _is_json_lines(path) else _table(path)


def _held(document: Any, each: Each, shown: str) -> Any:
    """Return the list or mapping of the runs in a document.

    Raises:
        DataError: something else stands there.
    """
    held = document if each.key == "/" else _at(document, each.key or "", shown)
    if not isinstance(held, Mapping | list) or not held:
        raise DataError("holds no list or mapping of runs", where=f"{shown}: {each.key}", remedy="correct `each.key`")
    return held


def _is_json_lines(path: Path) -> bool:
    """Tell by the name, else by the first line: whatever a log of objects is called."""
    if path.suffix.lower() in _LINES:
        return True
    with open_regular(path) as stream:
        line = stream.readline(MAX_LINE_BYTES).removeprefix(b"\xef\xbb\xbf").strip()
    try:
        return line.startswith(b"{") and isinstance(orjson.loads(line.replace(b": NaN", b": null")), dict)
    except orjson.JSONDecodeError:
        return False


def _table(path: Path) -> list[dict[str, Any]]:
    opened = open_delimited(path)
    # Of a column that is a duplicate the first counts, as elsewhere.
    columns = {name: opened.columns.index(name) for name in opened.columns}
    return [{name: row[index] for name, index in columns.items()} for _, row in opened.rows()]


def _json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    for at, line in enumerate(lines_of(path), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf").replace(b": NaN", b": null"))
        except orjson.JSONDecodeError as error:
            where = f"{path.name}:{at}"
            raise DataError(f"not valid JSON ({error.msg})", where=where, remedy="correct the line") from None
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _yaml(path: Path) -> Any:
    try:
        if path.stat().st_size > _MAX_YAML:
            raise DataError(f"is larger than {_MAX_YAML >> 20} MiB", where=path.name, remedy="name the right file")
        return read_mapping(path)
    except OSError as error:
        raise unreadable(path.name, error) from None
    except ConfigError as error:
        raise DataError(error.what, where=path.name, remedy="correct the file") from None

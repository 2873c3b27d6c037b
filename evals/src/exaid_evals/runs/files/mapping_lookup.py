"""Looking up one value: a key of a document, a cell of a table, a part of a path; of one run of several in a file.

Where each lies says a user's YAML file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from exaid_evals.config.base import Config, load_config
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import lies_in
from exaid_evals.runs.files.delimited import number
from exaid_evals.runs.files.document import document_of, rows_of
from exaid_evals.runs.model_names import compiles


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError("must name a file inside the run's folder, with `/`, without `..`")
    return name


FileName = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
RowWord = Literal["first", "last", "last non-empty", "only"]


class BestRow(Config):
    """The row in which a column is best; of several the first.

    Attributes:
        best: the column.
        direction: which way it improves.
    """

    best: str = Field(min_length=1)
    direction: Literal["higher", "lower"]


class Place(Config):
    """Where one value lies.

    Attributes:
        file: below the run's folder; `*` may stand in it where exactly one file matches.
        key: JSON pointer (`/metrics/acc`) or dotted key (`metrics.acc`), of a JSON or YAML file.
        column: name of a column, of a CSV or JSON Lines file.
        row: which row of it.
        path: in place of a file: a pattern over the run's path below the folder that was named, whose group `value`,
            else its first group, is the value.
        value: in place of both: the value itself, the same for every run.
        scale: factor from the number that stands there, such as 0.01 for per cent.
        optional: whether a run may lack it; it is then undefined.
    """

    file: FileName | None = None
    key: str | None = Field(default=None, min_length=1)
    column: str | None = Field(default=None, min_length=1)
    row: RowWord | BestRow = "last"
    path: Annotated[str, AfterValidator(compiles)] | None = None
    value: str | int | float | bool | None = None
    scale: float = Field(default=1.0, gt=0)
    optional: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Place:
        ways = [self.file is not None, self.path is not None, self.value is not None]
        if sum(ways) != 1:
            raise ValueError("needs exactly one of `file`, `path` and `value`")
        if self.file is not None and (self.key is None) == (self.column is None):
            raise ValueError("needs with `file` either `key` or `column`")
        if self.path is not None and not re.compile(self.path).groups:
            raise ValueError("`path` needs a group, such as `run-(?P<value>.+)`")
        return self


class Each(Config):
    """How a file holds several runs: other places in this file are then looked up in the run's share of it.

    Attributes:
        file: below the folder that `runs` means.
        column: of a CSV or JSON Lines file: rows with one value of it are one run; without it each row is.
        key: of a JSON or YAML file: what holds the runs, a list or a mapping; `/` is the whole document.
    """

    file: FileName
    column: str | None = Field(default=None, min_length=1)
    key: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Each:
        if self.column is not None and self.key is not None:
            raise ValueError("takes either `column` or `key`")
        return self


class MappingConfig(Config):
    """The whole file.

    Attributes:
        format: what the user calls the format.
        runs: pattern of the runs' folders below the folder that a user names; `.` is that folder itself.
        each: the file that holds several runs; without it a folder is one.
        run_id: where the run's id lies; without it the folder's name serves.
        seed: where its seed lies.
        git_hash: where the code's version lies.
        metrics: name → where it lies.
        config: name of a hyper-parameter → where it lies.
        lower_is_better, higher_is_better: names of metrics.
        primary_metric: ranks the runs.
    """

    format: str = Field(default="mapping", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")
    runs: Annotated[str, Field(min_length=1), AfterValidator(_inside)] = "."
    each: Each | None = None
    run_id: Place | None = None
    seed: Place | None = None
    git_hash: Place | None = None
    metrics: dict[str, Place] = Field(min_length=1)
    config: dict[str, Place] = Field(default_factory=dict)
    lower_is_better: tuple[str, ...] = ()
    higher_is_better: tuple[str, ...] = ()
    primary_metric: str | None = None

    @model_validator(mode="after")
    def _names_metrics(self) -> MappingConfig:
        named = [*self.lower_is_better, *self.higher_is_better, *filter(None, [self.primary_metric])]
        unknown = sorted({name for name in named if name not in self.metrics})
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such metric in `metrics`")
        both = sorted(set(self.lower_is_better) & set(self.higher_is_better))
        if both:
            raise ValueError(f"{', '.join(both)}: is said to improve both ways")
        return self

    @property
    def places(self) -> dict[str, Place]:
        """Return dotted key in this file → place, of everything that is looked up."""
        single = {"run_id": self.run_id, "seed": self.seed, "git_hash": self.git_hash}
        return {
            **{f"metrics.{name}": place for name, place in self.metrics.items()},
            **{f"config.{name}": place for name, place in self.config.items()},
            **{name: place for name, place in single.items() if place is not None},
        }


def load_mapping(path: Path) -> MappingConfig:
    """Load a mapping.

    Raises:
        ConfigError: names every problem, each with its key.
    """
    if path.is_dir():
        raise ConfigError("is a folder", where=f"--mapping {path}", remedy="name a YAML file")
    return load_config(MappingConfig, path).value


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
            raise error.reason from None

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
            raise error.reason from None

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
        if place.key is not None:
            return _at(self._document(path), place.key, self._shown(path))
        return _cell(self._rows(path), place, self._shown(path))

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
            self.warnings += [f"{self._shown(path)}: {one}" for one in twice]
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

    def __init__(self, reason: DataError) -> None:
        super().__init__(str(reason))
        self.reason = reason


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


def _held(document: Any, each: Each, shown: str) -> Any:
    """Return the list or mapping of the runs in a document.

    Raises:
        DataError: something else stands there.
    """
    held = document if each.key == "/" else _at(document, each.key or "", shown)
    if not isinstance(held, Mapping | list) or not held:
        raise DataError("holds no list or mapping of runs", where=f"{shown}: {each.key}", remedy="correct `each.key`")
    return held

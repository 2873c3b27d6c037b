"""JSON, JSON Lines and YAML of other tools: BOMs, NaN and duplicate keys are what they write, and are named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.artifacts.redaction import clipped
from exaid_evals.config.mapping_file import BoundedLoader, leaves, load_yaml, read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import open_regular, unreadable
from exaid_evals.runs.files.content import content_of, lines_of
from exaid_evals.runs.files.delimited import open_delimited

MAX_BYTES = 64 * 1024 * 1024
_NAMED_AT_MOST = 5


def read_document(path: Path, *, keep_nan: bool = False, warnings: list[str] | None = None) -> Any:
    """Return what a JSON file holds; NaN and infinities become None, unless they are to be kept.

    Of a key that is a duplicate in one object the last is kept, as every JSON parser of the tools that write such files
    does, and a warning says so.

    Args:
        path: the file.
        keep_nan: keep NaN and infinities as numbers.
        warnings: is appended to, a clause each, without the file's name; None tells nobody.

    Raises:
        DataError: the file is missing, empty, too large, or no JSON.
    """
    data = content_of(path, MAX_BYTES).removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError("is empty", where=str(path), remedy="write or copy it again")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return _slowly(data, path, error, keep_nan=keep_nan, warnings=warnings)
    # As many ends of keys as keys: none is lost. A blank before a colon, or a text that holds such an end, makes them
    # differ too, and only then is it looked up.
    if warnings is not None and data.count(b'":') != _n_keys(value):
        json.loads(data, object_pairs_hook=_Pairs(warnings))
    return value


def read_object(path: Path, *, keep_nan: bool = False, warnings: list[str] | None = None) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        DataError: as `read_document`; or the file holds something else.
    """
    value = read_document(path, keep_nan=keep_nan, warnings=warnings)
    if not isinstance(value, dict):
        what = f"holds a {type(value).__name__}, where an object must stand"
        raise DataError(what, where=str(path), remedy="name the right file")
    return value


def _slowly(
    data: bytes, path: Path, error: orjson.JSONDecodeError, *, keep_nan: bool, warnings: list[str] | None
) -> Any:
    """Parse what Python's own writer makes and JSON does not allow."""
    found: list[str] = []
    try:
        if "limit" in error.msg:  # nested too deep; how deep Python's own parser goes differs by its version
            raise error
        constant, real = (float, float) if keep_nan else (lambda _: None, _finite)
        value = parsed(data.decode("utf-8"), parse_constant=constant, parse_float=real, object_pairs_hook=_Pairs(found))
    except UnicodeDecodeError:
        raise DataError("is not UTF-8", where=str(path), remedy="save it as UTF-8") from None
    except (ValueError, RecursionError):
        raise DataError(
            f"not valid JSON ({error.msg})", where=f"{path}:{error.lineno}", remedy="correct the file"
        ) from None
    if warnings is not None:
        warnings += found
    return value


def parsed(text: str, **how: Any) -> Any:
    """Return what JSON holds with `?` for each half of a surrogate pair, which JSON can escape and no file can hold.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(text, **how)
    if "\\ud" not in text.lower():  # nearly always, and what follows takes twice as long again
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def parsed_member(data: bytes, where: str) -> Any:
    """Return what JSON from within an archive holds; NaN and infinities become None.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return parsed(data.decode("utf-8-sig"), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON ({error})", where=where, remedy="write or copy it again") from None


class _Pairs:
    """Makes an object of its pairs, and says which key is a duplicate."""

    def __init__(self, warnings: list[str]) -> None:
        self._warnings = warnings
        self._n = 0

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            for key in made:
                values = [value for name, value in pairs if name == key]
                if len(values) > 1:
                    self._warn_of_duplicate(key, values)
        return made

    def _warn_of_duplicate(self, key: str, values: list[Any]) -> None:
        self._n += 1
        if self._n <= _NAMED_AT_MOST:
            shown = " and ".join(clipped(json.dumps(one, ensure_ascii=False, default=str), 40) for one in values[-3:])
            self._warnings.append(
                f"the key {key[:60]!r} stands {len(values)} times in one object, as {shown}; the last counted: look "
                "which is right"
            )
        elif self._n == _NAMED_AT_MOST + 1:
            self._warnings.append("further keys stand more than once in one object; the last counted of each")


def _n_keys(value: Any) -> int:
    """Return the number of keys in a structure."""
    n, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            n += len(one)
            waiting += [item for item in one.values() if type(item) is dict or type(item) is list]
        elif isinstance(one, list):
            waiting += [item for item in one if type(item) is dict or type(item) is list]
    return n


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


_MOST_YAML = 4 * 1024 * 1024


class _PlainLoader(BoundedLoader):
    """A safe loader for which every tag stands for plain data."""


def _plain(loader: _PlainLoader, tag: str, node: yaml.Node) -> Any:
    """Return a tagged value without its tag: a tuple as a list, an object as its fields, a name as its text."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    value = loader.construct_scalar(node)  # type: ignore[arg-type]
    # Of a Python name the tag says it all: `!!python/name:torch.optim.Adam ''`.
    return value or (tag.rpartition(":")[2] if "python/name:" in tag else value)


_PlainLoader.add_multi_constructor("", _plain)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        DataError: it is missing, too large, no YAML, or holds something else.
    """
    text = content_of(path, _MOST_YAML).decode("utf-8-sig", errors="replace")
    try:
        found = load_yaml(text, _PlainLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        what = getattr(error, "problem", None) or str(error).splitlines()[0][:200]
        raise DataError(
            f"is not a YAML that can be read ({what})", where=str(path), remedy="correct the file"
        ) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DataError("holds no mapping of names to values", where=str(path), remedy="name the right file")
    return {str(key): value for key, value in found.items()}


def objects(path: Path, warnings: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file; lines that are none, or are too long, are counted in `warnings`.

    Raises:
        DataError: the file cannot be read.
    """
    wrong: list[int] = []
    for number, line in enumerate(lines_of(path), start=1):
        if not line.strip():
            continue
        try:
            value = embedded(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            value = None
        if isinstance(value, dict):
            yield value
        else:
            wrong.append(number)
    if wrong:
        shown = ", ".join(map(str, wrong[:5]))
        what = "line is not a JSON object (line" if len(wrong) == 1 else "lines are not JSON objects (lines"
        warnings.append(f"{path.name}: {len(wrong)} {what} {shown}), left out")


def embedded(text: Any) -> Any:
    """Return what a text within a document holds as JSON; None where it is none, and what is not a text as it is."""
    if not isinstance(text, str):
        return text
    try:
        return parsed(text)
    except (ValueError, RecursionError):
        return None


def lists_of(data: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of a table in JSON: lists, or mappings of row to value as a data frame's `to_json` writes."""
    columns = {
        name: list(one.values()) if isinstance(one, dict) and one and all(key.isdecimal() for key in one) else one
        for name, one in data.items()
    }
    return {name: one for name, one in columns.items() if isinstance(one, list)}


def holds_lists(value: Any) -> bool:
    """Return whether a value of a JSON is a mapping of names to lists, however deep: `{"train": {"loss": […]}}`."""
    return isinstance(value, dict) and any(isinstance(one, list) for one in leaves(value).values())


def of_pairs(values: list[Any]) -> bool:
    """Return whether a list holds steps with their values, as the history of a federated training does."""
    return all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(n, int | float) for n in one) for one in values
    )


_YAML = (".yaml", ".yml")
_LINES = (".jsonl", ".ndjson")


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


def _is_json_lines(path: Path) -> bool:
    """Recognise it by the name, else by the first line: whatever a log of objects is called."""
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
    # Of duplicate columns the first counts.
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
        if path.stat().st_size > _MOST_YAML:
            raise DataError(f"is larger than {_MOST_YAML >> 20} MiB", where=path.name, remedy="name the right file")
        return read_mapping(path)
    except OSError as error:
        raise unreadable(path.name, error) from None
    except ConfigError as error:
        raise DataError(error.what, where=path.name, remedy="correct the file") from None

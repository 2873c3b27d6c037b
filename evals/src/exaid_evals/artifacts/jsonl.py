"""JSON Lines, plain or gzipped: written canonically, read as if every file were hostile."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import orjson

from exaid_evals.artifacts.atomic import atomic_file, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import content_chunks, salvaged_chunks, sha256_bytes
from exaid_evals.errors import DataError

MAX_LINE_BYTES = 16 * 1024 * 1024
# An over-long line is skipped to its end, but not for ever: a gzip bomb unpacks for hours.
MAX_SKIPPED_BYTES = 1 << 30


class Line(NamedTuple):
    """One line of a file, or what keeps it from being one.

    Attributes:
        number: counted from 1; 0 where the file as a whole is meant.
        value: the record, None where there is a problem.
        problem: what is wrong, None where nothing is.
        remedy: what to do about the problem.
    """

    number: int
    value: dict[str, Any] | None
    problem: str | None = None
    remedy: str | None = None


class Records(NamedTuple):
    """Lines one behind the other that are records, all of them.

    Attributes:
        number: of the first line, counted from 1.
        values: the records.
    """

    number: int
    values: list[dict[str, Any]]


class Digest(Protocol):
    """A hash that is fed with a file's content while it is read."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> str:
    """Write records canonically, one a line, whole or not at all; gzipped where the name ends in .gz.

    Returns:
        The hash of the content.
    """
    lines = (canonical_bytes(record) + b"\n" for record in records)
    if path.suffix == ".gz":
        content = b"".join(lines)
        write_bytes(path, content)
        return sha256_bytes(content)
    digest = hashlib.sha256()
    with atomic_file(path) as stream:
        for line in lines:
            digest.update(line)
            stream.write(line)
    return f"sha256:{digest.hexdigest()}"


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read all records of a file.

    Raises:
        DataError: names the first line that is not a record, and what to do.
    """
    return [require_record(line, path) for line in scan_jsonl(path)]


def written_records(path: Path, content: bytes | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and record of each line that a person may have written: the last one needs no end.

    Args:
        path: the file.
        content: what it holds, where that has been read already, as of standard input.

    Raises:
        DataError: names the first line that is not a record, and what to do.
    """
    content = b"".join(content_chunks(path)) if content is None else content
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, require_record(parse_line(line.rstrip(b"\r"), number), path)


def require_record(line: Line, path: Path) -> dict[str, Any]:
    """Return a line's record.

    Raises:
        DataError: the line is not a record.
    """
    if line.value is None:
        where = f"{path}:{line.number}" if line.number else str(path)
        raise DataError(line.problem or "no record", where=where, remedy=line.remedy)
    return line.value


def scan_jsonl(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES, digest: Digest | None = None) -> Iterator[Line]:
    """Yield every line of a file as a record or a problem, in bounded memory.

    A problem with one line does not end the scan; one that leaves nothing more to read (a truncated gzip) is
    the last line.

    Args:
        path: the file, gzipped where its name ends in .gz.
        max_line_bytes: a longer line is a problem, and is never held in memory.
        digest: is fed with the content, so that hashing a file needs no second reading.
    """
    for found in scan_batches(path, max_line_bytes=max_line_bytes, digest=digest):
        if isinstance(found, Records):
            yield from map(Line, count(found.number), found.values)
        else:
            yield found


def scan_batches(
    path: Path, *, max_line_bytes: int = MAX_LINE_BYTES, digest: Digest | None = None
) -> Iterator[Records | Line]:
    """Do as `scan_jsonl`, but yield the records of many lines at once wherever none of them has a problem."""
    number, held, skipped = 1, b"", 0
    try:
        for chunk in content_chunks(path):
            if digest is not None:
                digest.update(chunk)
            first, *others = chunk.split(b"\n")
            if skipped:
                skipped += len(first)
            elif len(held) + len(first) > max_line_bytes:
                yield _too_long(number, max_line_bytes)
                held, skipped = b"", max_line_bytes
            else:
                held += first
            if skipped > MAX_SKIPPED_BYTES:
                yield Line(number, None, "the same line has no end: what follows is not read", "remove the file")
                return
            if not others:
                continue
            beginning = held
            held = others.pop()
            lines = others if skipped else [beginning, *others]
            number += skipped > 0
            skipped = 0
            yield from _parsed(lines, number, max_line_bytes)
            number += len(lines)
    except DataError as error:
        # What is wrong with the file as a whole has no line; what ended the reading does.
        at = number if number > 1 or held or skipped else 0
        yield Line(at, None, error.what, error.remedy)
        return
    if held:
        yield Line(number, None, "half a line, without its newline", "the file was cut: make it again")


_AT_ONCE_BYTES = 1 << 16
"""What is parsed at once, about: what is made of more does not fit into a processor's cache until it is checked."""


def _parsed(lines: Sequence[bytes], first: int, max_line_bytes: int) -> Iterator[Records | Line]:
    step = 1 + _AT_ONCE_BYTES * len(lines) // (1 + sum(map(len, lines)))
    for start in range(0, len(lines), step):
        some = lines[start : start + step]
        values = _all_records(some) if max(map(len, some)) <= max_line_bytes else None
        if values is not None:
            yield Records(first + start, values)
            continue
        for number, raw in enumerate(some, first + start):
            yield parse_line(raw, number) if len(raw) <= max_line_bytes else _too_long(number, max_line_bytes)


def _all_records(lines: Sequence[bytes]) -> list[dict[str, Any]] | None:
    """Return the records of lines; None where one of them has a problem, which `parse_line` says."""
    try:
        values = list(map(orjson.loads, lines))
        _require_nothing_hidden(values, lines)
    except (orjson.JSONDecodeError, _HiddenError, TypeError, RecursionError):
        return None
    return values if set(map(type, values)) == {dict} else None


def salvage_jsonl(path: Path) -> Iterator[Line]:
    """Yield the lines of a damaged file of records as far as they can be read, whatever is lost between them.

    Lines are numbered as they are found. What is not a line of its own, such as half a one, is a problem.

    Raises:
        DataError: the file cannot be opened, or is not a file of records.
    """
    number, held = 0, b""
    for chunk in salvaged_chunks(path):
        *lines, held = (held + chunk).split(b"\n")
        for raw in lines:
            number += 1
            if raw:
                yield parse_line(raw, number)
        if len(held) > MAX_LINE_BYTES:
            raise DataError("has a line without an end", where=str(path), remedy="name the right file")
    if held:
        yield Line(number + 1, None, "half a line, without its newline")


def scan_document(path: Path, *, max_bytes: int = MAX_LINE_BYTES, digest: Digest | None = None) -> Iterator[Line]:
    """Yield a `.json` file's one record, however it is laid out, as its only line, or the problem with it."""
    content = bytearray()
    try:
        for chunk in content_chunks(path):
            if digest is not None:
                digest.update(chunk)
            content += chunk
            if len(content) > max_bytes:
                yield Line(0, None, f"a document of more than {_mebibytes(max_bytes)}", "split or remove it")
                return
    except DataError as error:
        yield Line(0, None, error.what, error.remedy)
        return
    if content.strip():
        yield parse_line(bytes(content), 1)


def parse_line(raw: bytes, number: int) -> Line:
    """Parse one line without its newline."""
    try:
        value = orjson.loads(raw)
        _require_nothing_hidden([value], [raw])
    except orjson.JSONDecodeError as error:
        return _diagnose(raw, number, error)
    except _HiddenError as error:
        return Line(number, None, error.what, error.remedy)
    except (TypeError, RecursionError):
        return Line(number, None, "nested more than 250 levels deep", "flatten the record")
    if not isinstance(value, dict):
        return Line(number, None, f"a {_JSON_NAMES[type(value)]} where a record must stand", "write one object a line")
    return Line(number, value)


_JSON_NAMES = {list: "list", str: "text", int: "number", float: "number", bool: "truth value", type(None): "null"}


def _too_long(number: int, limit: int) -> Line:
    return Line(number, None, f"a line of more than {_mebibytes(limit)}", "split or remove the record")


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):g} MiB"


def _diagnose(raw: bytes, number: int, error: orjson.JSONDecodeError) -> Line:
    if not raw.strip():
        return Line(number, None, "an empty line", "remove it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as invalid:
        return Line(number, None, f"invalid UTF-8 at byte {invalid.start}", "save it as UTF-8")
    constants: list[str] = []
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(text, parse_constant=constants.append)
        if constants:
            return Line(number, None, f"{constants[0]} is not JSON", "write null for what is undefined")
    return Line(number, None, f"not valid JSON ({error.msg} at column {error.colno})", "correct the line")


class _HiddenError(ValueError):
    """Carries a finding out of the parser."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def _require_nothing_hidden(values: Sequence[Any], lines: Sequence[bytes]) -> None:
    """Refuse a repeated key, of which orjson keeps the last, and an integer that it turns into a float.

    A line without spaces equals its own re-encoding, which proves that it has neither: the fast path. Other lines may
    still be right and take the slow one.
    """
    if orjson.dumps(values) == b"[" + b",".join(lines) + b"]":  # each line is a whole value, so each equals its own
        return
    for value, raw in zip(values, lines, strict=True):
        if orjson.dumps(value) != raw:
            json.loads(raw, object_pairs_hook=_refuse_repeated_key, parse_int=_refuse_huge_integer)


def repeated_key(pairs: list[tuple[str, Any]]) -> str | None:
    """Return the first key that is a duplicate in an object as a parser has read it, None where none does.

    >>> repeated_key([("a", 1), ("b", 2), ("a", 3)]), repeated_key([("a", 1)])
    ('a', None)
    """
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            return key
        seen.add(key)
    return None


def _refuse_repeated_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    key = repeated_key(pairs)
    if key is not None:
        raise _HiddenError(f"the key {key[:80]!r} is a duplicate", "keep one of the two values")
    return dict(pairs)


def _refuse_huge_integer(digits: str) -> int:
    if len(digits) > 20 or not -(1 << 63) <= (number := int(digits)) < 1 << 64:
        raise _HiddenError(f"the integer {digits[:20]}… needs more than 64 bits", "correct the number")
    return number

"""A file as records with fields, so that a difference can be named: lines of JSON, rows of CSV, lines of text."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.content import content_chunks
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.errors import DataError

_JSON_LINES = (".jsonl", ".jsonl.gz")
_TEXTS = (".tex", ".md", ".html", ".txt")
_NUMBERS = ("sequence_num", "flush_index", "decision_index", "event_index")
_NAMES = ("case_id", "variant_id", "against", "measure", "trace_id")
LINE = "line"
"""The one field of a line of text."""


@dataclass(frozen=True, slots=True)
class Part:
    """A record of a file.

    Attributes:
        name: where it stands and what it is, for readers: `line 5 (gate_flush 3)`.
        fields: dotted name → value; lists of plain values stay whole.
    """

    name: str
    fields: Mapping[str, Any]


def has_parts(path: str) -> bool:
    """Tell whether a file, by its name, is more than a picture."""
    return path.endswith((*_JSON_LINES, ".json", ".csv", *_TEXTS))


def read_parts(path: Path) -> list[Part]:
    """Return a file's records; none for what has none, such as a figure.

    Raises:
        DataError: the file cannot be read, or is not what its name says.
    """
    name = path.name
    if name.endswith(_JSON_LINES):
        return list(_json_lines(path))
    if name.endswith(".json"):
        return [_document(path)]
    if name.endswith(".csv"):
        return list(_rows(_text(path)))
    if name.endswith(_TEXTS):
        return [Part(f"line {number}", {LINE: line}) for number, line in enumerate(_text(path).splitlines(), start=1)]
    return []


def flattened(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return dotted name → leaf of a structure.

    >>> flattened({"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 2}], "f": {}})
    {'a.b': 1, 'a.c': [1, 2], 'd[0].e': 2, 'f': {}}
    """
    if isinstance(value, Mapping) and value:
        dot = f"{prefix}." if prefix else ""
        return {name: leaf for key, item in value.items() for name, leaf in flattened(item, f"{dot}{key}").items()}
    if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        return {
            name: leaf
            for number, item in enumerate(value)
            for name, leaf in flattened(item, f"{prefix}[{number}]").items()
        }
    return {prefix: value}


def _json_lines(path: Path) -> Iterator[Part]:
    for line in scan_jsonl(path):
        if line.value is None:
            # One line that is not a record differs like any other; the file's other records can still be named.
            yield Part(f"line {line.number}", {"(no record)": line.problem})
            continue
        title = _title(line.value)
        yield Part(f"line {line.number}{f' ({title})' if title else ''}", flattened(line.value))


def _title(record: Mapping[str, Any]) -> str:
    """Return what a record is, in a few words: its type, and what tells it from others of that type."""
    words = [str(record["record_type"])] if "record_type" in record else []
    number = next((str(record[name]) for name in _NUMBERS if name in record), None)
    if number is not None:
        return " ".join([*(words or ["message"]), number])
    return " ".join([*words, *(str(record[name]) for name in _NAMES if name in record)])


def _document(path: Path) -> Part:
    try:
        value = json.loads(_text(path))
    except ValueError as error:
        return Part("document", {"(no JSON)": str(error)})
    return Part("document", flattened(value))


def _rows(text: str) -> Iterator[Part]:
    rows: Sequence[list[str]] = list(csv.reader(io.StringIO(text)))
    if not rows:
        return
    header = rows[0]
    yield Part("header", {f"column {number}": name for number, name in enumerate(header, start=1)})
    for number, row in enumerate(rows[1:], start=1):
        # What lies beyond the header's columns still has a place.
        names = [*header, *(f"column {extra}" for extra in range(len(header) + 1, len(row) + 1))]
        yield Part(f"row {number} ({', '.join(row[:1])})", dict(zip(names, row, strict=False)))


def _text(path: Path) -> str:
    try:
        return b"".join(content_chunks(path)).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"invalid UTF-8 at byte {error.start}", where=str(path), remedy="make it again") from None

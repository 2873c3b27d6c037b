"""A foreign file: bounded, decoded once, its JSON values with the lines on which they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.artifacts.jsonl import repeated_key
from exaid_evals.errors import DataError

MAX_FILE_BYTES = 64 * 1024 * 1024
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[][{},:]|\n|[^][{},:"\s]++')
_DIALECTS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


@dataclass(frozen=True, slots=True)
class Root:
    """A JSON value that stands for itself: the whole document (line None), or one line."""

    line: int | None
    value: Any


class Source:
    """One file that a user names.

    Args:
        path: the file, unpacked where its name ends in .gz.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def stem(self) -> str:
        """The file's name without its endings: what a conversation is called that has no other name."""
        name = self.path.name
        for ending in (".gz", ".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt"):
            name = name.removesuffix(ending)
        return name

    @cached_property
    def text(self) -> str:
        """The content.

        Raises:
            DataError: the file is missing, too large, or no UTF-8.
        """
        content = bytearray()
        for chunk in content_chunks(self.path):
            content += chunk
            if len(content) > MAX_FILE_BYTES:
                what = f"a file of more than {MAX_FILE_BYTES >> 20} MiB"
                raise DataError(what, where=str(self.path), remedy="split it, one file a conversation")
        for mark, name in _DIALECTS.items():
            if content.startswith(mark):
                raise DataError(f"is {name}", where=str(self.path), remedy="save it as UTF-8")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            what = f"invalid UTF-8 at byte {error.start}"
            raise DataError(what, where=f"{self.path}:{line}", remedy="save it as UTF-8") from None

    @cached_property
    def roots(self) -> tuple[Root, ...]:
        """The whole file as one JSON document, or else the value of each line that is not blank.

        Raises:
            DataError: it is neither; names the line.
        """
        text = self.text
        try:
            return (Root(None, parse_json(text)),)
        except JSONError as error:
            whole = error
        lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        roots: list[Root] = []
        for number, line in lines:
            try:
                roots.append(Root(number, parse_json(line)))
            except JSONError as error:
                # Half a first line is a broken document; a later one, a broken line.
                found = error if roots else whole
                at = number if roots else whole.line
                raise DataError(found.what, where=f"{self.path}:{at}", remedy=found.remedy) from None
        if not roots:
            raise DataError("the file is empty", where=str(self.path), remedy="leave it out")
        return tuple(roots)

    @cached_property
    def is_json(self) -> bool:
        """Whether the file holds JSON, as one document or line by line."""
        try:
            return bool(self.roots)
        except DataError:
            return False

    def lines_of(self, ways: Iterable[tuple[str | int, ...]]) -> dict[tuple[str | int, ...], int]:
        """Return the line on which each value of the JSON document stands, or the nearest one that holds it.

        Args:
            ways: keys and indices from the document's root.
        """
        ways = list(ways)
        prefixes = {way[:length] for way in ways for length in range(len(way) + 1)}
        found = _lines(self.text, prefixes)
        return {
            way: next(found[way[:length]] for length in range(len(way), -1, -1) if way[:length] in found)
            for way in ways
        }


class JSONError(ValueError):
    """A text is not JSON that could be read without guessing."""

    def __init__(self, what: str, remedy: str, line: int = 1) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.line = line


def parse_json(text: str) -> Any:
    """Parse one JSON value, refusing what a lenient parser would hide.

    Raises:
        JSONError: the text is not JSON, or repeats a key, holds NaN, or is nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except JSONError:
        raise
    except json.JSONDecodeError as error:
        what = f"not valid JSON ({error.msg} at column {error.colno})"
        raise JSONError(what, "correct or export it again", error.lineno) from None
    except RecursionError:
        raise JSONError("nested too deeply", "flatten it") from None
    except ValueError as error:  # an integer of thousands of digits
        raise JSONError(f"not valid JSON ({error})", "correct the number") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    key = repeated_key(pairs)
    if key is not None:
        raise JSONError(f"the key {key[:80]!r} is a duplicate", "keep one of the two values")
    return dict(pairs)


def _refuse_constant(name: str) -> Any:
    raise JSONError(f"{name} is not JSON", "write null for what is undefined")


def _lines(text: str, wanted: set[tuple[str | int, ...]]) -> dict[tuple[str | int, ...], int]:
    """Walk over a valid document's tokens and note the line of each wanted value. No recursion: files are hostile."""
    found: dict[tuple[str | int, ...], int] = {}
    way: list[str | int] = []
    line = 1
    key: str | None = None
    opened: list[str] = []
    expects_key = False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == "\n":
            line += 1
        elif mark in "}]":
            opened.pop()
            way.pop()
            expects_key = False
        elif mark == ",":
            if opened[-1] == "{":
                expects_key = True
            else:
                way[-1] = int(way[-1]) + 1
        elif mark == ":":
            way[-1] = key or ""
            expects_key = False
        elif expects_key:
            key = json.loads(mark)
        else:
            here = tuple(way)
            if here in wanted:
                found.setdefault(here, line)
            if mark in "{[":
                opened.append(mark)
                way.append("" if mark == "{" else 0)
                expects_key = mark == "{"
    return found

"""Marked blocks of .tex files: `% exaid:begin NAME` … `% exaid:end`. Everything outside them stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from exaid_evals.errors import ConfigError

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")
_MARKER = re.compile(rb"^[ \t]*%+[ \t]*exaid[ \t]*:[ \t]*(?P<rest>.*?)[ \t]*$")
_BEGIN = re.compile(rb"begin[ \t]+(?P<name>[A-Za-z0-9][A-Za-z0-9._+/:-]*)")
_END = re.compile(rb"end(?:[ \t]+(?P<name>\S+))?")
_INPUTENC = re.compile(rb"^[^%\n\r]*\\usepackage[ \t]*\[([A-Za-z0-9, ]+)\][ \t]*\{inputenc\}", re.M)
_ENCODINGS = {
    "utf8": "utf-8",
    "utf8x": "utf-8",
    "ascii": "ascii",
    "latin1": "latin-1",
    "latin9": "iso8859-15",
    "ansinew": "cp1252",
    "cp1252": "cp1252",
    "applemac": "mac-roman",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        name: of what belongs into it.
        line: of its opening, counted from 1.
        start, stop: bytes between the two markers' lines.
        newline: as the opening's line ends.
    """

    name: str
    line: int
    start: int
    stop: int
    newline: bytes


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that a file says it has with `inputenc`; None where it says none that is known."""
    found = _INPUTENC.search(data)
    options = found[1].decode("ascii").replace(" ", "").split(",") if found else []
    return next((_ENCODINGS[option] for option in options if option in _ENCODINGS), None)


class _Marker(NamedTuple):
    """A line that is a marker: what it says, its number, the bytes from its start to its stop, and how it ends."""

    says: bytes
    number: int
    start: int
    stop: int
    newline: bytes


def _markers(data: bytes) -> Iterator[_Marker]:
    at, number = 0, 0
    while at < len(data):
        text = _LINE.match(data, at)
        assert text is not None  # noqa: S101 - the pattern fits everywhere
        number += 1
        start, at = at, text.end()
        bare = text[0].rstrip(b"\r\n")
        if found := _MARKER.match(bare.removeprefix(b"\xef\xbb\xbf") if start == 0 else bare):
            yield _Marker(found["rest"], number, start, at, text[0][len(bare) :])


def find_blocks(path: Path, data: bytes) -> tuple[list[Block], list[ConfigError]]:
    """Return the blocks of a file, and what is wrong with its markers, each with file and line."""
    blocks: list[Block] = []
    problems: list[ConfigError] = []
    opened: tuple[str, _Marker] | None = None
    seen: dict[str, int] = {}

    def wrong(what: str, line: int, remedy: str) -> None:
        problems.append(ConfigError(what, where=f"{path}:{line}", remedy=remedy))

    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return [], [ConfigError("is UTF-16, which LaTeX does not read", where=str(path), remedy="save it as UTF-8")]
    for marker in _markers(data):
        number = marker.number
        around = f"{opened[0]}, which began in line {opened[1].number}" if opened else ""
        if begin := _BEGIN.fullmatch(marker.says):
            name = begin["name"].decode("ascii")
            if opened is not None:
                wrong(f"the block {name} begins within {around}", number, "end the one before the other begins")
            elif name in seen:
                wrong(f"the block {name} is a duplicate, first in line {seen[name]}", number, "remove one of them")
            seen.setdefault(name, number)
            opened = (name, marker)
        elif end := _END.fullmatch(marker.says):
            closes = (end["name"] or b"").decode("utf-8", "replace")
            if opened is None:
                wrong("a block ends that has not begun", number, "remove the line, or write `% exaid:begin NAME` above")
            elif closes and closes != opened[0]:
                wrong(f"the end of {closes} stands in {around}", number, "end each block before the next")
            else:
                name, first = opened
                blocks.append(Block(name, first.number, first.stop, marker.start, first.newline))
            opened = None
        else:
            shown = marker.says.decode("utf-8", "replace")[:40]
            wrong(f"no marker: exaid:{shown}", number, "write `% exaid:begin NAME` or `% exaid:end`")
    if opened is not None:
        wrong(f"the block {opened[0]} does not end", opened[1].number, "write `% exaid:end` below it")
    return blocks, problems


def rewritten(
    path: Path, data: bytes, blocks: list[Block], content: Callable[[str], str], encoding: str | None
) -> tuple[bytes, list[ConfigError]]:
    """Return a file with the content of its blocks replaced, and what is wrong, each with file and line.

    Args:
        path: for messages.
        data: the file.
        blocks: its blocks.
        content: name → text, with newline ends; raises ConfigError for a name that is not known.
        encoding: that the article declares; None takes UTF-8 where the file is such, else only ASCII.
    """
    encoding = encoding or declared_encoding(data) or _guessed(data)
    problems: list[ConfigError] = []
    parts: list[bytes] = []
    done = 0
    for block in blocks:
        try:
            made = _made(block, content(block.name), encoding)
        except ConfigError as error:
            problems.append(ConfigError(error.what, where=f"{path}:{block.line}", remedy=error.remedy))
            continue
        parts += [data[done : block.start], made]
        done = block.stop
    return b"".join([*parts, data[done:]]), problems


def _made(block: Block, text: str, encoding: str) -> bytes:
    """Return what belongs into a block.

    Raises:
        ConfigError: it would end the block, or the encoding lacks a sign of it.
    """
    lines = text.removesuffix("\n").split("\n") if text else []
    if any(_MARKER.match(line.encode("utf-8", "replace")) for line in lines):
        raise ConfigError(f"what belongs into {block.name} has a marker of its own", remedy="write or copy it again")
    try:
        return b"".join(line.encode(encoding) + block.newline for line in lines)
    except UnicodeEncodeError as error:
        what = f"{encoding} has no {error.object[error.start]!r}, which stands in {block.name}"
        raise ConfigError(what, remedy="save the article as UTF-8, or declare its encoding with inputenc") from None


def _guessed(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "ascii"
    return "utf-8"

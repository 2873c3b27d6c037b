"""CSV files of other tools, in bounded memory: any usual delimiter, a BOM, decimal commas, quoted cells."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import orjson

from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import as_utf8, chunks

MAX_LINE_CHARS = 16 * 1024 * 1024
_DELIMITERS = (",", ";", "\t", "|")
_ROWS_AT_ONCE = 20_000
_NUMBERS = frozenset({int, float})
_PAIRED = frozenset({"params", "user_attrs", "system_attrs"})
"""Names above others in Optuna's tables of two levels."""
MISSING = frozenset({"", "na", "n/a", "<na>", "none", "null", "-", "–"})
"""What stands in a cell without a value."""


class Block(NamedTuple):
    """Some consecutive lines of a file: whole, where no cell in them is quoted, else split into cells.

    Attributes:
        line: number of the first one in the file, counted from 1.
        lines: None where `rows` has them.
        rows: None where `lines` has them.
    """

    line: int
    lines: list[str] | None
    rows: list[list[str]] | None


@dataclass
class Delimited:
    """A file of comma-separated values, opened; its content is read once, by `blocks` or `rows`.

    Attributes:
        path: the file.
        columns: as the header names them, blanks stripped; of duplicate names the first counts.
        delimiter: what separates cells.
        warnings: what is odd about the file, without its name.
    """

    path: Path
    columns: list[str]
    delimiter: str
    _rest: Iterator[str]
    warnings: list[str] = field(default_factory=list)
    _first_line: int = 2

    def error(self, what: str, line: int, remedy: str = "correct the file") -> DataError:
        """Return an error about a line."""
        return DataError(what, where=f"{self.path}:{line}", remedy=remedy)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row that is not empty with the number of its line.

        Raises:
            DataError: a row has another number of cells than the header.
        """
        width = len(self.columns)
        for block in self.blocks():
            rows = block.rows if block.lines is None else (line.split(self.delimiter) for line in block.lines)
            for line, row in enumerate(rows or (), start=block.line):
                if not row or row == [""]:
                    continue
                if len(row) != width:
                    raise self.error(f"{len(row)} cells, where the header has {width}", line)
                yield line, row

    def cells(self) -> list[list[str]]:
        """Return the cells of each column, of rows that are not empty; of a file that fits into memory.

        Raises:
            DataError: a row has another number of cells than the header.
        """
        columns: list[list[str]] = [[] for _ in self.columns]
        for block in self.blocks():
            for column, further in zip(columns, self.split(block), strict=True):
                column += further
        return columns

    def split(self, block: Block) -> list[Sequence[str]]:
        """Return a block's cells by column, empty lines left out.

        Raises:
            DataError: a row has another number of cells than the header.
        """
        width, delimiter = len(self.columns), self.delimiter
        if block.lines is not None:
            lines = [line for line in block.lines if line]
            widths = [line.count(delimiter) + 1 for line in lines]
        else:
            rows = [row for row in block.rows or () if row]
            widths = list(map(len, rows))
        if widths.count(width) < len(widths):
            offset, cells = next((at, one) for at, one in enumerate(widths) if one != width)
            raise self.error(f"{cells} cells, where the header has {width}", line_of(block, offset))
        if block.lines is None:
            return list(zip(*rows, strict=True)) or [()] * width
        flat = delimiter.join(lines).split(delimiter) if lines else []
        return [flat[index::width] for index in range(width)]

    def split_before_numbers(self, block: Block, n: int) -> tuple[list[Sequence[str]], list[float]] | None:
        """Return a block's cells by column but for the last ones, which are numbers, and these row by row.

        None where that cannot be had at once: a cell is quoted, no number as JSON has it, or a row has another width,
        all of which `split` and `numbers` handle or tell. What is read here, they read alike, in twice the time.
        """
        delimiter = self.delimiter
        if block.lines is None or delimiter != ",":
            return None
        n_cells = len(self.columns) - n
        rows = [line.split(delimiter, n_cells) for line in block.lines if line]
        if not rows or set(map(len, rows)) != {n_cells + 1}:
            return None
        *cells, rest = zip(*rows, strict=True)
        if set(map(str.count, rest, itertools.repeat(delimiter))) != {n - 1}:
            return None
        try:
            values: list[float] = orjson.loads(f"[{delimiter.join(rest)}]")
        except ValueError:
            return None
        usable = len(values) == n * len(rows) and _NUMBERS.issuperset(map(type, values))
        return (list(cells), values) if usable else None

    def blocks(self) -> Iterator[Block]:
        """Yield the lines below the header, a block at a time.

        Raises:
            DataError: a line is too long, a quotation does not end, or the bytes are not UTF-8.
        """
        number, held = self._first_line, ""
        for text in self._rest:
            if '"' in text:
                yield from self._quoted(number, itertools.chain([held + text], self._rest))
                return
            *lines, held = (held + text).replace("\r\n", "\n").split("\n")
            if len(held) > MAX_LINE_CHARS:
                raise self.error("a line without an end", number + len(lines), "name the right file")
            yield Block(number, lines, None)
            number += len(lines)
        if held:
            yield Block(number, [held.rstrip("\r")], None)

    def _quoted(self, number: int, texts: Iterator[str]) -> Iterator[Block]:
        reader = csv.reader(_whole_lines(texts), delimiter=self.delimiter, strict=True)
        while True:
            first = number + reader.line_num
            try:
                rows = list(itertools.islice(reader, _ROWS_AT_ONCE))
            except csv.Error as error:
                raise self.error(f"not valid CSV ({error})", number + max(reader.line_num - 1, 0)) from None
            if not rows:
                return
            yield Block(first, None, rows)


def fitted(row: list[str], columns: Sequence[str]) -> list[str] | None:
    """Return a row as wide as the header, without what a trailing delimiter adds; None where it is the header again.

    >>> fitted(["1", "2", ""], ["a", "b"]), fitted(["1"], ["a", "b"]), fitted(["a", " b"], ["a", "b"])
    (['1', '2'], ['1'], None)
    """
    width = len(columns)
    if len(row) == width + 1 and not row[-1].strip():
        row = row[:width]
    if row and row[0].strip() == columns[0] and [cell.strip() for cell in row] == list(columns):
        return None
    return row


def line_of(block: Block, offset: int) -> int:
    """Return the number in the file of a block's row, empty lines between not counted among the rows."""
    held = block.lines if block.lines is not None else block.rows or []
    return block.line + [at for at, one in enumerate(held) if one][offset]


def open_delimited(path: Path) -> Delimited:
    """Open a CSV file and read its header.

    Empty lines before it, and lines that begin with `#`, are passed over; one that stands on numbers is the header, as
    NumPy writes it.

    Raises:
        DataError: the file is missing, empty, or no UTF-8 text.
    """
    texts = _decoded(path)
    header, rest, first_line = "", "", 1
    while True:
        line, more = _first_line(texts, rest)
        first_line += 1
        if line.endswith("\n") and not line.strip():
            rest = more
            continue
        comment, header, rest = header, line.rstrip("\n").rstrip("\r"), more
        if is_header(comment, header):
            header, rest, first_line = comment.lstrip("# "), line + more, first_line - 1
        elif header.startswith("#") and line.endswith("\n"):
            continue
        break
    delimiter = ""
    if header[:4].lower() == "sep=" and len(header) == 5:  # as Excel writes it
        delimiter = header[4]
        line, rest = _first_line(texts, rest)
        header, first_line = line.rstrip("\n").rstrip("\r"), first_line + 1
    if not header.strip():
        raise DataError("is empty" if not line else "has no header", where=str(path), remedy="write or copy it again")
    texts = itertools.chain([rest], texts)
    if not delimiter and not any(one in header for one in _DELIMITERS) and len(header.split()) > 1:
        line, rest = _first_line(texts, "")
        texts = itertools.chain([line, rest], texts)
        if len(line.split()) == len(header.split()):  # else the blanks are those of a lone column's name
            header, delimiter = "\t".join(header.split()), "\t"
            texts = ("\t".join(line.split()) + "\n" for line in _whole_lines(texts))
    try:
        delimiter, columns, warnings = split_header(header, delimiter)
    except csv.Error as error:
        raise DataError(f"not valid CSV ({error})", where=f"{path}:1", remedy="correct the header") from None
    if warnings or not _PAIRED.isdisjoint(columns):
        line, rest = _first_line(texts, "")
        try:
            below = next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
        except csv.Error as error:
            where = f"{path}:{first_line}"
            raise DataError(f"not valid CSV ({error})", where=where, remedy="correct the line") from None
        joined = _of_two_levels(columns, [cell.strip() for cell in below])
        texts = texts if joined and not rest else itertools.chain([rest if joined else line + rest], texts)
        if joined:
            columns, warnings, first_line = joined, (), first_line + 1
    return Delimited(path, list(columns), delimiter, texts, list(warnings), _first_line=first_line)


def _of_two_levels(columns: Sequence[str], below: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a header of two rows, as pandas writes names of two levels; none where the second is none.

    >>> _of_two_levels(("number", "params", "params"), ("", "lr", "depth")), _of_two_levels(("a", "a"), ("1", ""))
    (('number', 'params_lr', 'params_depth'), ())
    >>> _of_two_levels(("x", "a", "a"), ("", "0.5", "1"))
    ()
    """
    paired = [name in _PAIRED or columns.count(name) > 1 for name in columns]
    if [bool(cell) for cell in below] != paired or all(paired):
        return ()
    if _PAIRED.isdisjoint(columns) and all(_is_number(cell) for cell in below if cell):
        return ()  # a row of values below a duplicate name
    return tuple(f"{name}_{cell}" if cell else name for name, cell in zip(columns, below, strict=True))


def _first_line(texts: Iterator[str], held: str) -> tuple[str, str]:
    """Return the first line of a text, with its end, and what has been read of the text behind it."""
    while "\n" not in held and len(held) <= MAX_LINE_CHARS and (text := next(texts, "")):
        held += text
    line, end, rest = held.partition("\n")
    return line + end, rest


def is_header(comment: str, line: str) -> bool:
    """Return whether a comment is a header: the line below begins with a number, or is as wide and holds numbers."""
    return comment.startswith("#") and (_is_number(line) or _as_wide(comment, line))


def _as_wide(comment: str, line: str) -> bool:
    """Return whether a comment has as many cells as the line below, which has numbers and so is not a header itself."""
    if comment.startswith("#{"):  # a note of a program's own
        return False
    alike = [one for one in _DELIMITERS if 0 < comment.count(one) == line.count(one)]
    return any(_is_number(cell) for one in alike for cell in line.split(one))


def _is_number(line: str) -> bool:
    """Return whether a line begins with a number."""
    return re.match(r"\s*[-+]?\.?\d[\d.eE+-]*(?:[,;|\s]|$)", line) is not None


@lru_cache(maxsize=64)
def split_header(header: str, delimiter: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return a header's delimiter (found out where none is given), its columns, and what is odd about them."""
    delimiter = delimiter or max(_DELIMITERS, key=lambda one: (header.count(one), -_DELIMITERS.index(one)))
    columns = tuple([cell.strip() for cell in next(csv.reader([header], delimiter=delimiter))])
    counts = Counter(columns)
    twice = sorted(name for name, count in counts.items() if count > 1)
    return (
        delimiter,
        columns,
        tuple(f"the column {name!r} stands {counts[name]} times; the first is read" for name in twice),
    )


def number(text: str) -> float:
    """Return a cell's number: NaN for what is undefined, a lone comma taken for a decimal point.

    >>> number("0.5"), number(" 0,5 "), number("1.234,5"), number("n/a"), number("85,2 %")
    (0.5, 0.5, 1234.5, nan, 0.852)

    Raises:
        ValueError: the cell holds something else.
    """
    try:
        if "_" not in text:  # Python reads 52497_00001, which is a name
            return float(text)
    except ValueError:
        pass
    stripped = text.strip()
    written = stripped.removesuffix("%").rstrip()
    if written.lower() in MISSING:
        return math.nan
    if written.count(",") == 1:
        whole, _, decimals = written.partition(",")
        written = f"{whole.replace('.', '')}.{decimals}"
    try:
        found = float(written.replace("_", "no number"))
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a number") from None
    return found / 100 if stripped.endswith("%") else found


_SPREAD = re.compile(r"(?P<value>.*?[^\s%])(?:\s*(?P<per_cent>%))?\s*(?:±|\+/-|\\pm)\s*[\d.,]+\s*(?P<behind>%?)")
"""A cell with a value and its spread."""


def without_spread(text: str) -> float | str:
    """Return the value of a cell that holds one and its spread; any other text as it is.

    >>> without_spread("85.2 ± 0.3 %"), without_spread("0,85 +/- 0,02"), without_spread("1±1±1")
    (0.852, 0.85, '1±1±1')
    """
    found = _SPREAD.fullmatch(text.strip()) if "±" in text or "+/-" in text or "\\pm" in text else None
    with contextlib.suppress(ValueError):
        return number(found["value"] + (found["per_cent"] or found["behind"])) if found else text
    return text


def cell_of(text: str) -> float | str | None:
    """Return a cell: empty is missing, and so is what tools write in its place; a logged `nan` diverged, and stays."""
    if text.strip().lower() in MISSING:
        return None
    try:
        return number(text)
    except ValueError:
        return text


def numbers(cells: Sequence[str]) -> list[float]:
    """Return the numbers of cells at once, as Python reads them.

    Most columns are numbers as JSON has them, which orjson reads several times as fast as `float`.

    Raises:
        ValueError: some cell holds something else.
    """
    try:
        values: list[float] = orjson.loads(f"[{','.join(cells)}]")
    except ValueError:
        if any("_" in cell for cell in cells):
            raise
        return list(map(float, cells))
    # A cell may hold what JSON knows besides, or two numbers.
    usable = len(values) == len(cells) and _NUMBERS.issuperset(map(type, values))
    return list(map(float, values if usable else cells))


def _decoded(path: Path) -> Iterator[str]:
    """Yield a file's text in pieces that end anywhere but within a character, without its byte order mark."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for chunk in as_utf8(chunks(path)):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(
            f"is not UTF-8 ({error.object[error.start]:#04x})", where=str(path), remedy="save it as UTF-8"
        ) from None


def _whole_lines(texts: Iterator[str]) -> Iterator[str]:
    held = ""
    for text in texts:
        *lines, held = (held + text).split("\n")
        yield from (f"{line}\n" for line in lines)
    if held:
        yield held

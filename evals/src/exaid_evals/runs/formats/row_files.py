"""Histories in files of rows: CSV, JSON Lines, JSON and Parquet.

A row is a step and a column a metric, as Keras' CSVLogger and Lightning write CSV, and most hand-written loops and
`log_batch_metrics` JSON Lines.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.config.mapping_file import leaves
from exaid_evals.config.plugins import optional
from exaid_evals.errors import DataError
from exaid_evals.runs.base import Source
from exaid_evals.runs.files.delimited import (
    Block,
    Delimited,
    cell_of,
    fitted,
    is_header,
    open_delimited,
    split_header,
    without_spread,
)
from exaid_evals.runs.files.document import holds_lists, lists_of, objects, of_pairs, read_document
from exaid_evals.runs.files.values import Separators, mappings_of, part_thousands
from exaid_evals.runs.following import FollowedRows
from exaid_evals.runs.formats.table_dialects import by_experience
from exaid_evals.runs.history import Column
from exaid_evals.runs.history_files import HISTORY_NAMES, HistoryFile, add_cells, suffix_of
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import ROW_NAMES, RUN_NAMES, Row, Table, simple, step_column
from exaid_evals.runs.tool_files import head


class FollowedCsv(FollowedRows):
    """Delimited text that grows; a cell holds no line end, since half a row would look like a whole one."""

    source = "csv"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.begun_again()

    def begun_again(self) -> None:
        """Forget the header."""
        self._columns: Sequence[str] = ()
        self._delimiter = self._comment = ""
        self._separators: dict[str, Separators] = {}

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the cells of a line by column, read as those of whole files; None for what stands above them.

        Raises:
            DataError: the header is not CSV.
        """
        text = line.decode("utf-8-sig", "replace").rstrip("\r")
        if not self._columns and not self._is_below_header(text):
            return None
        columns = self._columns
        if len(columns) == 1 and len(text.split()) == len(columns[0].split()) > 1:
            self._delimiter, self._columns = " ", columns[0].split()
        cells = fitted(self._cells(text), self._columns)
        if cells is None or len(cells) != len(self._columns):
            if cells is not None:  # else it is the header again
                self.odd("rows of another width than the header")
            return None
        values = [without_spread(one) if isinstance(one, str) else one for one in map(cell_of, cells)]
        # Of duplicate columns the first counts.
        row = dict(reversed(list(zip(self._columns, values, strict=True))))
        return {**row, **self._with_thousands(cells)} if self._delimiter == ";" else row

    def _with_thousands(self, cells: Sequence[str]) -> dict[str, float]:
        """Return the cells such as `1.234` that are thousands, by what the file has shown until now."""
        found = {}
        for name, text in reversed(list(zip(self._columns, cells, strict=True))):
            seen = self._separators.setdefault(name, Separators())
            seen.see([text], 0)
            value = seen.grouped.pop(0, None)
            if value is not None and not seen.points:
                found[name] = value
        return found if any(one.commas for one in self._separators.values()) else {}

    def _is_below_header(self, text: str) -> bool:
        """Take a line that begins the file; return whether it is a row, whose header was the comment before it."""
        comment, self._comment = self._comment, text
        below = is_header(comment, text)
        if text[:4].lower() == "sep=" and len(text) == 5:
            self._delimiter = text[4]
        elif below or not text.startswith("#"):
            header = comment.lstrip("# ") if below else text
            try:
                self._delimiter, self._columns, _ = split_header(header, self._delimiter)
            except csv.Error as why:
                raise DataError(f"not valid CSV ({why})", where=str(self._path), remedy="correct the header") from None
        return below

    def _cells(self, text: str) -> list[str]:
        if self._delimiter == " ":
            return text.split()
        with contextlib.suppress(csv.Error):
            return next(csv.reader([text], delimiter=self._delimiter), [])
        return []


_LOGGED = re.compile(
    "phase|split|mode|stage|set|subset|part|events?|status|state|message|msg|level|notes?|comment|log|path|file|filename|"
    "checkpoint|ckpt|saved|best|time|date|datetime|timestamp|elapsed|eta|duration|host|hostname"
)
"""Columns of texts that a training logs at its steps."""
_TIME_OR_TRUTH = re.compile(
    r"(?:\d{1,4}[-/:.]\d|(?:true|false|yes|no)\b|[*+x-]\Z"
    r"|(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?(?:\d{1,2}\s+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+\d)",
    re.IGNORECASE,
)


class RowFile(HistoryFile):
    """Base of the formats here: of a table whose rows are named and no steps, the last row is no result."""

    def table(self, path: Path, warnings: list[str]) -> Table:
        """Return the columns.

        Raises:
            DataError: the file is not of the format, or its rows are named and no steps.
        """
        table = self.columns(path, warnings)
        named = _naming(table, path.stem) if step_column(sorted(table.names)) is None else None
        if named is not None:
            raise _no_history(table, named, path)
        return table

    def columns(self, path: Path, warnings: list[str]) -> Table:
        """Return the columns, of rows of whatever kind."""
        return Table.of_rows(self.rows(path, warnings))


class CsvFormat(RowFile):
    """Reads CSV files with any usual delimiter, a BOM, decimal commas."""

    name = "csv"
    suffixes = (".csv", ".tsv")
    line_follower = FollowedCsv

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows; one with another number of cells than the header is left out and reported."""
        return csv_rows(path, warnings)

    def columns(self, path: Path, warnings: list[str]) -> Table:
        """Return the columns, read a block of lines at a time."""
        return by_experience(csv_table(path, warnings))

    def measures(self, path: Path) -> bool:
        """Recognise it by the header; the numbers of rows that pandas writes count as steps."""
        columns = open_delimited(path).columns
        numbered = columns[0] == "" and {*ROW_NAMES, *RUN_NAMES}.isdisjoint(map(simple, columns))
        counted = step_column(columns) is not None or numbered
        return counted and any(role_of_column(name) == "metric" for name in columns)


def _naming(table: Table, stem: str) -> str | None:
    """Return the column whose texts name the rows: the first, one called so, or one of other texts in each; else None.

    The numbers of rows that pandas writes before them are no first column. Any later column may hold what a training
    logs in words; and rows that lack columns of others are what a program logged of several kinds. What is called a
    history may say other words at each step, such as what a model wrote.
    """
    if any(column.rows is not None and len(column.rows) < table.n_rows for column in table.columns.values()):
        return None
    names = [name for name, column in table.columns.items() if name not in _UNNAMED or column.texts]
    each = [  # but for what begins with a number, which is a measurement with its unit
        name
        for name in names
        if stem.lower() not in HISTORY_NAMES
        and len(texts := {*table.columns[name].texts.values()}) == table.n_rows
        and not any(text.strip()[:1].isdecimal() for text in texts)
    ]
    for name in dict.fromkeys([*names[:1], *(one for one in names if simple(one) in (*RUN_NAMES, *ROW_NAMES)), *each]):
        column = table.columns[name]
        texts = {*column.texts.values()}
        only = name in _UNNAMED or all(map(math.isnan, column.numbers))
        logged = _LOGGED.fullmatch(simple(name)) or role_of_column(name) in ("schedule", "system")
        if len(texts) > 1 and only and not logged and not any(_TIME_OR_TRUTH.match(text.strip()) for text in texts):
            return name
    return None


_UNNAMED = ("", "Unnamed: 0")


def _no_history(table: Table, named: str, path: Path) -> DataError:
    """Return the error about a table whose rows are named by a column."""
    what = f"is a table with a row for each {repr(named) if named else 'name in its first column'}"
    measured = any(role_of_column(name) == "metric" for name in table.columns)
    if simple(named) in ROW_NAMES and not measured:
        what += ", and its other columns name no metric and count no steps"
        remedy = "call that column `run`, or add a column `step`"
    else:
        what += ", where no column counts steps"
        remedy = "call that column `run` or `model` (and others `seed`, `fold`), or add a column `step`"
        if simple(named) in (*RUN_NAMES, *ROW_NAMES):  # another reader was asked for, or not this file alone
            remedy = f"`exaid-evals export --run {shlex.quote(str(path))}` reads them"
    return DataError(what, where=str(path), remedy=remedy)


def csv_rows(path: Path, warnings: list[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file: column → number, text, or None for an empty cell.

    Raises:
        DataError: the file is not CSV.
    """
    table = csv_table(path, warnings)
    for at in range(table.n_rows):
        yield {name: column.at(at) for name, column in table.columns.items()}


def csv_table(path: Path, warnings: list[str]) -> Table:
    """Return the columns of a CSV file; a row of another width than the header is left out and reported.

    Raises:
        DataError: the file is not CSV.
    """
    opened = open_delimited(path)
    width = len(opened.columns)
    wrong: list[int] = []
    # Of duplicate columns the first counts.
    columns = {name: Column() for name in opened.columns}
    firsts = [opened.columns.index(name) for name in columns]
    separators = {name: Separators() for name in columns} if opened.delimiter == ";" else {}
    n_rows, spreads = 0, 0
    for block in opened.blocks():
        cells = _cells_by_column(opened, block, wrong)
        n_rows += len(cells[0]) if cells else 0
        for (name, column), at in zip(columns.items(), firsts, strict=True):
            if separators and cells:
                separators[name].see(cells[at], len(column.kinds))
            spreads += add_cells(column, cells[at] if cells else ())
    warnings += [f"{path.name}: {warning}" for warning in part_thousands(columns, separators)]
    if spreads:
        warnings.append(f"{path.name}: {spreads} cells hold a value and its spread, which is left out")
    if wrong:
        lines = ", ".join(map(str, wrong[:5]))
        warnings.append(f"{path.name}: {len(wrong)} rows are not {width} cells wide (lines {lines}); left out")
    warnings += [f"{path.name}: {warning}" for warning in opened.warnings]
    return Table(columns, n_rows, names=set(columns) if n_rows else set())


def _cells_by_column(opened: Delimited, block: Block, wrong: list[int]) -> list[Sequence[str]]:
    columns, width = opened.columns, len(opened.columns)
    if block.lines is not None:
        if not (columns[0] and any(line.lstrip("\"' \t").startswith(columns[0]) for line in block.lines)):
            with contextlib.suppress(DataError):  # rows of another width
                return opened.split(block)
        rows = [line.split(opened.delimiter) for line in block.lines]
    else:
        rows = block.rows or []
    kept = []
    for at, one in enumerate(rows):
        row = fitted(one, columns)
        if row is not None and len(row) == width and row != [""]:
            kept.append(row)
        elif row and row != [""]:
            wrong.append(block.line + at)
    return list(zip(*kept, strict=True))


_ROWS_AT_ONCE = 4096


class FollowedJsonl(FollowedRows):
    """JSON Lines that grow."""

    source = "jsonl"

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the object of a line."""
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.odd("lines that are not JSON objects")
            return None
        return value


class JsonlFormat(RowFile):
    """Reads JSON Lines, NaN and infinities as Python writes them included."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    line_follower = FollowedJsonl

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the objects; a line that is none is left out and reported."""
        return objects(path, warnings)


_SHAPES = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:\{\s*\"[^\"]*\"\s*:\s*(?:\[|(?:\{\s*\"[^\"]*\"\s*:\s*){1,3}[-\d\[])|\[\s*\{)"
)


class JsonFormat(RowFile):
    """Reads a list of rows, or a list of numbers for each name; pandas writes that as a mapping of row to number."""

    name = "json"
    suffixes = (".json",)

    def claims(self, place: Path) -> bool:
        """Recognise it by what is in the file: any tool writes JSON."""
        path = place if place.is_file() else self.file_in(place)
        return path is not None and suffix_of(path) == ".json" and self._fits(path)

    def measures(self, path: Path) -> bool:
        """Recognise it by the names."""
        return self._fits(path) and any(
            role_of_column(name) == "metric" for name in itertools.chain.from_iterable(self.rows(path, []))
        )

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the files that hold rows."""
        return {name: source for name, source in super().named(place).items() if self._fits(source.path)}

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows."""
        data = read_document(path, keep_nan=True, warnings=warnings)
        if isinstance(data, list):
            return mappings_of(data)
        if all(key.isdecimal() and isinstance(row, dict) for key, row in data.items()):
            return [{"epoch": int(key), **row} for key, row in data.items()]
        lists = lists_of(leaves(data) if any(map(holds_lists, data.values())) else data)
        if lists and all(map(of_pairs, lists.values())):
            return [{"step": step, name: value} for name, pairs in lists.items() for step, value in pairs]
        length = max(map(len, lists.values()), default=0)
        short = [name for name, one in lists.items() if len(one) < length]
        if short:
            warnings.append(
                f"{path.name}: {', '.join(short[:5])} hold fewer values than the others: taken as the first"
            )
        return [{name: one[at] for name, one in lists.items() if at < len(one)} for at in range(length)]

    @staticmethod
    def _fits(path: Path) -> bool:
        """Return whether there is a list of numbers, or of objects with numbers; of a large file by its beginning."""
        if not _SHAPES.match(head(path)):
            return False
        try:
            data = read_document(path)
        except DataError:
            return False
        if isinstance(data, dict) and any(map(holds_lists, data.values())):
            data = leaves(data)
        by_epoch = isinstance(data, dict) and all(key.isdecimal() for key in data)
        first = data[0] if isinstance(data, list) else next(iter((data if by_epoch else lists_of(data)).values()), ())
        values = first.values() if isinstance(first, dict) else first
        return (isinstance(first, list) and bool(first) and of_pairs(first)) or any(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        )


class ParquetFormat(RowFile):
    """Reads Parquet files a few thousand rows at a time; all of one again while it grows."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows.

        Raises:
            DataError: the file is damaged.
            MissingDependencyError: pyarrow is not installed, or cannot load.
        """
        arrow = optional("pyarrow", "pyarrow", "reading Parquet")
        parquet = optional("pyarrow.parquet", "pyarrow", "reading Parquet")
        try:
            with parquet.ParquetFile(path) as opened:
                for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                    yield from batch.to_pylist()
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            what = f"is not a Parquet file that can be read ({reason})"
            raise DataError(what, where=str(path), remedy="write or copy it again") from None

"""Histories in CSV: a row a step, a column a metric, as Keras' CSVLogger and Lightning write them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.runs.base import Source
from exaid_evals.runs.files.delimited import MISSING, Block, fitted, number, numbers, open_delimited
from exaid_evals.runs.following import FollowedRows
from exaid_evals.runs.history import Column
from exaid_evals.runs.history_files import HistoryFile
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import Row, Table, step_column


class CsvFormat(HistoryFile):
    """Reads CSV files with any usual delimiter, a BOM, decimal commas."""

    name = "csv"
    suffixes = (".csv", ".tsv")

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows; one with another number of cells than the header is left out and told of."""
        return csv_rows(path, warnings)

    def table(self, path: Path, warnings: list[str]) -> Table:
        """Return the columns, read a block of lines at a time."""
        return csv_table(path, warnings)

    def measures(self, path: Path) -> bool:
        """Tell by the header; the numbers of rows that pandas writes count as steps."""
        columns = open_delimited(path).columns
        counted = step_column(columns) is not None or columns[0] == ""
        return counted and any(role_of_column(name) == "metric" for name in columns)

    def may_become(self, place: Path) -> bool:
        """Tell by the suffix."""
        return place.suffix.lower() in self.suffixes

    def follow(self, source: Source) -> FollowedRows:
        """Read lines as they come."""
        return FollowedCsv(source.path)


class FollowedCsv(FollowedRows):
    """Delimited text that grows; a cell holds no line end, since half a row could not be told from a whole one."""

    source = "csv"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._columns: list[str] | None = None
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else ","

    def begun_again(self) -> None:
        """Forget the header."""
        self._columns = None

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the cells of a line by column; None for the header."""
        text = line.decode("utf-8-sig", "replace").rstrip("\r")
        if self._columns is None:
            if self._delimiter == "," and text.count(";") > text.count(","):
                self._delimiter = ";"
            self._columns = [cell.strip() for cell in self._cells(text)]
            return None
        cells = self._cells(text)
        if len(cells) != len(self._columns):
            self.odd("rows of another width than the header")
            return None
        # Of a column that is a duplicate the first is meant.
        return dict(reversed(list(zip(self._columns, cells, strict=True))))

    def _cells(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:
            return []


def csv_rows(path: Path, warnings: list[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file: column → number, text, or None for an empty cell.

    Raises:
        DataError: the file is not CSV.
    """
    table = csv_table(path, warnings)
    for at in range(table.n_rows):
        yield {name: column.at(at) for name, column in table.columns.items()}


def csv_table(path: Path, warnings: list[str]) -> Table:
    """Return the columns of a CSV file; a row of another width than the header is left out and told of.

    Raises:
        DataError: the file is not CSV.
    """
    opened = open_delimited(path)
    width = len(opened.columns)
    wrong: list[int] = []
    # Of a column that is a duplicate the first is meant.
    columns = {name: Column() for name in opened.columns}
    firsts = [opened.columns.index(name) for name in columns]
    n_rows = 0
    for block in opened.blocks():
        cells = _cells_by_column(block, opened.delimiter, opened.columns, wrong)
        n_rows += len(cells[0]) if cells else 0
        for column, at in zip(columns.values(), firsts, strict=True):
            _add(column, cells[at] if cells else ())
    if wrong:
        lines = ", ".join(map(str, wrong[:5]))
        warnings.append(f"{path.name}: {len(wrong)} rows are not {width} cells wide (lines {lines}); left out")
    warnings += [f"{path.name}: {warning}" for warning in opened.warnings]
    return Table(columns, n_rows, names=set(columns) if n_rows else set())


def _cells_by_column(block: Block, delimiter: str, columns: Sequence[str], wrong: list[int]) -> list[Sequence[str]]:
    width = len(columns)
    if block.lines is not None:
        lines = [line for line in block.lines if line]
        again = any(line.lstrip("\"' \t").startswith(columns[0]) for line in lines) and columns[0]
        if not again and set(map(str.count, lines, itertools.repeat(delimiter))) <= {width - 1}:
            flat = delimiter.join(lines).split(delimiter) if lines else []
            return [flat[at::width] for at in range(width)]
        rows = [line.split(delimiter) for line in block.lines]
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


def _add(column: Column, cells: Sequence[str]) -> None:
    """Append cells: at once where they are numbers as JSON has them, which most are."""
    if not any(cells):
        column.add_missing(len(cells))
        return
    try:
        if "" not in cells:
            column.add_numbers(numbers(cells))
            return
    except ValueError:
        pass
    for cell in cells:
        column.add(_cell(cell) if cell else None)


def _cell(text: str) -> float | str | None:
    """Return a cell: empty is missing, and so is what tools write in its place; a logged `nan` diverged, and stays."""
    if text.strip().lower() in MISSING:
        return None
    try:
        return number(text)
    except ValueError:
        return text

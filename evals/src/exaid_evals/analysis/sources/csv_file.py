"""Histories in CSV: a row a step, a column a metric, as Keras' CSVLogger and Lightning write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from exaid_evals.analysis.history import History
from exaid_evals.analysis.sources.rows import Row, history_of
from exaid_evals.analysis.sources.tabular import HistoryFiles, batch_rows, config_beside, history_files, pick
from exaid_evals.errors import DataError
from exaid_evals.export.readers.delimited import Delimited, number, open_delimited


class CsvSource(HistoryFiles):
    """Reads CSV files with any usual delimiter, a BOM, decimal commas."""

    name = "csv"
    suffixes = (".csv", ".tsv")

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run.

        A row with another number of cells than the header is left out and told of.

        Raises:
            DataError: there is no such run, or the file is no CSV.
        """
        name, path = pick(history_files(place, self.suffixes), place, run_name)
        warnings: list[str] = []
        opened = open_delimited(path)
        rows = list(_rows(opened, warnings))
        warnings += [f"{path.name}: {warning}" for warning in opened.warnings]
        if not rows:
            raise DataError("holds no step", where=str(path), remedy="name the file that the training wrote")
        batches = batch_rows(path.parent, warnings)
        history = history_of(name, self.name, rows, config=config_beside(path, warnings), warnings=warnings)
        return replace(history, batches=batches)


def _rows(opened: Delimited, warnings: list[str]) -> Iterator[Row]:
    width = len(opened.columns)
    wrong: list[int] = []
    for line, cells in opened.rows(strict=False):
        if len(cells) != width:
            wrong.append(line)
            continue
        # Of a column that stands twice the first is meant.
        yield {name: _cell(cell) for name, cell in reversed(list(zip(opened.columns, cells, strict=True)))}
    if wrong:
        lines = ", ".join(map(str, wrong[:5]))
        warnings.append(f"{opened.path.name}: {len(wrong)} rows are not {width} cells wide (lines {lines}); left out")


def _cell(text: str) -> float | str | None:
    """Return a cell: empty is missing; a logged `nan` is what diverged, and stays NaN."""
    if not text.strip():
        return None
    try:
        return number(text)
    except ValueError:
        return text

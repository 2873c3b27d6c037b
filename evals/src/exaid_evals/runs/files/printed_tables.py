"""Tables that programs print while they train: a header that counts steps, and rows of numbers below it.

spaCy, skorch, fastai and scikit-learn's `verbose` print such tables, as do scripts that use tabulate or Markdown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from exaid_evals.runs.files.delimited import number
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import STEP_NAMES, simple

_CELL = re.compile(
    r"[-+*]?|[\d:.]{1,40}|[-+]?(?:nan|inf|\d{1,40}(?:\.\d{0,40})?(?:e[-+]?\d{1,9})?|\.\d{1,40})[%s]?", re.I
)
"""A number, a time, a mark, or nothing."""
_BETWEEN = re.compile(r"[ ]{2,}|\t")
_CALLED = {"#": "step", "e": "epoch", "round": "step"}
"""What spaCy and federated trainings call the columns that count."""


@dataclass
class PrintedTable:
    """What was seen of a table until now.

    Attributes:
        columns: names, lines of whose width are its rows.
        counter: place of the column that counts the steps; None while no header was seen.
        step: what that column counts, as other lines call it.
    """

    columns: list[str] = field(default_factory=list)
    counter: int | None = None
    step: str = ""

    def row(self, line: str) -> tuple[dict[str, int], dict[str, float]] | None:
        """Take a line; return its step and its numbers where it is a row, and nothing where it is none."""
        cells = _cells(line)
        if self._is_row(cells):
            values = {name: found for name, cell in self._beside(cells) if (found := _number(cell)) is not None}
            return {self.step: int(cells[self.counter or 0])}, values
        counted = [_CALLED.get(name, name) for name in map(simple, cells)]
        counter = next((counted.index(name) for name in STEP_NAMES if name in counted), None)
        if len(cells) > 2 and any(role_of_column(name) == "metric" for name in cells):
            # Without a counter it is the header of another table, whose rows are none of this one.
            self.columns, self.counter = cells, counter
            self.step = "epoch" if counter is not None and counted[counter].startswith("epoch") else "step"
        return None

    def _is_row(self, cells: list[str]) -> bool:
        counted = self.counter is not None and len(cells) == len(self.columns) and cells[self.counter].isdecimal()
        return counted and all(map(_CELL.fullmatch, cells))

    def _beside(self, cells: list[str]) -> list[tuple[str, str]]:
        """Return column → cell, of the columns that count nothing."""
        named = zip(self.columns, cells, strict=True)
        return [(name, cell) for name, cell in named if _CALLED.get(simple(name), simple(name)) not in STEP_NAMES]


def _cells(line: str) -> list[str]:
    if "|" in line:
        return [cell.strip() for cell in line.strip().strip("|").split("|")]
    parts = [cell for cell in _BETWEEN.split(line.strip()) if cell]
    return parts if len(parts) > 1 else line.split()


def _number(cell: str) -> float | None:
    try:
        return number(cell)
    except ValueError:
        return None

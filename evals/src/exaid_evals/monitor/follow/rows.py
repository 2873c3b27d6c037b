"""Lines of JSON or CSV as rows of a history, in the order in which they were written."""

from __future__ import annotations

import csv
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.analysis.sources.rows import STEP_NAMES, history_of
from exaid_evals.monitor.follow.base import Row, merged
from exaid_evals.monitor.follow.lines import GrowingFile


class FollowedRows(ABC):
    """Base of files with a row a line."""

    source = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = GrowingFile(path)
        self._restarts = 0
        self._step_name: str | None = None
        self._n_rows = 0
        self._last_step: Any = None
        self._odd: Counter[str] = Counter()
        self._told: Counter[str] = Counter()

    @abstractmethod
    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return a line as a row; None where it is none, after counting it with `odd`."""

    def begun_again(self) -> None:  # noqa: B027 - most formats keep nothing between lines
        """Forget what the file said before it was replaced."""

    def odd(self, what: str) -> None:
        """Count a line that is left out."""
        self._odd[what] += 1

    @property
    def warnings(self) -> Sequence[str]:
        """What was left out, with counts."""
        told = [f"{self._path.name}: {count} {what}; left out" for what, count in sorted(self._odd.items())]
        told += [f"{self._path.name}: {warning} ({count} times)" for warning, count in sorted(self._told.items())]
        if self._restarts:
            told.append(f"{self._path.name}: was cut or replaced {self._restarts} times, and read from its beginning")
        return told

    def poll(self) -> Sequence[Row]:
        """Return the steps that have come; none only where nothing more is written."""
        while True:
            rows = self._rows(self._file.lines())
            if rows or self._file.drained:
                return rows

    def finish(self) -> Sequence[Row]:
        """Return the step of a last line without an end."""
        rest = self._file.rest()
        self._file.close()
        return self._rows([rest]) if rest.strip() else []

    def _rows(self, lines: Iterable[bytes]) -> list[Row]:
        """Return rows in the order of the file: steps that begin anew are not sorted into the others.

        Each line is read for itself, so that nothing depends on how many of them come at once.
        """
        rows: list[Row] = []
        for line in lines:
            if self._file.restarts != self._restarts:
                self._restarts = self._file.restarts
                self._step_name, self._n_rows, self._last_step = None, 0, None
                self.begun_again()
            if not line.strip():
                continue
            row = self.parsed(line)
            if row is None:
                continue
            if "batch_idx" in row and isinstance(row.get("metrics"), Mapping):
                self.odd("rows of single batches")
                continue
            for one in self._read(self._stepped(row)):
                if rows and rows[-1].step == one.step and not rows[-1].metrics.keys() & one.metrics.keys():
                    rows[-1] = Row(one.step, {**rows[-1].metrics, **one.metrics})  # training and validation of a step
                else:
                    rows.append(one)
        return rows

    def _read(self, row: Mapping[str, Any]) -> list[Row]:
        # An empty cell is not a value that is no number: nothing was logged.
        history = history_of(
            self._path.stem, self.source, [{key: it for key, it in row.items() if it not in (None, "")}]
        )
        # The reader speaks of the one row that it was given.
        self._told.update(
            one.replace("no value is a number; it is", "values that are no number are") for one in history.warnings
        )
        return merged(history.series, {})

    def _stepped(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row whose step stands under `step`; rows of a file without such a column are counted.

        The finest column that has come so far counts the steps, as in the analysis. A row that has but a coarser one
        belongs to the last step.
        """
        names = [name for name in STEP_NAMES if name in row]
        if names and (self._step_name is None or STEP_NAMES.index(names[0]) < STEP_NAMES.index(self._step_name)):
            self._step_name = names[0]
        name, number = self._step_name, self._n_rows
        self._n_rows += 1
        if name is None:
            step: Any = number
        elif name in row or not names:
            step = row.get(name)
        else:
            step = self._last_step
        if name is not None and name in row:
            self._last_step = row[name]
        others = {key: value for key, value in row.items() if key not in (name, "step")}
        return {**others, "step": step}


class FollowedJsonl(FollowedRows):
    """JSON Lines."""

    source = "jsonl"

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the object of a line."""
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.odd("lines that are no JSON object")
            return None
        return value


class FollowedCsv(FollowedRows):
    """Delimited text with a header; a cell holds no line end, since half a row could not be told from a whole one."""

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
        # Of a column that stands twice the first is meant.
        return dict(reversed(list(zip(self._columns, cells, strict=True))))

    def _cells(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:
            return []

"""Lines of JSON or CSV as rows of a history, with one column of steps from the beginning to the end."""

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
    """Base of files with a row a line. The first row that has one says which column counts the steps."""

    source = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = GrowingFile(path)
        self._restarts = 0
        self._step_name: str | None = None
        self._n_rows = 0
        self._odd: Counter[str] = Counter()
        self._told: dict[str, None] = {}  # of the rows' readers; a dictionary keeps the order

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
        told += [f"{self._path.name}: {warning}" for warning in self._told]
        if self._restarts:
            told.append(f"{self._path.name}: was cut or replaced {self._restarts} times, and read from its beginning")
        return told

    def poll(self) -> Sequence[Row]:
        """Return the steps that have come."""
        return self._rows(self._file.lines())

    def finish(self) -> Sequence[Row]:
        """Return the step of a last line without an end."""
        rest = self._file.rest()
        return self._rows([rest]) if rest.strip() else []

    def _rows(self, lines: Iterable[bytes]) -> list[Row]:
        rows = []
        for line in lines:
            if self._file.restarts != self._restarts:
                self._restarts = self._file.restarts
                self._step_name, self._n_rows = None, 0
                self.begun_again()
            if not line.strip():
                continue
            row = self.parsed(line)
            if row is None:
                continue
            if "batch_idx" in row and isinstance(row.get("metrics"), Mapping):
                self.odd("rows of single batches")
                continue
            rows.append(self._stepped(row))
        history = history_of(self._path.stem, self.source, rows)
        self._told.update(dict.fromkeys(history.warnings))
        return merged(history.series, {})

    def _stepped(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row whose step stands under `step`; rows of a file without such a column are counted."""
        if self._step_name is None:
            self._step_name = next((name for name in STEP_NAMES if name in row), None)
        number = self._n_rows
        self._n_rows += 1
        name = self._step_name
        others = {key: value for key, value in row.items() if key not in (name, "step")}
        return {**others, "step": row.get(name) if name is not None else number}


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

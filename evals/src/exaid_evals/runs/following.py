"""Following a history that another process writes: it is asked again and again for what it has gained.

Files with a row a line are read as they grow; stores that are not lines are read whole again, for what is new in them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Follower, Format, Row, Source
from exaid_evals.runs.files.growing import GrowingFile
from exaid_evals.runs.history import Series
from exaid_evals.runs.rows import STEP_NAMES, history_of

__all__ = ["FollowedRows", "FollowedStore", "Follower", "Row", "merged"]

_MOST_FAILURES = 30
"""Looks in a row that may find a store which is just being written; a file of Parquet has its index at its end."""


def merged(series: Mapping[str, Series], seen: dict[str, int]) -> list[Row]:
    """Return the points beyond those that were seen, by step; of a step that comes twice, two rows.

    Args:
        series: metric → its points so far.
        seen: metric → points that were returned before; is brought up to date.
    """
    rows: dict[tuple[float, int], dict[str, float | str | None]] = {}
    for metric, one in series.items():
        at = min(seen.get(metric, 0), len(one.points))
        times: dict[float, int] = {}
        for point in one.points[at:]:
            again = times.get(point.step, 0)
            times[point.step] = again + 1
            rows.setdefault((point.step, again), {})[metric] = point.value
        seen[metric] = len(one.points)
    return [Row(step, rows[step, again]) for step, again in sorted(rows)]


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
        # An empty cell is not a value that is not a number: nothing was logged.
        history = history_of(
            self._path.stem, self.source, [{key: it for key, it in row.items() if it not in (None, "")}]
        )
        # The reader speaks of the one row that it was given.
        self._told.update(
            one.replace("no value is a number; it is", "values that are not numbers are") for one in history.warnings
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


class FollowedStore:
    """Reads a run by its format, and returns the points that were not there before.

    A store that could be read once is given time to be whole again. One that holds less than it did is another, and is
    read from its beginning.
    """

    def __init__(self, form: Format, source: Source) -> None:
        self._format, self._source = form, source
        self._seen: dict[str, int] = {}
        self._warnings: tuple[str, ...] = ()
        self._failures = self._restarts = 0

    @property
    def warnings(self) -> Sequence[str]:
        """Of the format, when it was read last, and what became of the store."""
        told = list(self._warnings)
        if self._restarts:
            told.append(f"{self._source.path.name}: was replaced {self._restarts} times, and read from its beginning")
        if self._failures:
            told.append(f"{self._source.path.name}: could not be read the last {self._failures} times")
        return told

    def poll(self) -> Sequence[Row]:
        """Read it again.

        Raises:
            DataError: it cannot be read, and could not be the first time, or for many times.
        """
        try:
            history = self._format.history(self._source, self._source.path.name)
        except DataError:
            self._failures += 1
            if not self._seen or self._failures >= _MOST_FAILURES:
                raise
            return []
        self._failures = 0
        if any(name not in history.series or len(history.series[name].points) < n for name, n in self._seen.items()):
            self._seen.clear()
            self._restarts += 1
        self._warnings = history.warnings
        return merged(history.series, self._seen)

    def finish(self) -> Sequence[Row]:
        """Return nothing: a store holds no half steps."""
        return []

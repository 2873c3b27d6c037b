"""Stores that are no lines (TensorBoard, MLflow, W&B, Parquet): read whole again, for what is new in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exaid_evals.analysis.sources.base import Source
from exaid_evals.errors import DataError
from exaid_evals.monitor.follow.base import Row, merged

_MOST_FAILURES = 30
"""Looks in a row that may find a store which is just being written; a file of Parquet has its index at its end."""


class FollowedStore:
    """Reads a run by its source, and returns the points that were not there before.

    A store that could be read once is given time to be whole again. One that holds less than it did is another, and is
    read from its beginning.
    """

    def __init__(self, source: Source, place: Path, run_name: str | None) -> None:
        self._source, self._place, self._run_name = source, place, run_name
        self._seen: dict[str, int] = {}
        self._warnings: tuple[str, ...] = ()
        self._failures = self._restarts = 0

    @property
    def warnings(self) -> Sequence[str]:
        """Of the source, when it was read last, and what became of the store."""
        told = list(self._warnings)
        if self._restarts:
            told.append(f"{self._place.name}: was replaced {self._restarts} times, and read from its beginning")
        if self._failures:
            told.append(f"{self._place.name}: could not be read the last {self._failures} times")
        return told

    def poll(self) -> Sequence[Row]:
        """Read it again.

        Raises:
            DataError: it cannot be read, and could not be the first time, or for many times.
        """
        try:
            history = self._source.read(self._place, self._run_name)
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

"""Stores that are no lines (TensorBoard, MLflow, W&B, Parquet): read whole again, for what is new in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exaid_evals.analysis.sources.base import Source
from exaid_evals.monitor.follow.base import Row, merged


class FollowedStore:
    """Reads a run by its source, and returns the points that were not there before."""

    def __init__(self, source: Source, place: Path, run_name: str | None) -> None:
        self._source, self._place, self._run_name = source, place, run_name
        self._seen: dict[str, int] = {}
        self._warnings: tuple[str, ...] = ()

    @property
    def warnings(self) -> Sequence[str]:
        """Of the source, when it was read last."""
        return self._warnings

    def poll(self) -> Sequence[Row]:
        """Read it again."""
        history = self._source.read(self._place, self._run_name)
        self._warnings = history.warnings
        return merged(history.series, self._seen)

    def finish(self) -> Sequence[Row]:
        """Return nothing: a store holds no half steps."""
        return []

"""All metrics of a training, each with those who watch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.monitor.detectors.registry import Watch, watch
from exaid_evals.monitor.detectors.support import weighed
from exaid_evals.monitor.settings import AnomalyDetectionConfig

MOST_METRICS = 10_000
"""Each takes some ten kilobytes. Names that hold a step or an item never end."""


class Watches:
    """Begins to watch a metric with its first value."""

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._config = config
        self._chosen = frozenset(config.metrics or ())
        self._watches: dict[str, Watch | None] = {}

    def update(self, step: float, row: Mapping[str, float], problem: Callable[[str], None]) -> list[Anomaly]:
        """Take the values of a step, and return what they make certain.

        Args:
            step: of the training.
            row: metric → value, finite or not.
            problem: is told of metrics that are not watched since there are too many.
        """
        found: list[Anomaly] = []
        looked: list[tuple[Watch, float]] = []
        watches = self._watches
        for name, value in row.items():
            if name in watches:
                one = watches[name]
            elif len(watches) >= MOST_METRICS:
                problem(f"metrics beyond {MOST_METRICS} are not watched")
                continue
            else:
                wanted = not self._chosen or name in self._chosen
                one = watches[name] = watch(name, self._config) if wanted else None
            if one is not None:
                found += one.look(step, value)
                looked.append((one, value))
        if found:
            beside = [(one.stream, one.stream.sign * value) for one, value in looked if isfinite(value)]
            found = [weighed(one, beside) for one in found]
        for one, value in looked:  # last, since what stands beside a drop is held against what was before it too
            one.take(step, value)
        return found

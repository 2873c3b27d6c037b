"""The validation metric gets worse while the training metric goes on improving."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.analysis.anomalies.robust import difference_sigma, worsening
from exaid_evals.analysis.directions import Direction
from exaid_evals.analysis.history import History, Series
from exaid_evals.analysis.settings import OverfittingSettings

_VALIDATION = re.compile(r"(?<![a-z])(validation|valid|val|eval|test|dev)(?![a-z])", re.IGNORECASE)
_TRAINING = re.compile(r"(?<![a-z])(training|train)(?![a-z])", re.IGNORECASE)


def is_validation(metric: str) -> bool:
    """Tell whether a metric's name says that it was taken on data that the model does not learn from."""
    return _VALIDATION.search(metric.replace("_", " ")) is not None


def is_training(metric: str) -> bool:
    """Tell whether a metric's name says that it was taken on the training data."""
    return _TRAINING.search(metric.replace("_", " ")) is not None


def counterpart(metric: str, known: Mapping[str, Series]) -> str | None:
    """Return the training metric that stands beside a validation metric: `val/loss` → `train/loss`, or `loss`."""
    for name in ("train", "training"):
        written = _VALIDATION.sub(name, metric.replace("_", " "))
        for candidate in known:
            if candidate.replace("_", " ").lower() == written.lower():
                return candidate
    bare = _VALIDATION.sub("", metric.replace("_", " ")).strip(" /.-").lower()
    return next((candidate for candidate in known if candidate.replace("_", " ").lower() == bare), None)


class OverfittingGap:
    """Compares the ends of a pair of metrics with the best point of the validation metric.

    It is overfitting where the validation metric has lost `min_rise` of its best, slowly (the medians of the thirds
    since the best get worse one after the other), and the training metric has improved since.
    """

    name = "overfitting_gap"

    def __init__(self, settings: OverfittingSettings | None = None) -> None:
        self._settings = settings or OverfittingSettings()

    def find_in(self, history: History, directions: Mapping[str, Direction]) -> Sequence[Anomaly]:
        """Return a gap for each pair that has one."""
        found = []
        for metric, series in history.series.items():
            beside = counterpart(metric, history.series) if is_validation(metric) else None
            direction = directions.get(metric)
            if beside is not None and beside != metric and direction is not None:
                found += self._pair(series, history.series[beside], direction)
        return sorted(found, key=lambda anomaly: anomaly.step)

    def _pair(self, validation: Series, training: Series, direction: Direction) -> list[Anomaly]:
        import numpy as np

        steps, values = validation.clean.steps, worsening(validation.clean.values, direction)
        if len(values) < self._settings.min_points or len(training.clean) < self._settings.min_points:
            return []
        best = int(np.argmin(values))
        since = values[best:]
        if len(since) < self._settings.min_points // 2:
            return []
        thirds = [float(np.median(part)) for part in np.array_split(since, 3)]
        lost = thirds[2] - float(values[best])
        relative = lost / max(abs(float(values[best])), 1e-12)
        if relative < self._settings.min_rise or not thirds[0] < thirds[1] < thirds[2]:
            return []
        # A step down is a drop and no overfitting: half of the loss must not fall on one point.
        if float(np.diff(since).max()) > 0.5 * lost + 2 * difference_sigma(values):
            return []
        own = worsening(training.clean.values, direction)
        at_best = own[training.clean.steps <= steps[best]][-5:]
        gained = float(np.median(at_best)) - float(np.median(own[-5:])) if len(at_best) else 0.0
        if gained <= 0:
            return []
        sign = 1.0 if direction == "lower" else -1.0
        return [
            Anomaly(
                validation.metric,
                "overfitting_gap",
                float(steps[best]),
                sign * lost,
                by_relative_size(relative),
                self.name,
                {
                    "best": sign * float(values[best]),
                    "end": sign * thirds[2],
                    "training_metric": training.metric,
                    "training_gained_since": gained,
                },
                end_step=float(steps[-1]),
            )
        ]

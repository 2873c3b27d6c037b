"""The validation metric gets worse while the training metric goes on improving."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.analysis.anomalies.robust import difference_sigma, worsening
from exaid_evals.analysis.settings import OverfittingSettings
from exaid_evals.runs.history import History, Series
from exaid_evals.runs.metric_names import Direction, counterpart, is_validation


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

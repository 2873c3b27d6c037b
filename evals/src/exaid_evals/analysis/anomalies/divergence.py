"""A metric that ends far worse than its best."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.analysis.anomalies.robust import difference_sigma, worsening
from exaid_evals.analysis.settings import DivergenceSettings
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction


class Divergence:
    """Compares the last points with the best stretch of as many.

    For a metric that improves downwards and is positive (a loss), the end must be `factor` times the best; for others,
    the end must have lost as large a part of what was gained since the start: 1 − 1/`factor`.
    """

    name = "divergence"

    def __init__(self, settings: DivergenceSettings | None = None) -> None:
        self._settings = settings or DivergenceSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the divergence, from the best stretch to the end, if there is one."""
        import numpy as np

        steps, values = series.clean.steps, series.clean.values
        window = self._settings.window
        if direction is None or len(values) < 3 * window:
            return []
        worse = worsening(values, direction)
        smooth = np.median(np.lib.stride_tricks.sliding_window_view(worse, window), axis=1)
        best_at = int(np.argmin(smooth))
        best, end, start = float(smooth[best_at]), float(smooth[-1]), float(smooth[0])
        lost = end - best
        if lost <= 5 * difference_sigma(worse):
            return []
        factor = self._settings.factor
        diverged = end >= factor * best if best > 0 else lost >= (1 - 1 / factor) * max(start - best, 1e-12)
        if not diverged:
            return []
        sign = 1.0 if direction == "lower" else -1.0
        return [
            Anomaly(
                series.metric,
                "divergence",
                float(steps[best_at + window - 1]),
                sign * lost,
                "critical" if direction == "lower" else by_relative_size(lost / max(abs(best), 1e-12)),
                self.name,
                {"best": sign * best, "end": sign * end, "factor": factor},
                end_step=float(steps[-1]),
            )
        ]

"""A metric that stops improving long before the end."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.analysis.anomalies.robust import difference_sigma, worsening
from exaid_evals.analysis.settings import PlateauSettings
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction


class Plateau:
    """Holds the improvement over the last part of a run against what it gained before.

    The slope of the last part is Theil and Sen's (the median of all slopes between two points), which neither outliers
    nor a single drop moves. It is not a plateau where the slope's 95 % interval still allows for the tolerated gain.
    """

    name = "plateau"

    def __init__(self, settings: PlateauSettings | None = None) -> None:
        self._settings = settings or PlateauSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the plateau at the end, if there is one."""
        import numpy as np
        from scipy.stats import theilslopes

        steps, values = series.clean.steps, series.clean.values
        n_last = int(len(values) * self._settings.share)
        if direction is None or n_last < self._settings.min_points:
            return []
        worse = worsening(values, direction)
        early = float(np.median(worse[: max(3, len(worse) // 20)]))
        # Of a long series some hundred points say as much about a slope, and pairs grow with the square.
        chosen = np.unique(np.linspace(len(values) - n_last, len(values) - 1, min(n_last, 300)).astype(int))
        last = worse[chosen]
        gained = early - float(np.median(last))
        if gained <= 3 * difference_sigma(worse):
            return []  # it never improved: that is not a plateau after a rise, and other detectors look at falls
        slope, _, low, _ = theilslopes(last, steps[chosen])
        span = float(steps[-1] - steps[chosen[0]])
        if -low * span > 5 * self._settings.tolerance * gained or -slope * span > self._settings.tolerance * gained:
            return []
        return [
            Anomaly(
                series.metric,
                "plateau",
                float(steps[chosen[0]]),
                0.0,
                "low",
                self.name,
                {
                    "gained_before": gained,
                    "gained_since": -float(slope) * span,
                    "tolerance": self._settings.tolerance * gained,
                },
                end_step=float(steps[-1]),
            )
        ]

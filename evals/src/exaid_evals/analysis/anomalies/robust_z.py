"""Single points far from their neighbours."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.anomalies.base import Anomaly, Severity
from exaid_evals.analysis.anomalies.robust import difference_sigma, rolling_around
from exaid_evals.analysis.settings import RobustZSettings
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction


class RobustZ:
    """Scores each point by (value − median) / (1.4826 · MAD) of the window around it (Iglewicz and Hoaglin, 1993).

    The noise is never taken to be less than that of the differences of the whole series, so that a quiet stretch does
    not make outliers of ordinary points.
    """

    name = "robust_z"

    def __init__(self, settings: RobustZSettings | None = None) -> None:
        self._settings = settings or RobustZSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the outliers, good ones too where no direction is known; else only those that are worse."""
        import numpy as np

        steps, values = series.clean.steps, series.clean.values
        if len(values) < 5:
            return []
        median, spread = rolling_around(values, self._settings.window)
        sigma = np.maximum(spread, difference_sigma(values))
        scores = np.where(sigma > 0, (values - median) / np.where(sigma > 0, sigma, 1.0), 0.0)
        bad = {"higher": scores < 0, "lower": scores > 0, None: scores != 0}[direction]
        hits = np.flatnonzero((np.abs(scores) >= self._settings.threshold) & bad)
        # A training begins badly: the first points of a metric that improves stand far off by nature;
        # so do the warm-up of a rate and the filling of a memory.
        hits = hits[hits >= max(3, len(values) // 10)]
        return [
            Anomaly(
                series.metric,
                "outlier",
                float(steps[at]),
                float(values[at] - median[at]),
                _severity(abs(float(scores[at])), self._settings.threshold) if direction is not None else "low",
                self.name,
                {
                    "value": float(values[at]),
                    "median": float(median[at]),
                    "z": float(scores[at]),
                    "threshold": self._settings.threshold,
                },
            )
            for at in map(int, hits)
        ]


def _severity(score: float, threshold: float) -> Severity:
    """A single point harms little by itself: from twice the threshold it is medium, from four times high."""
    return "high" if score >= 4 * threshold else "medium" if score >= 2 * threshold else "low"

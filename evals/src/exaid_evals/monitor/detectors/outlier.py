"""A single value far from those before it."""

from __future__ import annotations

from exaid_evals.analysis.anomalies.base import Anomaly, Severity
from exaid_evals.analysis.anomalies.robust import MAD_TO_SIGMA
from exaid_evals.monitor.detectors.stream import Stream
from exaid_evals.monitor.settings import AnomalyDetectionConfig


class Outlier:
    """Scores each value by (value − median) / σ of the window before it (Iglewicz and Hoaglin, 1993).

    σ is the larger of 1.4826 · MAD of the window and the noise of differences. What is constant and has no direction
    has no outliers: a schedule moves in steps. Of a metric whose direction is known only what is worse counts.
    """

    name = "outlier"

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._threshold = config.outlier_threshold

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the next value."""
        around = stream.around
        if not around.full:
            return None
        median = around.median
        distance = worse - median
        if distance < 0 and stream.direction is not None:
            return None
        # The spread of the window costs more than all the rest, and can only make a score smaller.
        noise = stream.noise
        if abs(distance) < self._threshold * noise:
            return None
        spread = around.deviation(median)
        if spread == 0 and stream.direction is None:
            return None
        sigma = max(noise, MAD_TO_SIGMA * spread)
        if sigma == 0 or abs(distance) < self._threshold * sigma:
            return None
        score, sign = distance / sigma, stream.sign
        severity = _severity(score, self._threshold) if stream.direction is not None else "low"
        evidence = {"value": sign * worse, "median": sign * median, "z": sign * score, "threshold": self._threshold}
        return Anomaly(stream.metric, "outlier", step, sign * distance, severity, self.name, evidence)


def _severity(score: float, threshold: float) -> Severity:
    """A single value harms little by itself: from twice the threshold it is medium, from four times high."""
    return "high" if score >= 4 * threshold else "medium" if score >= 2 * threshold else "low"

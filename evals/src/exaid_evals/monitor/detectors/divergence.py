"""A metric that has become far worse than its best."""

from __future__ import annotations

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.monitor.detectors.stream import Stream
from exaid_evals.monitor.settings import AnomalyDetectionConfig

_LEAST_SHARE = 0.1
"""Of what a loss has gained, below which it has not diverged: from 2 to 0.01 and back to 0.03 is noise of the fit."""


class Divergence:
    """Compares the median of the last five values with the best such median.

    For a metric that improves downwards and is positive (a loss), the last must be `divergence_factor` times the best,
    and have lost a tenth of what was gained since the start; others must have lost 1 − 1/factor of what was gained.
    What was lost must stand five times above the noise. It is told of again only after half of it was made up.
    """

    name = "divergence"

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._factor = config.divergence_factor
        self._ends_at: float | None = None

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the values so far, and the next one's step."""
        if stream.direction is None or stream.best is None:
            return None
        now, best = stream.short.median, stream.best
        if self._ends_at is not None:
            if now <= self._ends_at:
                self._ends_at = None
            return None
        lost = now - best
        if lost <= 0:
            return None
        if stream.direction == "lower" and best > 0:
            needed = max((self._factor - 1) * best, _LEAST_SHARE * stream.gained)
        elif stream.gained > 0:
            needed = (1 - 1 / self._factor) * stream.gained
        else:
            return None
        noise = stream.noise
        if lost < needed or lost < 5 * noise:
            return None
        self._ends_at = best + lost / 2
        scale = abs(best) or 1.0
        sign = stream.sign
        severity = by_relative_size(lost / scale, lost / noise if noise > 0 else None)
        evidence = {"best": sign * best, "now": sign * now, "needed": needed}
        return Anomaly(stream.metric, "divergence", stream.last_step, sign * lost, severity, self.name, evidence)

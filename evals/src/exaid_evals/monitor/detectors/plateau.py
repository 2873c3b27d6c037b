"""A metric that has stopped improving."""

from __future__ import annotations

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.monitor.detectors.stream import Stream
from exaid_evals.monitor.settings import AnomalyDetectionConfig


class Plateau:
    """Waits for the median of the last five values to improve by a share of all that was gained.

    `plateau_patience` values without that are a plateau, and each further `plateau_patience` values another one. A
    metric that never improved by more than its noise is on none: that is what other detectors look at.
    """

    name = "plateau"

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._patience = config.plateau_patience
        self._tolerance = config.plateau_tolerance
        self._reference: float | None = None
        self._since = 0
        self._began = 0.0

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the best so far."""
        best = stream.best
        if stream.direction is None or best is None:
            return None
        gained = stream.gained
        if self._reference is None or self._reference - best > self._tolerance * gained:
            self._reference, self._since, self._began = best, 0, step
            return None
        self._since += 1
        if self._since % self._patience or gained <= 3 * stream.noise:
            return None
        evidence = {"values": self._since, "best": stream.sign * best, "gained_before": gained}
        return Anomaly(stream.metric, "plateau", self._began, 0.0, "low", self.name, evidence, end_step=step)

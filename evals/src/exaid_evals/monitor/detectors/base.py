"""What a detector is: it is asked about each value of one metric, and says whether that is an anomaly."""

from __future__ import annotations

from typing import Protocol

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.monitor.detectors.stream import Stream


class StreamDetector(Protocol):
    """Watches one metric for one kind of anomaly; each metric has detectors of its own."""

    name: str

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the next value, and return the anomaly that it makes certain.

        Args:
            stream: what came before the value.
            step: of the value.
            worse: the value, or its negative where the metric improves upwards; finite, except for the detector of
                what is not.
        """

"""NaN and infinities as they come."""

from __future__ import annotations

import math

from exaid_evals.analysis.anomalies.base import Anomaly, Severity
from exaid_evals.monitor.detectors.stream import Stream


class NotFinite:
    """Tells of the first value, of the third in a row, which is critical, and then each time of twice as many."""

    name = "not_finite"

    def __init__(self) -> None:
        self._in_a_row = 0
        self._next = 1

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at a value of any kind; a finite one ends a row."""
        if math.isfinite(worse):
            self._in_a_row, self._next = 0, 1
            return None
        self._in_a_row += 1
        if self._in_a_row < self._next:
            return None
        self._next = 3 if self._in_a_row == 1 else 2 * self._in_a_row
        kind = "nan" if math.isnan(worse) else "infinite"
        severity: Severity = "critical" if self._in_a_row >= 3 else "high"
        evidence = {"value": kind, "in_a_row": self._in_a_row}
        return Anomaly(stream.metric, "not_finite", step, None, severity, self.name, evidence)

"""NaN and infinities among the values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.runs.history import Point, Series
from exaid_evals.runs.metric_names import Direction


class NotFinite:
    """Finds stretches of NaN or infinity; what was not logged at all is not an anomaly but a gap."""

    name = "not_finite"

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return a stretch each, of consecutive points; one that lasts to the end, or is long, is critical."""
        found: list[Anomaly] = []
        stretch: list[Point] = []
        for point in (*series.points, None):
            undefined = point is not None and isinstance(point.value, float) and not point.finite
            if point is not None and undefined:
                stretch.append(point)
            elif stretch:
                found.append(self._anomaly(series, stretch, lasting=point is None))
                stretch = []
        return sorted(found, key=lambda anomaly: anomaly.step)

    def _anomaly(self, series: Series, stretch: list[Point], *, lasting: bool) -> Anomaly:
        n_nan = sum(math.isnan(point.value) for point in stretch if isinstance(point.value, float))
        long = len(stretch) >= 3
        return Anomaly(
            series.metric,
            "not_finite",
            stretch[0].step,
            None,
            "critical" if lasting or long else "high",
            self.name,
            {"n_nan": n_nan, "n_infinite": len(stretch) - n_nan, "to_the_end": lasting},
            end_step=stretch[-1].step if len(stretch) > 1 else None,
        )

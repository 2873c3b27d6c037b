"""Whether an anomaly that could not be answered at once is still there."""

from __future__ import annotations

import math
from collections.abc import Mapping

from exaid_evals.anomalies.base import Anomaly


def is_over(one: Anomaly, latest: Mapping[str, float]) -> bool:
    """Tell whether the metric has come back half of the way, or is finite again.

    Args:
        one: a drop, a divergence, or a value that was not finite.
        latest: metric → its latest value.
    """
    value = latest.get(one.metric)
    if value is None or not math.isfinite(value):
        return False
    if one.kind == "not_finite":
        return True
    good = one.evidence.get("before", one.evidence.get("best"))
    bad = one.evidence.get("after", one.evidence.get("now"))
    if good is None or bad is None:
        return True
    return abs(value - float(good)) < abs(value - float(bad))

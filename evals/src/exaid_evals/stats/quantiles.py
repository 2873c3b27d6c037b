"""Quantiles of a few numbers, without NumPy: what loads measures alone stays quick."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], q: float) -> float | None:
    """Return a quantile by linear interpolation between order statistics (NumPy's and R's default, type 7).

    Args:
        values: in any order.
        q: between 0 and 1.

    Returns:
        The quantile; None where there are no values.

    >>> quantile([10, 30, 20], 0.5), quantile([10, 20], 0.95), quantile([], 0.5)
    (20.0, 19.5, None)
    """
    if not values:
        return None
    ordered = sorted(values)
    position = (len(ordered) - 1) * q
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)

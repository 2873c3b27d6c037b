"""Intervals of proportions."""

from __future__ import annotations

import math
from statistics import NormalDist


def wilson_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float] | None:
    """Return Wilson's score interval of a proportion; None of no trial.

    Unlike the bootstrap's percentiles it does not collapse where all trials or none succeed.

    Args:
        successes: of n independent trials, 0 … n.
        n: number of trials.
        level: of confidence, between 0 and 1.

    Source: E. B. Wilson, *Probable Inference, the Law of Succession, and Statistical Inference* (1927).
    """
    if not n:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    return low, 1.0 if successes == n else min(1.0, centre + half)

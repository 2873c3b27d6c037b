"""Intervals of proportions, and the comparison of two that are of the same items."""

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


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p of McNemar's test: whether two classifiers err equally often on the same items.

    Args:
        only_first: items that only the first has right.
        only_second: items that only the second has right.

    Under the null hypothesis each item on which the two part is as likely the one's as the other's: twice the
    binomial tail at 1/2, at most 1.

    Source: Q. McNemar, *Note on the Sampling Error of the Difference Between Correlated Proportions* (1947).
    """
    from scipy.stats import binomtest

    n = only_first + only_second
    return float(binomtest(only_first, n, 0.5).pvalue) if n else 1.0

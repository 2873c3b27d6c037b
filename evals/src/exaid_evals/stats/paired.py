"""Paired differences: the signed-rank test, its effect size, and the difference that a sample could have shown."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEW = 13
"""Differences up to which SciPy's `method="auto"` goes through all changes of sign where there are ties or zeros."""


def wilcoxon_p(differences: Floats) -> float | None:
    """Return the two-sided p of the Wilcoxon signed-rank test, as `scipy.stats.wilcoxon` with its defaults gives it.

    `zero_method="wilcox"`: zeros are dropped before ranking. `method="auto"`: exact for at most 50 differences
    without ties and zeros; with ties or zeros, exact over all changes of sign for at most 13 differences, and beyond
    that the normal approximation with its correction for ties, without one for continuity.

    Differences that should be equal must be equal to the last bit, or ties are missed: round them, or give integers.

    Args:
        differences: shape (n,), all defined.

    Returns:
        The p; None where no difference is other than zero, for nothing is left to rank.

    >>> wilcoxon_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])), wilcoxon_p(np.array([1.0, 1.0, 2.0, 0.0]))
    (0.0625, 0.25)
    """
    if not np.any(differences):
        return None
    if len(differences) <= _FEW and len(np.unique(np.abs(differences[differences != 0]))) < len(differences):
        return _over_sign_changes(differences)
    from scipy import stats

    return float(stats.wilcoxon(differences).pvalue)


def _over_sign_changes(differences: Floats) -> float:
    """Return the exact p given the absolute values: each sign is + or − with equal chance.

    SciPy computes the statistic anew for each of 2ⁿ changes of sign, which takes a second; counting in how many ways
    ranks add up to each sum gives the same number at once.
    """
    moved = differences[differences != 0]
    ranks = _doubled_ranks(moved)
    ways = np.zeros(sum(ranks) + 1)
    ways[0] = 1.0
    for rank in ranks:
        ways[rank:] += ways[:-rank].copy()
    observed = sum(rank for rank, difference in zip(ranks, moved.tolist(), strict=True) if difference > 0)
    tail = min(ways[: observed + 1].sum(), ways[observed:].sum())
    return min(1.0, float(2 * tail / ways.sum()))


def _doubled_ranks(differences: Floats) -> list[int]:
    """Return twice the rank of each absolute value: whole numbers, also where ties share the mean of theirs."""
    from scipy.stats import rankdata

    return [round(2 * rank) for rank in rankdata(np.abs(differences)).tolist()]


def rank_biserial(differences: Floats) -> float | None:
    """Return the matched-pairs rank-biserial correlation: the share of ranks in favour less the share against.

    r = (R₊ − R₋) / (R₊ + R₋), where R₊ and R₋ add up the ranks of the absolute values of positive and of negative
    differences; equal ones share the mean of their ranks, zeros are dropped, as in the test. Source: D. S. Kerby, "The
    simple difference formula", *Comprehensive Psychology* 3 (2014).

    Args:
        differences: shape (n,), all defined.

    Returns:
        A number in −1 … 1; None where no difference is other than zero.

    >>> rank_biserial(np.array([3.0, 2.0, -1.0, 0.0]))
    0.6666666666666666
    """
    moved = differences[differences != 0]
    if not len(moved):
        return None
    ranks = _doubled_ranks(moved)
    balance = sum(math.copysign(rank, difference) for rank, difference in zip(ranks, moved.tolist(), strict=True))
    return balance / sum(ranks)


@cache
def detectable_effect(n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest standardised difference that a paired t test of n pairs finds with a given power.

    Solves power = P(|T| > t) for the noncentrality √n · d, where T has the noncentral t distribution with n − 1 degrees
    of freedom and t is the two-sided critical value. Source: J. Cohen, *Statistical Power Analysis for the Behavioral
    Sciences* (1988), chapter 2.

    Args:
        n: number of pairs, at least 2.
        alpha: level of the two-sided test.
        power: above `alpha`, below 1.

    Returns:
        The mean difference in units of the differences' standard deviation.

    >>> round(detectable_effect(40), 4)
    0.4543
    """
    from scipy.optimize import brentq
    from scipy.stats import nct, t

    critical = t.isf(alpha / 2, n - 1)

    def missing(effect: float) -> float:
        shift = effect * math.sqrt(n)
        # P(T < −t) by symmetry: asked for directly, the far tail is NaN.
        found = nct.sf(critical, n - 1, shift) + nct.sf(critical, n - 1, -shift)
        return float(found - power)

    highest = 1.0
    while missing(highest) < 0:
        highest *= 2
    return float(brentq(missing, 0.0, highest, xtol=1e-12))


def smallest_detectable_difference(sd: float, n: int) -> float | None:
    """Return the mean difference that a two-sided paired t test at 5 % finds with 80 % power.

    Args:
        sd: of the differences (ddof 1).
        n: number of pairs.

    Returns:
        In the unit of `sd`; None for fewer than two pairs, and where the differences have no spread: that
        would promise to find any difference at all.
    """
    if n < 2 or not sd > 0:
        return None
    return detectable_effect(n) * sd

"""Paired differences: the signed-rank test, its effect size, and the difference that a sample could have shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_FEW, _FEW_WITHOUT_TIES = 13, 50
"""Differences up to which SciPy's `method="auto"` is exact: with ties or zeros, and with neither."""


def wilcoxon_p(differences: Floats) -> float | None:
    """Return the two-sided p of the Wilcoxon signed-rank test, as `scipy.stats.wilcoxon` with its defaults gives it.

    `zero_method="wilcox"`: zeros are dropped before ranking. `method="auto"`: exact for at most 50 differences
    without ties and zeros; with ties or zeros, exact over all changes of sign for at most 13 differences, and beyond
    that the normal approximation with its correction for ties, without one for continuity.

    SciPy itself takes a second to import, which stage 03 would pay each time.

    Differences that should be equal must be equal to the last bit, or ties are missed: round them, or give integers.

    Args:
        differences: shape (n,), all defined.

    Returns:
        The p; None where no difference is other than zero, for nothing is left to rank.

    >>> wilcoxon_p(np.array([1.0, 2.0, 3.0, 4.0, 5.0])), wilcoxon_p(np.array([1.0, 1.0, 2.0, 0.0]))
    (0.0625, 0.25)
    """
    moved = differences[differences != 0]
    n = len(moved)
    if not n:
        return None
    ties = np.unique(np.abs(moved), return_counts=True)[1]
    if len(differences) <= (_FEW if len(ties) < len(differences) else _FEW_WITHOUT_TIES):
        return _over_sign_changes(moved)
    positive = float(_doubled_ranks(moved)[moved > 0].sum()) / 2
    # Python's integers: the cube of two million ties is more than 64 bits hold.
    variance = (n * (n + 1) * (2 * n + 1) - sum(tied**3 - tied for tied in ties.tolist()) / 2) / 24
    return math.erfc(abs(positive - n * (n + 1) / 4) / math.sqrt(2 * variance))


def _over_sign_changes(moved: Floats) -> float:
    """Return the exact p given the absolute values, none of them 0: each sign is + or − with equal chance.

    Counting in how many ways ranks add up to each sum takes no time, where there are 2ⁿ changes of sign.
    """
    ranks = _doubled_ranks(moved)
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks.tolist():
        ways[rank:] += ways[:-rank].copy()
    observed = int(ranks[moved > 0].sum())
    tail = min(ways[: observed + 1].sum(), ways[observed:].sum())
    return min(1.0, float(2 * tail / ways.sum()))


def _doubled_ranks(moved: Floats) -> Codes:
    """Return twice the rank of each absolute value: whole numbers, also where ties share the mean of theirs."""
    _, codes, counts = np.unique(np.abs(moved), return_inverse=True, return_counts=True)
    return np.asarray((2 * np.cumsum(counts) - counts + 1)[codes], dtype=np.int64)


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
    return int((ranks * np.sign(moved).astype(np.int64)).sum()) / int(ranks.sum())


_NODES = 200
"""Of the quadrature: enough for 11 digits at this level and power, also with one degree of freedom."""
_LEVEL, _POWER = 0.05, 0.8


@cache
def detectable_effect(n: int) -> float:
    """Return the smallest standardised difference that a two-sided paired t test at 5 % finds with 80 % power.

    Solves 0.8 = P(|T| > t) for the noncentrality √n · d, where T has the noncentral t distribution with n − 1 degrees
    of freedom and t is the two-sided critical value. Source: J. Cohen, *Statistical Power Analysis for the Behavioral
    Sciences* (1988), chapter 2.

    Args:
        n: number of pairs, at least 2.

    Returns:
        The mean difference in units of the differences' standard deviation.

    >>> round(detectable_effect(40), 4)
    0.4543
    """
    # T = (Z + shift) / S, where (n − 1) S² has a chi square distribution: the tail is integrated over S.
    freedom = n - 1
    spread = 12 / math.sqrt(2 * freedom)
    low, high = max(0.0, 1 - spread), 1 + spread
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)  # type: ignore[no-untyped-call]
    scales = low + (high - low) * (nodes + 1) / 2
    logs = (freedom - 1) * np.log(scales) - freedom * scales**2 / 2
    density = np.exp(logs - logs.max()) * weights
    density /= density.sum()

    def beyond(critical: float, shift: float) -> float:
        """Return P(T > critical)."""
        tails = [math.erfc(x / math.sqrt(2)) / 2 for x in (critical * scales - shift).tolist()]
        return float(density @ np.array(tails))

    critical = _root(lambda value: _LEVEL / 2 - beyond(value, 0.0))
    return _root(lambda shift: beyond(critical, shift) + beyond(critical, -shift) - _POWER) / math.sqrt(n)


def _root(rising: Callable[[float], float]) -> float:
    """Return where a function that rises from below 0 at 0 crosses it."""
    low, high = 0.0, 1.0
    while rising(high) < 0:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high and high - low > 1e-13 * high:
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high


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


RESAMPLES = 9_999
_ENUMERATED = 14
"""Clusters that differ up to which every change of sign is tried."""
_MOST_SUMS = 1_000_000
"""Sum of absolute differences up to which whole numbers are counted exactly."""
_CHUNK = 2**20
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """The mean of paired differences.

    Attributes:
        value: the mean over items.
        error: its standard error; None with fewer than two clusters.
        low, high: Student's t interval; None where no difference is other than the others.
        n, n_clusters: items, and what of them is independent.
        detectable: the difference that a two-sided test at 5 % finds with 80 % power; None as the interval.
    """

    value: float
    error: float | None
    low: float | None
    high: float | None
    n: int
    n_clusters: int
    detectable: float | None


def mean_difference(differences: Floats, clusters: Codes | None = None, level: float = 0.95) -> MeanDifference:
    """Return the mean of differences with the interval that its clusters give.

    The variance of the mean is G/(G − 1) · Σ_g (Σ_{i in g} (d_i − d̄))² / n², and the interval Student's with G − 1
    degrees of freedom; with each item its own cluster that is s²/n and n − 1. Source: K.-Y. Liang and S. L. Zeger,
    "Longitudinal data analysis using generalized linear models", *Biometrika* 73 (1986), with the usual correction for
    few clusters.

    Args:
        differences: shape (n,), all defined, n at least 1.
        clusters: shape (n,), the cluster of each; None: each its own.
        level: of confidence.

    >>> mean_difference(np.array([1.0, 0.0, 0.0, 1.0])).n_clusters
    4
    """
    n = len(differences)
    value = math.fsum(differences.tolist()) / n
    groups = _sums(differences - value, clusters)
    count = len(groups)
    error = math.sqrt(count / (count - 1) * math.fsum((groups**2).tolist())) / n if count > 1 else None
    if not error or error <= _TIE * max(1e-300, float(np.abs(differences).max())):
        return MeanDifference(value, error, None, None, n, count, None)
    from scipy.stats import t

    margin = float(t.isf((1 - level) / 2, count - 1)) * error
    detectable = detectable_effect(count) * error * math.sqrt(count)
    return MeanDifference(value, error, value - margin, value + margin, n, count, detectable)


def mcnemar_p(gained: int, lost: int) -> tuple[float, float] | None:
    """Return the two-sided p of McNemar's test: the exact one, and the mid-p one.

    Of items that one system alone solves, as many go either way without a difference: the smaller number is binomial
    with a half. The exact p errs less often than it may; mid-p counts half of what was observed, and keeps its level.
    Source: M. W. Fagerland, S. Lydersen and P. Laake, "The McNemar test for binary matched-pairs data", *BMC Medical
    Research Methodology* 13 (2013).

    Args:
        gained: items that the second system alone solves.
        lost: items that the first alone solves.

    Returns:
        Both; None where there are none, for nothing is left to test.

    >>> exact, mid = mcnemar_p(9, 1)
    >>> round(exact, 6), round(mid, 6)
    (0.021484, 0.011719)
    """
    n = gained + lost
    if not n:
        return None
    from scipy.stats import binom

    fewer = min(gained, lost)
    exact, observed = min(1.0, 2 * float(binom.cdf(fewer, n, 0.5))), float(binom.pmf(fewer, n, 0.5))
    # As many either way is one outcome, and not one in each tail.
    return exact, exact - (observed if gained != lost else observed / 2)


def sign_flip_p(
    differences: Floats, rng: np.random.Generator, clusters: Codes | None = None, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """Return the two-sided p of the permutation test for pairs: each cluster's two sides change places, or do not.

    The statistic is the mean difference. Where clusters differ by whole numbers all changes are counted, and ties are
    many: then there is a mid-p, which counts half of those that are as extreme as what was observed, as McNemar's test,
    which this is for ones and zeros without clusters. Else all changes are tried for at most 14 clusters that differ,
    or `resamples` of them drawn, with p = (1 + as extreme)/(1 + drawn), and both are the same.

    Args:
        differences: shape (n,), all defined.
        rng: for what is drawn.
        clusters: shape (n,), the cluster of each; None: each its own.
        resamples: changes that are drawn.

    Returns:
        The exact p, and the mid-p; None where no cluster differs.

    >>> sign_flip_p(np.array([0.1, 0.2, 0.3, 0.0]), np.random.default_rng(0))
    (0.25, 0.25)
    """
    sums = _sums(differences, clusters)
    sums = np.abs(sums[np.abs(sums) > _TIE * max(1e-300, float(np.abs(differences).max(initial=0.0)))])
    if not len(sums):
        return None
    observed = abs(math.fsum(differences.tolist()))
    tie = _TIE * float(sums.max())
    whole = np.rint(sums)
    if np.allclose(whole, sums, rtol=_TIE, atol=0) and whole.sum() <= _MOST_SUMS:
        return _counted(whole.astype(np.int64), observed - tie, observed + tie)
    if len(sums) <= _ENUMERATED:
        signs = (np.arange(2 ** len(sums))[:, np.newaxis] >> np.arange(len(sums))) & 1
        p = float(np.mean(np.abs((2.0 * signs - 1.0) @ sums) >= observed - tie))
        return p, p
    extreme = 0
    step = max(1, _CHUNK // len(sums))
    for start in range(0, resamples, step):
        signs = rng.integers(0, 2, size=(min(step, resamples - start), len(sums)))
        extreme += int(np.count_nonzero(np.abs((2.0 * signs - 1.0) @ sums) >= observed - tie))
    p = (1 + extreme) / (1 + resamples)
    return p, p


def _counted(sums: Codes, low: float, high: float) -> tuple[float, float]:
    """Return the shares of all changes of sign that reach `low`, and that with half of those below `high`."""
    total = int(sums.sum())
    share = np.zeros(total + 1)  # of changes, by the sum of those whose sign is +
    share[0] = 1.0
    reached = 0
    for size in sums.tolist():
        reached += size
        share[: reached + 1] *= 0.5
        share[size : reached + 1] += share[: reached + 1 - size].copy()
    statistic = np.abs(2.0 * np.arange(total + 1) - total)
    beyond, tied = float(share[statistic > high].sum()), float(share[(statistic >= low) & (statistic <= high)].sum())
    return min(1.0, beyond + tied), min(1.0, beyond + tied / 2)


def _sums(values: Floats, clusters: Codes | None) -> Floats:
    """Return the sum of each cluster, in the order of their codes."""
    if clusters is None:
        return values
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values).astype(np.float64)

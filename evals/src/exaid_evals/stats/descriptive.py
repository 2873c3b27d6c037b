"""Descriptive statistics: of values, of waits with censoring, and how one thing lags behind another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def finite(compute: Callable[[], float]) -> float | None:
    """Return what is computed; None where it overflows, or is not a number.

    >>> finite(lambda: 1e200 * 1e200), finite(lambda: 1e200**2), finite(lambda: 2.0)
    (None, None, 2.0)
    """
    try:
        value = compute()
    except (OverflowError, ValueError):  # fsum raises the latter of inf and -inf
        return None
    return value if math.isfinite(value) else None


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


@dataclass(frozen=True, slots=True)
class Description:
    """Statistics of each column, each of shape (columns,); NaN where undefined.

    Attributes:
        n: number of defined values.
        mean: NaN where n is 0, or the sum overflows.
        sd: of the sample (ddof 1); NaN where n is below 2, or it overflows.
        median: the middle value, or the mean of the two middle ones.
        min: the least value.
        max: the greatest value.
    """

    n: NDArray[np.int64]
    mean: Floats
    sd: Floats
    median: Floats
    min: Floats
    max: Floats


def describe(values: Floats) -> Description:
    """Describe each column of a matrix.

    Sums are exact before their one rounding (`math.fsum`), so the result does not depend on the order of rows.

    Args:
        values: shape (n, columns); NaN marks what is undefined.

    >>> import numpy as np
    >>> described = describe(np.array([[1.0, np.nan], [2.0, np.nan], [6.0, 5.0]]))
    >>> described.mean, described.n
    (array([3., 5.]), array([3, 1]))
    """
    import numpy as np  # late: quantiles are asked for where nothing else needs it

    rows = [_describe_column(column[~np.isnan(column)].tolist()) for column in values.T]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
    return Description(table[:, 0].astype(np.int64), *table[:, 1:].T)


def _describe_column(column: list[float]) -> tuple[float, float, float, float, float, float]:
    n = len(column)
    if n == 0:
        return 0, math.nan, math.nan, math.nan, math.nan, math.nan
    ordered = sorted(column)
    mean = finite(lambda: math.fsum(column) / n)
    if mean is None:
        return n, math.nan, math.nan, math.nan, ordered[0], ordered[-1]
    sd = finite(lambda: math.sqrt(math.fsum((value - mean) ** 2 for value in column) / (n - 1))) if n > 1 else None
    low, high = ordered[(n - 1) // 2], ordered[n // 2]
    median = low if low == high else low / 2 + high / 2  # their sum may overflow
    return n, mean, math.nan if sd is None else sd, median, ordered[0], ordered[-1]


def wilson_interval(successes: float, n: int, level: float = 0.95) -> tuple[float, float] | None:
    """Return Wilson's score interval of a proportion; None of no trial.

    Unlike the bootstrap's percentiles it does not collapse where all trials or none succeed.

    Args:
        successes: of n independent trials, 0 … n; not whole where trials succeed by shares.
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


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given.

    The k-th smallest of m is multiplied by m − k + 1; none may be smaller than the one before it, nor exceed 1.
    Rejecting what is at most α keeps the chance of any false rejection at α, however the tests depend on each other.
    Source: S. Holm, "A simple sequentially rejective multiple test procedure", *Scandinavian Journal of Statistics* 6
    (1979), 65–70.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = least
    return adjusted


# Products of fractions may miss one half by their rounding.
_ROUNDING = 1e-12


def kaplan_meier(durations: Sequence[float], observed: Sequence[bool]) -> list[tuple[float, float]]:
    """Return `(time, S(time))` at each time at which something happened, ascending.

    What is censored at a time was still at risk at it.

    Args:
        durations: shape (n,), ≥ 0: time until it happened, or until it was last known not to have.
        observed: shape (n,), whether it happened.

    >>> kaplan_meier([2, 3, 3, 5], [True, True, False, False])
    [(2, 0.75), (3, 0.5)]
    """
    happened = Counter(time for time, seen in zip(durations, observed, strict=True) if seen)
    leaving = Counter(durations)
    at_risk, survival = len(durations), 1.0
    steps = []
    for time in sorted(leaving):
        if happened[time]:
            survival *= 1 - happened[time] / at_risk
            steps.append((time, survival))
        at_risk -= leaving[time]
    return steps


def median_survival(durations: Sequence[float], observed: Sequence[bool]) -> float | None:
    """Return the first time at which S ≤ 1/2; None where it never is.

    >>> median_survival([2, 3, 3, 5], [True, True, False, False]), median_survival([2, 3], [False, False])
    (3, None)
    """
    steps = kaplan_meier(durations, observed)
    return next((time for time, survival in steps if survival <= 0.5 + _ROUNDING), None)


def restricted_mean(durations: Sequence[float], observed: Sequence[bool], horizon: float) -> float | None:
    """Return the mean time up to a horizon: ∫ S(t) dt from 0 to it. None without durations.

    Beyond the last time S stays what it was there, as nothing is known to happen later.

    >>> restricted_mean([2, 3, 3, 5], [True, True, False, False], horizon=10)
    6.25
    """
    if not durations:
        return None
    area, last, survival = 0.0, 0.0, 1.0
    for time, after in kaplan_meier(durations, observed):
        if time >= horizon:
            break
        area += (time - last) * survival
        last, survival = time, after
    return area + (horizon - last) * survival


Blocks = Sequence[tuple[float, int]]
"""`(delay, units)`: units of the output that came together, in order; a hundred at once cost no more than one."""


def average_lagging(blocks: Blocks, source_length: int, target_length: int) -> float | None:
    """AL = (1/τ) Σ_{i ≤ τ} d_i − (i − 1) |X|/|Y|, with τ the first unit that came when all of the source was there.

    Args:
        blocks: the output.
        source_length: |X|.
        target_length: |Y|: of what an ideal policy would say; `length_adaptive_lagging` takes the longer.

    Returns:
        Units of the source; None without output or source.

    Each unit of the output is one behind:

    >>> average_lagging([(1, 1), (2, 1), (3, 1)], source_length=3, target_length=3)
    1.0
    """
    if not sum(units for _, units in blocks) or not source_length or not target_length:
        return None
    step = source_length / target_length
    total, done = 0.0, 0
    for delay, units in blocks:
        if delay >= source_length and units:
            return (total + delay - done * step) / (done + 1)
        total += units * delay - step * (units * done + units * (units - 1) / 2)
        done += units
    return total / done


def length_adaptive_lagging(blocks: Blocks, source_length: int, target_length: int) -> float | None:
    """LAAL: AL with the longer of output and |Y|, so that saying much is not rewarded.

    >>> round(length_adaptive_lagging([(1, 2), (2, 2)], source_length=2, target_length=2), 3)
    0.833
    """
    return average_lagging(blocks, source_length, max(sum(units for _, units in blocks), target_length))


def differentiable_lagging(blocks: Blocks, source_length: int) -> float | None:
    """DAL = (1/n) Σ d'_i − (i − 1) |X|/n, with d'_i = max(d_i, d'_{i−1} + |X|/n): a unit takes its time to be said.

    >>> differentiable_lagging([(2, 2)], source_length=2)
    2.0
    """
    length = sum(units for _, units in blocks)
    if not length or not source_length:
        return None
    step = source_length / length
    total, done, last = 0.0, 0, None
    for delay, units in blocks:
        if not units:
            continue
        first = delay if last is None else max(delay, last + step)
        # Within a block each unit is one step after the one before, so that all lag alike.
        total += units * (first - done * step)
        done += units
        last = first + (units - 1) * step
    return total / length

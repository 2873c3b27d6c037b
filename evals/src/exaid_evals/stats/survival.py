"""How late things come: survival with censoring, and average lagging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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

"""Survival with right-censored times: how long until something happens, where of some it is only known that it did not.

Source: E. L. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958) 457–481; for
the restricted mean P. Royston and M. K. B. Parmar, BMC Medical Research Methodology 13 (2013) 152.
"""

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

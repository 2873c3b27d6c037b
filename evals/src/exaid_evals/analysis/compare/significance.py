"""Whether two groups can be told apart by a metric, and how many runs that would take.

Where both have the same repetitions (seeds, folds, cases), their difference is taken within each: what a seed does to
both alike falls out of it. Its interval is Student's t of the differences (bootstrap-t from ten on), and the groups are
apart where it excludes 0. Groups that do not share their repetitions are apart where their own intervals do not
overlap. Which of the two rules holds follows from the repetitions, and never from which would find more.

That the first is told apart from every other one needs no adjustment for how many there are: all of them must be passed
at once (R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling", *Technometrics* 24 (1982), 295–300).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from exaid_evals.analysis.compare.final_means import CONFIDENCE, FinalMean, Performance, over_repetitions
from exaid_evals.runs.metric_names import Direction

_POWER_QUANTILE = 0.841621
"""Of the normal distribution, at 80 %."""
_MOST_NEEDED = 2**20


def lead_of(first: Performance, other: Performance, direction: Direction) -> FinalMean | None:
    """Return by how much the first is better, over the repetitions that both have; positive where it is.

    Returns:
        None where they are not paired: fewer than two repetitions are shared, the group with fewer of them has one that
        the other lacks, or one of the two has no spread between its repetitions.
    """
    import numpy as np

    if first.basis not in ("seeds", "cases") or first.basis != other.basis:
        return None
    shared = sorted(first.repetitions.keys() & other.repetitions.keys())
    if len(shared) < max(2, min(len(first.repetitions), len(other.repetitions))):
        return None
    sign = -1.0 if direction == "lower" else 1.0
    return over_repetitions(np.array([sign * (first.repetitions[one] - other.repetitions[one]) for one in shared]))


def separable(first: Performance, other: Performance, leads: Mapping[str, FinalMean]) -> bool:
    """Tell whether the first is better than another group for certain.

    Args:
        first: of a ranking.
        other: another one of it.
        leads: of the first over those that share its repetitions.
    """
    lead = leads.get(other.group)
    if lead is not None:
        return lead.low is not None and lead.low > 0
    one, held = first.level, other.level
    if one.low is None or one.high is None or held.low is None or held.high is None:
        return False
    return one.low > held.high or held.low > one.high


def runs_needed(first: Performance, other: Performance, leads: Mapping[str, FinalMean]) -> int | None:
    """Return runs of each group with which the two would be told apart in 80 % of cases, by the same rule as now.

    For intervals that must not overlap, the least n with d ≥ t(n − 1)·(s₁ + s₂)/√n + 0.842·√((s₁² + s₂²)/n); for
    differences of pairs with the deviation s, d ≥ (t(n − 1) + 0.842)·s/√n. d is the difference as it looks now.

    Returns:
        None where no spread between runs is known, or nothing differs.
    """
    lead = leads.get(other.group)
    if lead is not None:
        return None if not lead.sd or lead.value <= 0 else _least(lead.value, lead.sd, lead.sd)
    one, held = first.level, other.level
    gap = abs(one.value - held.value)
    if one.sd is None or held.sd is None or gap <= 0:
        return None
    return _least(gap, one.sd + held.sd, math.hypot(one.sd, held.sd))


def _least(gap: float, width: float, spread: float) -> int:
    """Return the least n for a difference whose interval is t·width/√n wide to each side, and that varies by spread."""
    from scipy.stats import t

    def enough(n: int) -> bool:
        return gap * math.sqrt(n) >= float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * width + _POWER_QUANTILE * spread

    return _bisected(enough)


def _bisected(enough: Callable[[int], bool]) -> int:
    high = 2
    while not enough(high):
        high *= 2
        if high > _MOST_NEEDED:
            return _MOST_NEEDED
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(2, high)

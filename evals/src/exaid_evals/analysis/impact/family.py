"""The tests of one analysis are one family: Holm's adjustment goes over correlations and rates together.

Adjusted apart, each family errs in 5 % of searches in which nothing matters, and both together in up to 10 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from exaid_evals.analysis.impact.categories import CategoryRates
from exaid_evals.analysis.impact.correlations import RankCorrelation
from exaid_evals.stats.multiplicity import holm


def adjusted_together(
    correlations: Sequence[RankCorrelation], rates: Sequence[CategoryRates]
) -> tuple[tuple[RankCorrelation, ...], tuple[CategoryRates, ...]]:
    """Return both with p values that Holm adjusts over all that were tested; what was not tested has none."""
    tested = [p for p in (*(one.p for one in correlations), *(one.p for one in rates)) if p is not None]
    adjusted = iter(holm(tested))
    return (
        tuple(replace(one, p_adjusted=None if one.p is None else next(adjusted)) for one in correlations),
        tuple(replace(one, p_adjusted=None if one.p is None else next(adjusted)) for one in rates),
    )

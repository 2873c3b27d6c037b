"""Which of the published orderings of variants survive a paired test over the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from exaid_evals.stats.bootstrap import percentile_intervals, resample_counts
from exaid_evals.stats.multiplicity import holm
from exaid_evals.stats.paired import detectable_effect, wilcoxon_p

Floats = NDArray[np.float64]
RESAMPLES, SEED = 10_000, 42
ALPHA = 0.05
_MOST_CASES = 100_000
PerCase = Mapping[str, Mapping[str, float | None]]
"""Variant → case id → value."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """What a publication says of two variants in one measure, and what the cases say.

    Attributes:
        measure: the measure.
        higher, lower: the variants as published: the first has the larger mean.
        difference: paired mean difference, higher less lower, over the cases that have both.
        low, high: its 95 % bootstrap percentile interval over cases.
        p, p_holm: Wilcoxon signed-rank; adjusted over the pairs of the measure. None where no case differs.
        n: cases.
        n_needed: cases with which a difference of this size is found with 80 % power; None where there is none.
    """

    measure: str
    higher: str
    lower: str
    difference: float
    low: float
    high: float
    p: float | None
    p_holm: float | None
    n: int
    n_needed: int | None

    @property
    def survives(self) -> bool:
        """Whether the adjusted test finds the published direction."""
        return self.difference > 0 and self.p_holm is not None and self.p_holm < ALPHA


def orderings(measure: str, published: Mapping[str, float | None], per_case: PerCase) -> list[Ordering]:
    """Test each published ordering of two variants.

    Args:
        measure: its name.
        published: variant → published mean; variants without one are left out, and so are ties.
        per_case: the recomputed values.
    """
    means = {variant: mean for variant, mean in published.items() if mean is not None and variant in per_case}
    pairs = [
        (one, other) if means[one] > means[other] else (other, one)
        for one, other in combinations(means, 2)
        if means[one] != means[other]
    ]
    rows = [(pair, _differences(per_case[pair[0]], per_case[pair[1]])) for pair in pairs]
    rows = [(pair, differences) for pair, differences in rows if len(differences) > 1]
    p_values = [wilcoxon_p(differences) for _, differences in rows]
    adjusted = iter(holm([p for p in p_values if p is not None]))
    found = []
    for ((higher, lower), differences), p in zip(rows, p_values, strict=True):
        n = len(differences)
        counts = resample_counts(n, RESAMPLES, np.random.default_rng(SEED))
        low, high = percentile_intervals(differences[:, np.newaxis], counts)[:, 0]
        found.append(
            Ordering(
                measure,
                higher,
                lower,
                float(differences.mean()),
                float(low),
                float(high),
                p,
                None if p is None else next(adjusted),
                n,
                cases_needed(differences),
            )
        )
    return found


def _differences(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> Floats:
    cases = sorted(case for case in one if one[case] is not None and other.get(case) is not None)
    # Rounded, so that differences that should be equal are ties for the test.
    return np.array([round(float(one[case] or 0) - float(other[case] or 0), 6) for case in cases])


def cases_needed(differences: Sequence[float] | Floats) -> int | None:
    """Return the fewest cases with which a paired t test at 5 % finds such a difference with 80 % power.

    >>> cases_needed(np.array([1.0, 2.0, 3.0, 2.0]))
    4
    """
    values = np.asarray(differences, dtype=float)
    effect = abs(values.mean()) / values.std(ddof=1) if len(values) > 1 and values.std(ddof=1) > 0 else 0.0
    if effect == 0.0:
        return None
    low, high = 2, _MOST_CASES
    if detectable_effect(high) > effect:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if detectable_effect(middle) > effect else (low, middle)
    return low

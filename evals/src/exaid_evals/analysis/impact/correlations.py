"""How numeric hyper-parameters go with outcomes: Spearman's ρ with an interval, and its p."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exaid_evals.analysis.impact.parameters import Parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST_RUNS = 10
"""With both numbers; with fewer, ρ would have to exceed 0.65 to stand out, and its p is no good approximation."""


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Of a hyper-parameter with an outcome.

    Attributes:
        parameter: its name.
        outcome: `level` of the metric, or `drop` from its best to its level.
        n: configurations that have both.
        rho: Spearman's; None where n is too small, or one of the two does not vary among these runs.
        low, high: 95 % interval.
        p: two-sided.
        p_adjusted: by Holm, over all that were tested, rates of categories included (`family.py`).
    """

    parameter: str
    outcome: str
    n: int
    rho: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None


def rank_correlations(
    parameters: Sequence[Parameter], outcomes: Mapping[str, Sequence[float | None]]
) -> list[RankCorrelation]:
    """Return a correlation for each numeric parameter and outcome, the most telling first.

    The p is that of SciPy's `spearmanr` (Student's t). The interval is Fisher's, tanh(artanh ρ ± 1.96 · SE), with
    SE² = (1 + ρ²/2)/(n − 3), which ranks need: D. G. Bonett and T. A. Wright, "Sample size requirements for estimating
    Pearson, Kendall and Spearman correlations", *Psychometrika* 65 (2000), 23–28.

    Args:
        parameters: those that are not numbers are passed over.
        outcomes: name → value of each configuration, None where it has none; runs of one configuration are not
            independent.
    """
    import numpy as np

    found = []
    for parameter in parameters:
        for outcome, values in outcomes.items():
            if parameter.numeric:
                pairs = [
                    (float(x), y)
                    for x, y in zip(parameter.values, values, strict=True)
                    if x is not None and y is not None
                ]
                found.append(_correlation(parameter.name, outcome, np.array(pairs, dtype=np.float64).reshape(-1, 2)))
    return sorted(found, key=lambda one: (one.p is None, one.p or 0.0, one.parameter, one.outcome))


def _correlation(parameter: str, outcome: str, pairs: NDArray[np.float64]) -> RankCorrelation:
    import numpy as np
    from scipy.stats import spearmanr

    n = len(pairs)
    if n < LEAST_RUNS or any(len(np.unique(column)) < 2 for column in pairs.T):
        return RankCorrelation(parameter, outcome, n)
    result = spearmanr(pairs[:, 0], pairs[:, 1])
    rho, p = float(result.statistic), float(result.pvalue)
    if abs(rho) > 1 - 1e-12:
        return RankCorrelation(parameter, outcome, n, math.copysign(1.0, rho), None, None, p)
    half = 1.959964 * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return RankCorrelation(
        parameter, outcome, n, rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half), p
    )

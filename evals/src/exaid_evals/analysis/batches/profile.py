"""What tells batches apart: statistics of their inputs, and how they go with the batches' performance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exaid_evals.analysis.batches.suspect_items import badness
from exaid_evals.runs.history import BatchRow

_OUTCOME = re.compile(r"conf|prob|pred|loss|acc|score|entropy|logit|grad", re.IGNORECASE)
"""Of a profile, what the model makes of the inputs rather than what they are: a bad model moves it on any data."""


@dataclass(frozen=True, slots=True)
class InputShift:
    """The statistic of the inputs that moved most.

    Attributes:
        name: of the statistic.
        p: of the Mann–Whitney test, before against after, times the number of statistics that were tested.
        share_outside: of the batches after, that lie outside the 1st to 99th percentile of those before.
        median_before: its median before the onset.
        median_after: its median after.
    """

    name: str
    p: float
    share_outside: float
    median_before: float
    median_after: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """How a statistic of batches goes with how bad they are.

    Attributes:
        name: of the statistic.
        rho: Spearman's, None where it is constant.
        p: its p value, Holm-adjusted over the statistics.
        n: batches with both.
    """

    name: str
    rho: float | None
    p: float | None
    n: int


def input_shift(rows: Sequence[BatchRow], low: float, high: float, horizon: float) -> InputShift | None:
    """Return the statistic of the inputs that differs most between the batches before and after an onset."""
    import numpy as np
    from scipy.stats import mannwhitneyu

    names = sorted({name for row in rows for name in row.profile if not _OUTCOME.search(name)})
    found = []
    for name in names:
        values = [(row.step, row.profile[name]) for row in rows if row.profile.get(name) is not None]
        before = np.array([value for step, value in values if low - horizon <= step <= low], dtype=np.float64)
        after = np.array([value for step, value in values if high <= step <= high + horizon], dtype=np.float64)
        if len(before) < 10 or len(after) < 10:
            continue
        p = float(mannwhitneyu(before, after).pvalue) if np.ptp(np.concatenate([before, after])) > 0 else 1.0
        inner, outer = np.quantile(before, [0.01, 0.99])
        outside = float(((after < inner) | (after > outer)).mean())
        found.append(InputShift(name, p * len(names), outside, float(np.median(before)), float(np.median(after))))
    return min(found, key=lambda one: (one.p, one.name), default=None)


def correlations(rows: Sequence[BatchRow]) -> tuple[Correlation, ...]:
    """Return how each statistic of the profiles goes with the badness of the batches, in order of names.

    Spearman's ρ, Holm-adjusted over the statistics.
    """
    import numpy as np
    from scipy.stats import spearmanr

    bad = badness(rows)
    names = sorted({name for row in rows for name in row.profile})
    raw: list[tuple[str, float | None, float | None, int]] = []
    for name in names:
        values = np.array(
            [np.nan if row.profile.get(name) is None else row.profile[name] for row in rows], dtype=np.float64
        )
        both = np.isfinite(values) & np.isfinite(bad)
        n = int(both.sum())
        if n < 5 or np.ptp(values[both]) == 0 or np.ptp(bad[both]) == 0:
            raw.append((name, None, None, n))
            continue
        result = spearmanr(values[both], bad[both])
        raw.append((name, float(result.statistic), float(result.pvalue), n))
    adjusted = _holm({name: p for name, _, p, _ in raw if p is not None})
    return tuple(Correlation(name, rho, adjusted.get(name), n) for name, rho, _, n in raw)


def _holm(values: dict[str, float]) -> dict[str, float]:
    adjusted, highest = {}, 0.0
    for rank, name in enumerate(sorted(values, key=lambda one: (values[one], one))):
        highest = max(highest, min(1.0, values[name] * (len(values) - rank)))
        adjusted[name] = highest
    return adjusted

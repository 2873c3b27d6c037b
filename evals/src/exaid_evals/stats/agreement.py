"""How far raters agree: correlation, κ and α, each with a bootstrap interval over items.

All are written so that a resample costs little. Tests hold κ against scikit-learn, and α against the package
krippendorff, on whose licence (GPL) a package under MIT cannot depend.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from exaid_evals.stats.descriptive import wilson_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Level = Literal["nominal", "ordinal", "interval"]
Statistic = Callable[[Ints], float]
"""Indices of items, with repetition → a number, NaN where it is undefined."""
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic with its 95 % percentile interval.

    Attributes:
        value: of all items; None where it is undefined.
        low, high: None where too few items, or too few resamples, define it.
        n: items that count.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_record(self) -> dict[str, float | int | None]:
        """Return it as plain data, rounded to six decimals."""
        shown = {"value": self.value, "ci95_low": self.low, "ci95_high": self.high}
        return {**{name: None if one is None else round(one, 6) + 0.0 for name, one in shown.items()}, "n": self.n}


def bootstrap(
    statistic: Statistic,
    n: int,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    clusters: Ints | None = None,
) -> Interval:
    """Return a statistic of n items with its interval.

    Args:
        statistic: of some items.
        n: number of items.
        rng: the source of randomness.
        resamples: how often items are drawn.
        clusters: number of the cluster of each item, shape (n,), where items that belong together are drawn together;
            None where each stands for itself.

    Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13.
    """
    value = statistic(np.arange(n)) if n else float("nan")
    if np.isnan(value):
        return Interval(None, None, None, n)
    members = [np.flatnonzero(clusters == one) for one in np.unique(clusters)] if clusters is not None else None
    units = n if members is None else len(members)
    drawn = []
    for _ in range(resamples):
        chosen = rng.integers(0, units, units)
        drawn.append(statistic(chosen if members is None else np.concatenate([members[one] for one in chosen])))
    defined = np.array(drawn)[~np.isnan(drawn)]
    if units < 3 or defined.size < resamples / 2:
        return Interval(float(value), None, None, n)
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(value), float(low), float(high), n)


def correlation(one: Floats, other: Floats) -> Statistic:
    """Return Spearman's rank correlation of two series as a statistic of their items.

    It is undefined where a series is constant, and of fewer than three items, for two always lie on a line. A resample
    is ranked anew, ties by their mean rank.
    """
    from scipy.stats import rankdata

    def statistic(items: Ints) -> float:
        if items.size < 3:
            return float("nan")
        x, y = rankdata(one[items]), rankdata(other[items])
        x, y = x - x.mean(), y - y.mean()
        scale = np.sqrt((x * x).sum() * (y * y).sum())
        return float((x * y).sum() / scale) if scale else float("nan")

    return statistic


def kappa(one: Ints, other: Ints, scores: Floats | None = None) -> Statistic:
    """Return Cohen's κ of two raters' categories; where these have scores, with quadratic weights.

    Undefined where both only ever use one category.

    Args:
        one: the categories that a rater chose, numbers from 0 on, shape (items,).
        other: those of the other rater, same shape.
        scores: of the categories, shape (categories,): a disagreement weighs as the square of their distance. None:
            every disagreement weighs the same.

    Source: J. Cohen, Weighted kappa, Psychological Bulletin 70 (1968) 213–220.
    """
    size = int(max(one.max(initial=0), other.max(initial=0))) + 1
    places = np.arange(size)
    weights = places[:, np.newaxis] != places if scores is None else (scores[:, np.newaxis] - scores) ** 2

    def statistic(items: Ints) -> float:
        table = np.bincount(one[items] * size + other[items], minlength=size * size).reshape(size, size)
        expected = (np.outer(table.sum(axis=1), table.sum(axis=0)) * weights).sum() / max(1, items.size)
        return float(1 - (table * weights).sum() / expected) if expected else float("nan")

    return statistic


def krippendorff_alpha(ratings: Floats, level: Level) -> Statistic:
    """Return Krippendorff's α, observed against expected disagreement, as a statistic of the items.

    Args:
        ratings: shape (raters, items); NaN where a rater has not rated an item.
        level: nominal counts whether two ratings differ; interval by how much; ordinal by how many ratings lie between.

    Undefined without two items of two ratings, and where all ratings are the same.

    Interval and ordinal distances are squared differences of a score, so that the sum over all pairs of m ratings is
    m·Σs² − (Σs)²; of nominal ones it is m² less the squared counts of the categories. No table of pairs is made.

    Source: K. Krippendorff, *Content Analysis* (2004), chapter 11.
    """
    rated = ~np.isnan(ratings)
    values, places = np.unique(ratings[rated], return_inverse=True)
    codes = np.zeros(ratings.shape, dtype=np.int64)
    codes[rated] = places.ravel()
    per_item = rated.sum(axis=0)
    alike = (ratings[:, np.newaxis] == ratings).sum(axis=(0, 1))  # Σ of squared counts, for NaN is like nothing

    def statistic(items: Ints) -> float:
        items = items[per_item[items] > 1]
        here, n_each = rated[:, items], per_item[items]
        totals = np.bincount(codes[:, items][here], minlength=len(values))
        n = int(totals.sum())
        if np.count_nonzero(totals) < 2 or len(items) < 2:
            return float("nan")
        if level == "nominal":
            within, among = n_each**2 - alike[items], n**2 - float((totals**2).sum())
        else:
            # Centred, so that no precision is lost where ratings are large.
            scores = values - values.mean() if level == "interval" else np.cumsum(totals) - totals / 2 - n / 2
            one = np.where(here, scores[codes[:, items]], 0.0)
            within = n_each * (one**2).sum(axis=0) - one.sum(axis=0) ** 2
            among = n * float(totals @ scores**2) - float(totals @ scores) ** 2
        return float(1 - (within / (n_each - 1)).sum() * (n - 1) / among)

    return statistic


LEAST_LABELLED = 5
"""Labelled units below which there is no interval."""
_NO_SPREAD = 1e-12
"""Of shares: what rounding leaves of none."""


@dataclass(frozen=True, slots=True)
class PoweredMean:
    """A share over units.

    Attributes:
        value: the corrected mean; None where nothing is labelled.
        low, high: 95 % interval; None with fewer than `LEAST_LABELLED` labelled units.
        n: units that the program has judged.
        n_labelled: those of them that people have judged too.
        weight: of the program's judgement: 0 where it says nothing about theirs, so that only labels count.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    n_labelled: int
    weight: float


def powered_mean(predicted: Floats, observed: Floats) -> PoweredMean:
    """Return the mean of a share over units of which people have judged some, chosen at random.

    With Y the labels, f the program's values, means over labelled and unlabelled units, and n and m their numbers,
    the value is λ·f̄_unlabelled + (Y − λf)‾_labelled with λ = cov(Y, f) / ((1 + n/m)·var f), between 0 and 1: the
    prediction-powered mean of A. N. Angelopoulos and others, Science 382 (2023) 669–674, with the tuning of their PPI++
    (arXiv 2311.01453). Its error holds that of the program and that of having labelled few. The interval is of the
    logit, with Student's t of n − 2 degrees of freedom, for shares near 0 or 1 lie askew. Where what is labelled shows
    no spread, as where no case of a few has any, it is Wilson's interval of that share of n.

    Args:
        predicted: the program's shares, shape (n + m,).
        observed: people's, same shape; NaN where a unit is not labelled.
    """
    labelled = ~np.isnan(observed)
    n, m = int(labelled.sum()), int((~labelled).sum())
    if n == 0:
        return PoweredMean(None, None, None, n + m, 0, 0.0)
    truth, there, elsewhere = observed[labelled], predicted[labelled], predicted[~labelled]
    spread = float(np.var(predicted, ddof=1)) if n > 1 and m else 0.0
    weight = float(np.clip(np.cov(truth, there, ddof=0)[0, 1] / (spread * (1 + n / m)), 0, 1)) if spread else 0.0
    rest = truth - weight * there
    value = float(rest.mean() + (weight * elsewhere.mean() if weight else 0.0))
    if n < LEAST_LABELLED:
        return PoweredMean(min(1.0, max(0.0, value)), None, None, n + m, n, weight)
    share = min(1.0, max(0.0, value))
    if np.ptp(rest) < _NO_SPREAD:
        low, high = wilson_interval(share * n, n) or (0.0, 1.0)
        return PoweredMean(share, low, high, n + m, n, weight)
    variance = float(((rest - rest.mean()) ** 2).sum()) / (n - 2) / n
    if weight:
        variance += weight**2 * (float(np.var(elsewhere, ddof=1)) if m > 1 else spread) / m
    low, high = _logit_interval(value, math.sqrt(variance), n - 2, floor=0.5 / (n + m))
    return PoweredMean(share, low, high, n + m, n, weight)


def _logit_interval(value: float, error: float, degrees: int, *, floor: float) -> tuple[float, float]:
    from scipy.stats import t

    inner = min(max(value, floor), 1 - floor)
    centre, reach = math.log(inner / (1 - inner)), float(t.ppf(0.975, degrees)) * error / (inner * (1 - inner))
    low, high = (0.5 * (1 + math.tanh((centre + sign * reach) / 2)) for sign in (-1, 1))
    return min(low, max(value, 0.0)), max(high, min(value, 1.0))

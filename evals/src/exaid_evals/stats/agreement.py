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


def correlation(one: Floats, other: Floats, *, ranks: bool = True) -> Statistic:
    """Return Spearman's rank correlation of two series, or Pearson's, as a statistic of their items.

    It is undefined where a series is constant, and of fewer than three items, for two always lie on a line. A resample
    is ranked anew, ties by their mean rank.
    """
    from scipy.stats import rankdata

    def statistic(items: Ints) -> float:
        x, y = one[items], other[items]
        if items.size < 3:
            return float("nan")
        if ranks:
            x, y = rankdata(x), rankdata(y)
        x, y = x - x.mean(), y - y.mean()
        scale = np.sqrt((x * x).sum() * (y * y).sum())
        return float((x * y).sum() / scale) if scale > 1e-12 * max(1, items.size) else float("nan")

    return statistic


def kappa(one: Ints, other: Ints, *, ordered: bool = False) -> Statistic:
    """Return Cohen's κ of two raters' categories, numbers from 0 on; of ordered ones with quadratic weights.

    Undefined where both only ever use one category.

    Source: J. Cohen, Weighted kappa, Psychological Bulletin 70 (1968) 213–220.
    """
    size = int(max(one.max(initial=0), other.max(initial=0))) + 1
    places = np.arange(size)
    weights = (places[:, np.newaxis] - places) ** 2 if ordered else places[:, np.newaxis] != places

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

    Source: K. Krippendorff, *Content Analysis* (2004), chapter 11.
    """
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = (ratings[:, :, np.newaxis] == values).sum(axis=0).astype(float)  # items, values

    def statistic(items: Ints) -> float:
        rated = counts[items]
        per_item = rated.sum(axis=1)
        rated, per_item = rated[per_item > 1], per_item[per_item > 1]
        totals = rated.sum(axis=0)
        n = totals.sum()
        if np.count_nonzero(totals) < 2 or len(rated) < 2:
            return float("nan")
        weights = rated / (per_item - 1)[:, np.newaxis]
        coincidences = rated.T @ weights - np.diag(weights.sum(axis=0))
        distances = _distances(values, totals, level)
        expected = (np.outer(totals, totals) * distances).sum() / (n - 1)
        return float(1 - (coincidences * distances).sum() / expected)

    return statistic


def _distances(values: Floats, totals: Floats, level: Level) -> Floats:
    """Return the squared distances of values, shape (values, values)."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        return np.asarray((values[:, np.newaxis] - values) ** 2)
    middles = np.cumsum(totals) - totals / 2
    return np.asarray((middles[:, np.newaxis] - middles) ** 2)


LEAST_LABELLED = 5
"""Labelled units below which there is no interval."""


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
    logit, with Student's t of n − 2 degrees of freedom, for shares near 0 or 1 lie askew.

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
    variance = float(((rest - rest.mean()) ** 2).sum()) / (n - 2) / n
    if weight and m > 1:
        variance += weight**2 * float(np.var(elsewhere, ddof=1)) / m
    low, high = _logit_interval(value, math.sqrt(variance), n - 2, floor=0.5 / (n + m))
    return PoweredMean(min(1.0, max(0.0, value)), low, high, n + m, n, weight)


def _logit_interval(value: float, error: float, degrees: int, *, floor: float) -> tuple[float, float]:
    from scipy.stats import t

    inner = min(max(value, floor), 1 - floor)
    centre, reach = math.log(inner / (1 - inner)), float(t.ppf(0.975, degrees)) * error / (inner * (1 - inner))
    low, high = (0.5 * (1 + math.tanh((centre + sign * reach) / 2)) for sign in (-1, 1))
    return min(low, max(value, 0.0)), max(high, min(value, 1.0))

"""Bootstrap intervals of means: percentile intervals of many statistics at once, simultaneous bands of a curve.

Source: B. Efron and R. J. Tibshirani, *An Introduction to the Bootstrap* (1993), chapters 6 and 13.

A resample is kept as a row of counts (how often each unit was drawn), so that the means of every column of a
data matrix over every resample are one matrix product. Columns share their resamples, hence differences between
columns keep their pairing.

Simultaneous confidence bands are intervals for a whole curve of means at once. Pointwise intervals hold at each point
with 95 %; that a curve lies within all of them at once is rarer. Sources: J. L. Montiel Olea and M. Plagborg-Møller,
"Simultaneous confidence bands: Theory, implementation, and an application to SVARs", *Journal of Applied Econometrics*
34 (2019), 1–17, for the sup-t band and its bootstrap; Efron and Tibshirani, section 12.5, for dividing each resample by
its own error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST = 4
"""Values of which there is a band: of three it would hold a curve with 66 %, of two with 42 % (simulated)."""
_NO_VARIANCE = 1e-12
"""Of the mean square: a variance below this share is what rounding leaves of none."""


def sup_t_band(
    means: Floats,
    squares: Floats,
    mean: Floats,
    sd: Floats,
    n: NDArray[np.int64],
    level: float = 0.95,
) -> Floats:
    """Return the sup-t band of a curve: `mean ± c · sd/√n`, one c for all points.

    With t*(b, x) = (mean of resample b at x − mean at x) / (standard error that resample b itself gives at x), c is the
    `level` quantile over resamples of the greatest |t*| over points. Dividing by the resample's own error makes up
    for few cases, as Student's t does, from four on: half of all resamples of two values have no spread. Where a
    resample shows none at a point, the sample's error stands in.

    Points without spread (sd 0) have a band of no width, and no say in c. Points with fewer than four values
    have no band. The band is symmetric, hence need not lie around a percentile interval.

    Args:
        means: resampled means, shape (points, resamples), from `bootstrap_means`; NaN where nothing was drawn.
        squares: the same of the squared values.
        mean: shape (points,).
        sd: of the sample (ddof 1), shape (points,).
        n: defined values at each point, shape (points,).
        level: of confidence, between 0 and 1.

    Returns:
        Lower and upper bounds, shape (2, points); NaN where there is no band.
    """
    bounds = np.full((2, len(mean)), np.nan)
    known = n >= _LEAST
    error = np.zeros(len(mean))
    error[known] = sd[known] / np.sqrt(n[known])
    spread = np.flatnonzero(known & (error > 0))
    critical = 0.0
    if len(spread):
        greatest = np.zeros(means.shape[1])
        for point in spread:
            t = _t(means[point], squares[point], mean[point], error[point], int(n[point]))
            np.fmax(greatest, t, out=greatest)
        critical = float(np.quantile(greatest, level))
    bounds[:, known] = mean[known] + np.array([[-1.0], [1.0]]) * critical * error[known]
    return bounds


def _t(means: Floats, squares: Floats, mean: float, error: float, n: int) -> Floats:
    """Return |t*| of one point in every resample, shape (resamples,); NaN where nothing was drawn.

    A resample that drew fewer than n defined values is divided by the error of n: it is the size of the sample that
    the band is for.
    """
    variance = squares - means * means
    # Of a resample's values, as of the sample's: ddof 1. Their mean's error is the root of variance / (n − 1).
    own = np.sqrt(np.maximum(variance, 0.0) / (n - 1))
    own[variance <= _NO_VARIANCE * squares] = error
    return np.asarray(np.abs(means - mean) / own)


Counts = NDArray[np.uint8]

_CHUNK_CELLS = 1_000_000
"""Float64 cells of a temporary array: 8 MB, whatever the number of resamples."""


def resample_counts(n: int, resamples: int, rng: np.random.Generator) -> Counts:
    """Draw resamples of `n` units with replacement, and count how often each unit was drawn.

    The indices are drawn as one `rng.integers(0, n, size=(resamples, n))`, so another program with the same
    generator finds the same resamples.

    Args:
        n: number of units, at least 1.
        resamples: number of resamples, at least 1.
        rng: the source of randomness.

    Returns:
        Counts, shape (resamples, n); each row adds up to n. A byte each: 100 MB for 10,000 resamples of 10,000 units.
    """
    counts = np.empty((resamples, n), dtype=np.uint8)
    for rows in _chunks(resamples, n):
        counts[rows] = _drawn(rows, n, rng)
    return counts


def _drawn(rows: slice, n: int, rng: np.random.Generator) -> Counts:
    """Draw the next resamples. PCG64 fills arrays in order, so drawing in chunks gives what one call would give."""
    size = rows.stop - rows.start
    indices = rng.integers(0, n, size=(size, n)) + np.arange(size)[:, np.newaxis] * n
    # A count is at most n, and among more than 255 units one is drawn 256 times with a probability below 10^-400.
    return np.bincount(indices.ravel(), minlength=size * n).reshape(size, n).astype(np.uint8)


class Redrawn:
    """The resamples of `resample_counts`, drawn anew each time they are gone through: for many units, in little memory.

    Args:
        n: number of units.
        resamples: number of resamples.
        seed: of the generator.
    """

    def __init__(self, n: int, resamples: int, seed: int) -> None:
        self.shape = (resamples, n)
        self._seed, self._next = seed, 0
        self._rng = np.random.default_rng(seed)

    def __getitem__(self, rows: slice) -> Counts:
        """Return the counts of some resamples, which follow those of the call before, or are the first."""
        if rows.start == 0:
            self._rng, self._next = np.random.default_rng(self._seed), 0
        if rows.start != self._next:
            raise IndexError("resamples are gone through in order")
        self._next = rows.stop
        return _drawn(rows, self.shape[1], self._rng)


def bootstrap_means(values: Floats, counts: Counts | Floats | Redrawn, *, overwrite: bool = False) -> Floats:
    """Return each column's mean over each resample.

    An undefined value (NaN) is left out: a resample's mean is taken over the defined units that it drew, and is
    NaN where it drew none. Sums of integers below 2**53 are exact, hence independent of the order in which a
    BLAS adds them; scale to integers first where bytes must not depend on the machine.

    Args:
        values: shape (n, columns); NaN marks what is undefined.
        counts: shape (resamples, n), from `resample_counts`, or drawn anew.
        overwrite: whether what is undefined in `values` may be overwritten, to save a copy.

    Returns:
        Means, shape (columns, resamples).
    """
    defined = ~np.isnan(values)
    filled = (values if overwrite else values.copy()).T
    np.copyto(filled, 0.0, where=~defined.T)
    partial = ~defined.all(axis=0)
    weights = defined[:, partial].T.astype(np.float64)
    means = np.empty((values.shape[1], counts.shape[0]))
    for rows in _chunks(*counts.shape):
        drawn = counts[rows].T.astype(np.float64)
        sums = filled @ drawn
        means[:, rows] = sums / values.shape[0]
        if partial.any():
            with np.errstate(invalid="ignore"):
                means[partial, rows] = sums[partial] / (weights @ drawn)
    return means


def percentile_intervals(values: Floats, counts: Counts | Floats | Redrawn, level: float = 0.95) -> Floats:
    """Return the bootstrap percentile interval of each column's mean.

    Args:
        values: shape (n, columns); NaN marks what is undefined.
        counts: shape (resamples, n), from `resample_counts`, or drawn anew.
        level: of confidence, between 0 and 1.

    Returns:
        Lower and upper bounds, shape (2, columns), as `percentile_bounds` says; NaN where there is no interval.
    """
    bounds = np.full((2, values.shape[1]), np.nan)
    if values.shape[0] == 0:
        return bounds
    n_defined = (~np.isnan(values)).sum(axis=0)
    for columns in _chunks(values.shape[1], counts.shape[0]):
        means = bootstrap_means(values[:, columns], counts)
        bounds[:, columns] = percentile_bounds(means, n_defined[columns], level)
    return bounds


def percentile_bounds(means: Floats, n_defined: NDArray[np.int64], level: float = 0.95) -> Floats:
    """Return the percentile interval of each row of resampled means.

    The bounds are the (1 − level)/2 and (1 + level)/2 quantiles of the resampled means, interpolated linearly.
    Resamples that drew no defined unit are left out. A column with fewer than two defined values has no
    interval: resampling one value says nothing about its spread.

    Args:
        means: shape (columns, resamples), from `bootstrap_means`.
        n_defined: defined values of each column, shape (columns,).
        level: of confidence, between 0 and 1.

    Returns:
        Lower and upper bounds, shape (2, columns); NaN where there is no interval.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = np.full((2, means.shape[0]), np.nan)
    missing = np.isnan(means).any(axis=1)
    bounds[:, ~missing] = _quantiles(means[~missing], tails)
    for row in np.flatnonzero(missing & (n_defined >= 2)):
        defined = means[row][~np.isnan(means[row])]
        if defined.size:
            bounds[:, row] = np.quantile(defined, tails)
    bounds[:, n_defined < 2] = np.nan
    return bounds


def _quantiles(means: Floats, tails: list[float]) -> Floats:
    """Return quantiles of each row, shape (len(tails), rows), as `np.quantile` does, which takes half as long again."""
    last = means.shape[1] - 1
    positions = [last * tail for tail in tails]
    below = [math.floor(position) for position in positions]
    neighbours = [(low, min(low + 1, last)) for low in below]
    ordered = np.partition(means, sorted({index for pair in neighbours for index in pair}), axis=1)
    found = np.empty((len(tails), means.shape[0]))
    for number, (low, high) in enumerate(neighbours):
        weight = positions[number] - low
        lower, upper = ordered[:, low], ordered[:, high]
        # From the nearer neighbour, so that the result is monotone in the weight and exact at both ends.
        step = upper - lower
        found[number] = lower + step * weight if weight < 0.5 else upper - step * (1 - weight)
    return found


def _chunks(length: int, width: int) -> Iterator[slice]:
    """Divide `length` rows of `width` cells into slices that fit `_CHUNK_CELLS`."""
    step = max(1, _CHUNK_CELLS // max(1, width))
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def hierarchical_interval(
    groups: Sequence[Floats],
    resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
    *,
    crossed: bool = False,
) -> tuple[Floats, Floats]:
    """Return the mean over seeds of the means over cases, with its percentile interval over both.

    Undefined values are left out of their seed's mean; a seed without any defined value in a column is left out
    of that column. Scale values to integers first where bytes must not depend on the machine (see
    `bootstrap_means`).

    Args:
        groups: one array per seed, shape (cases of that seed, columns); NaN marks what is undefined.
        resamples: number of resamples, at least 1.
        rng: the source of randomness.
        level: of confidence, between 0 and 1.
        crossed: whether row i is the same case in every group; all groups then have the same shape.

    Returns:
        Means, shape (columns,), NaN where nothing is defined; and lower and upper bounds, shape (2, columns),
        NaN where fewer than two seeds define the column: one seed says nothing about how seeds differ.

    Raises:
        ValueError: the groups do not have the same columns, or are crossed and do not have the same rows.

    >>> by_seed = [np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])]
    >>> mean, bounds = hierarchical_interval(by_seed, 1000, np.random.default_rng(0))
    >>> mean, bounds.ravel()
    (array([1.]), array([0.25, 1.75]))
    """
    shapes = {group.shape if crossed else group.shape[1:] for group in groups}
    if len(shapes) != 1:
        raise ValueError(f"groups must have the same {'cases and columns' if crossed else 'columns'}")
    seed_means = np.array([_column_means(group) for group in groups])
    draw = _crossed_means if crossed else _nested_means
    means = draw(groups, resamples, rng)
    return _column_means(seed_means), percentile_bounds(means, (~np.isnan(seed_means)).sum(axis=0), level)


def _nested_means(groups: Sequence[Floats], resamples: int, rng: np.random.Generator) -> Floats:
    """Return resampled means over seeds, shape (columns, resamples).

    As many seeds are drawn as there are; each draw, also of a seed that was drawn before, has a resample of
    cases of its own.
    """
    drawn_seeds = rng.integers(0, len(groups), size=(resamples, len(groups)))
    columns = groups[0].shape[1]
    sums, weights = np.zeros((2, columns, resamples))
    for slot in range(len(groups)):
        for seed, values in enumerate(groups):
            rows = np.flatnonzero(drawn_seeds[:, slot] == seed)
            if not len(rows) or not len(values):
                continue
            means = bootstrap_means(values, resample_counts(len(values), len(rows), rng))
            defined = ~np.isnan(means)
            sums[:, rows] += np.where(defined, means, 0.0)
            weights[:, rows] += defined
    return _ratio(sums, weights)


def _crossed_means(groups: Sequence[Floats], resamples: int, rng: np.random.Generator) -> Floats:
    """Return resampled means over seeds, shape (columns, resamples); every seed of a resample has the same cases."""
    seed_counts = resample_counts(len(groups), resamples, rng)
    if not len(groups[0]):
        return np.full((groups[0].shape[1], resamples), np.nan)
    case_counts = resample_counts(len(groups[0]), resamples, rng)
    sums, weights = np.zeros((2, groups[0].shape[1], resamples))
    for seed, values in enumerate(groups):
        means = bootstrap_means(values, case_counts)
        defined = ~np.isnan(means)
        sums += np.where(defined, means, 0.0) * seed_counts[:, seed]
        weights += defined * seed_counts[:, seed]
    return _ratio(sums, weights)


def _column_means(values: Floats) -> Floats:
    """Return the mean of each column's defined values, shape (columns,); NaN where there are none."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0).astype(np.float64))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(numerator / denominator)

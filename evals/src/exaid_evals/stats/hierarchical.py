"""The bootstrap over two levels: seeds, and cases within them. Seeds are never pooled as if they were cases.

Two designs, since the same cases under several seeds are not new cases:

- *nested*, where each seed has cases of its own: seeds are drawn with replacement, then cases within each drawn seed.
  Source: A. C. Davison and D. V. Hinkley, *Bootstrap Methods and their Application* (1997), section 3.8.
- *crossed*, where every seed has the same cases: seeds and cases are drawn with replacement, independently of each
  other, so that a case that is hard under every seed is drawn, or not, under all of them. Source: A. B. Owen, "The
  pigeonhole bootstrap", *The Annals of Applied Statistics* 1 (2007), 386–411. Resampling such data as if they were
  nested would take the same case under three seeds for three cases, and the interval would be too narrow.

Both err towards wide intervals where seeds hardly differ, and towards narrow ones where there are few seeds and they
differ much: two or three seeds say little about seeds, whatever the method.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exaid_evals.stats.bootstrap import bootstrap_means, percentile_bounds, resample_counts

Floats = NDArray[np.float64]


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

"""Where two groups' histories part: the first step from which on their simultaneous bands lie apart to the end.

With repetitions, a band is mean ± c · s/√n. s² is the variance between repetitions at a step, averaged over
neighbouring steps; it is the larger of the group's own and of the one pooled over both groups, whose degrees of freedom
ν = Σ(nᵢ − 1) count. c is Student's t for ν at 1 − 0.05/2mk for k pairs that are looked at: m is the number of
independent points that the curves amount to (Bonferroni over m; source of m as in `final_means.within_run`). For a
group of one run the spread is pooled over all groups that have repetitions. Without any, the band is the run's running
median ± what noise within the run moves it by, and ± 5 % of the range of both curves: two seeds of one configuration
differ by more than the noise within each, and how much more is not known then.

That all points from some step to the end lie apart is claimed only where at least 5 % of the points, and three, do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.final_means import CONFIDENCE, autocorrelation
from exaid_evals.analysis.compare.groups import Group
from exaid_evals.anomalies.robust import difference_sigma, rolling_around
from exaid_evals.runs.history import CleanSeries

DivergenceBasis = Literal["seeds", "borrowed", "within_run"]
LEAST_GRID = 8
"""Common points below which nothing is said."""
ALLOWANCE = 0.05
"""Of the range of both curves: what one run's level may differ from another seed's, where nothing tells."""
OTHER_UNIT = 10.0
"""Times by which last steps differ that count different things, or of which one is a run that was cut."""
_LEAST_DIVERGENT = 3
_DIVERGENT_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class DivergencePoint:
    """Whether and where two groups' histories part.

    Attributes:
        metric: its name.
        first, second: the groups.
        step: from which on the bands lie apart to the end of the common steps; None where they do not.
        not_before: the step before it on the grid, less what smoothing blurs; the divergence lies between the two.
        higher: the group that lies higher from there on.
        basis: of the bands: `seeds`; `borrowed`, where a group of one run takes its spread from others; `within_run`.
        n_points: common points.
        last_common: the last common step.
        why_not: why nothing can be said; None where it can.
    """

    metric: str
    first: str
    second: str
    step: float | None
    not_before: float | None
    higher: str | None
    basis: DivergenceBasis | None
    n_points: int
    last_common: float | None
    why_not: str | None = None


def part(metric: str, first: Group, second: Group, groups: Sequence[Group], pairs: int = 1) -> DivergencePoint:
    """Return where two groups part.

    Args:
        metric: its name.
        first: a group that has it.
        second: another one.
        groups: all groups; those with repetitions lend their spread.
        pairs: that are held against each other by this metric; each gets its share of the 5 % (Bonferroni).
    """
    error = (1 - CONFIDENCE) / pairs
    one, other = curves_of(first, metric), curves_of(second, metric)
    why, grid = common_grid([*one, *other])
    if why is not None:
        return DivergencePoint(metric, first.name, second.name, None, None, None, None, len(grid), None, why)
    window = _window(len(grid))
    a, b = _smooth(_on(grid, one), window), _smooth(_on(grid, other), window)
    lent = _lenders(metric, first, second, groups, grid) if min(len(a), len(b)) < 2 else []
    repeated = [curves for curves in (a, b, *(_smooth(_on(grid, one), window) for one in lent)) if len(curves) > 1]
    if repeated:
        half_a, half_b = _between(a, repeated, error), _between(b, repeated, error)
        basis: DivergenceBasis = "seeds" if len(a) > 1 and len(b) > 1 else "borrowed"
    else:
        raw_a, raw_b = _on(grid, one)[0], _on(grid, other)[0]
        reach = float(max(a.max(), b.max()) - min(a.min(), b.min()))
        half_a, half_b = (
            _within(raw, smooth[0], window, error) + ALLOWANCE * reach for raw, smooth in ((raw_a, a), (raw_b, b))
        )
        basis = "within_run"
    gap = a.mean(axis=0) - b.mean(axis=0)
    separable = np.where(np.abs(gap) > half_a + half_b, np.sign(gap), 0.0)
    at = _from_where(separable)
    last = float(grid[-1])
    if at is None:
        return DivergencePoint(metric, first.name, second.name, None, None, None, basis, len(grid), last)
    before = float(grid[max(0, at - 1 - window // 2)])
    higher = first.name if separable[-1] > 0 else second.name
    return DivergencePoint(metric, first.name, second.name, float(grid[at]), before, higher, basis, len(grid), last)


def curves_of(group: Group, metric: str) -> list[CleanSeries]:
    """Return the clean series of a group's runs that have the metric."""
    found = [run.history.series[metric].clean for run in group.runs if metric in run.history.series]
    return [clean for clean in found if len(clean)]


def common_grid(curves: Sequence[CleanSeries]) -> tuple[str | None, NDArray[np.float64]]:
    """Return why curves cannot be held against each other, else None, and their common steps.

    The grid is that of the curve with the fewest points within the range that all cover; the others are interpolated.
    """
    none: NDArray[np.float64] = np.empty(0)
    ends = [float(clean.steps[-1] - clean.steps[0]) for clean in curves]
    if min(ends) <= 0 or min(len(clean) for clean in curves) < LEAST_GRID:
        return f"a run has fewer than {LEAST_GRID} points", none
    if max(ends) > OTHER_UNIT * min(ends):
        return (
            f"steps span {max(ends):g} in one run and {min(ends):g} in another: another unit, or a run cut short",
            none,
        )
    low = max(float(clean.steps[0]) for clean in curves)
    high = min(float(clean.steps[-1]) for clean in curves)
    grids = [clean.steps[(clean.steps >= low) & (clean.steps <= high)] for clean in curves]
    grid = min(grids, key=len)
    if len(grid) < LEAST_GRID:
        return f"the runs have fewer than {LEAST_GRID} common steps", grid
    return None, grid


def _lenders(
    metric: str, first: Group, second: Group, groups: Sequence[Group], grid: NDArray[np.float64]
) -> list[list[CleanSeries]]:
    """Return the curves of the other groups with repetitions that cover the grid."""
    found = []
    for group in groups:
        if group.name in (first.name, second.name) or len(group.runs) < 2:
            continue
        curves = [one for one in curves_of(group, metric) if one.steps[0] <= grid[0] and one.steps[-1] >= grid[-1]]
        if len(curves) > 1 and group.runs[0].history.steps_are == "step":
            found.append(curves)
    return found


def _on(grid: NDArray[np.float64], curves: Sequence[CleanSeries]) -> NDArray[np.float64]:
    """Return curves on a grid, shape (runs, points)."""
    return np.array([np.interp(grid, clean.steps, clean.values) for clean in curves])


def _window(n: int) -> int:
    """Return over how many points a curve is smoothed: odd, a tenth of them, at most 15; 1 for fewer than 20."""
    return min(15, 2 * (n // 20) + 1)


def _smooth(curves: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    return curves if window == 1 else np.array([rolling_around(one, window)[0] for one in curves])


def _between(curves: NDArray[np.float64], repeated: Sequence[NDArray[np.float64]], error: float) -> NDArray[np.float64]:
    """Return half the width of a group's band from the spread between repetitions, shape (points,)."""
    from scipy.stats import t

    residuals = [one - one.mean(axis=0) for one in repeated]
    freedom = sum(len(one) - 1 for one in repeated)
    variance = _steadied(np.sum([(one**2).sum(axis=0) for one in residuals], axis=0) / freedom)
    if len(curves) > 1:
        variance = np.maximum(variance, _steadied(curves.var(axis=0, ddof=1)))
    related = float(np.mean([autocorrelation(row) for one in residuals for row in one]))
    points = curves.shape[1]
    independent = max(1.0, points * (1 - related) / (1 + related))
    c = float(t.ppf(1 - error / (2 * independent), freedom))
    half: NDArray[np.float64] = c * np.sqrt(variance / len(curves))
    return half


def _steadied(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return variances averaged over a tenth of the points around each."""
    width = min(len(variance), 2 * (len(variance) // 20) + 1)
    padded = np.pad(variance, width // 2, mode="edge")
    steadied: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded, width).mean(axis=1)
    return steadied


def _within(raw: NDArray[np.float64], smooth: NDArray[np.float64], window: int, error: float) -> NDArray[np.float64]:
    """Return half the width of one run's band from its noise, shape (points,).

    The median of w points with noise σ moves by σ·√(π/2w), and by √((1 + r)/(1 − r)) more where neighbours correlate.
    """
    from scipy.stats import norm

    related = autocorrelation(raw - smooth) if window > 1 else 0.0
    sigma = max(difference_sigma(raw), float(np.std(raw - smooth)))
    moved = sigma * math.sqrt((math.pi / (2 * window) if window > 1 else 1.0) * (1 + related) / (1 - related))
    points = len(raw) / window
    return np.full(len(raw), float(norm.ppf(1 - error / (2 * max(1.0, points)))) * moved)


def _from_where(separable: NDArray[np.float64]) -> int | None:
    """Return the first point from which on all are apart to the same side; None where too few are."""
    n, at = len(separable), len(separable)
    while at > 0 and separable[at - 1] != 0 and separable[at - 1] == separable[-1]:
        at -= 1
    return at if n - at >= max(_LEAST_DIVERGENT, math.ceil(_DIVERGENT_SHARE * n)) else None

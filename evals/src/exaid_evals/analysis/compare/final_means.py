"""The number that stands for a run or a group of runs, and how far noise within a run moves it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from exaid_evals.anomalies.robust import worsening
from exaid_evals.runs.history import LARGEST, CleanSeries, Series
from exaid_evals.runs.metric_names import Direction, direction_of, metric_named

Statistic = Literal["level", "best", "final"]
STATISTICS: tuple[Statistic, ...] = ("level", "best", "final")
LAST_SHARE = 0.2
"""Of a run's points, at its end, that its level is the mean of."""
_FAR, _INSANE = 1e3, 1e9
LEAST_POINTS = 5
"""Of a stretch; fewer have no level but their last value, and no interval."""
CONFIDENCE = 0.95
LEAST_INDEPENDENT = 5
"""Points that a stretch must be worth, correlation taken off, to say how far noise moves its mean."""


@dataclass(frozen=True, slots=True)
class FinalMean:
    """A number with its interval.

    Attributes:
        value: in units of the metric.
        low, high: the 95 % interval; None where there is none.
        sd: of the values that it is the mean of (ddof 1); None for fewer than two.
        n: of these values.
    """

    value: float
    low: float | None
    high: float | None
    sd: float | None
    n: int


def last_stretch(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the last 20 % of the values, at least 5; all where there are fewer."""
    return values[-max(LEAST_POINTS, math.ceil(LAST_SHARE * len(values))) :]


def run_value(clean: CleanSeries, statistic: Statistic, direction: Direction | None) -> float | None:
    """Return the number that stands for a run; None where it has no points, or its best is asked for without direction.

    Args:
        clean: of a metric.
        statistic: `level` is the mean of the last stretch, `final` the last value, `best` the best one, which is the
            higher the more noise there is.
        direction: in which the metric improves.
    """
    if not len(clean) or (statistic == "best" and direction is None):
        return None
    if statistic == "best" and direction is not None:
        return float(clean.values[int(worsening(clean.values, direction).argmin())])
    if statistic == "final" or len(clean) < LEAST_POINTS:
        return float(clean.values[-1])
    return mean_of(last_stretch(clean.values))


def run_final_mean(series: Series, statistic: Statistic, direction: Direction | None) -> float | None:
    """Return the number that stands for a run by a metric; None for one that ended undefined, but for its best."""
    if statistic != "best" and ends_diverged(series):
        return None
    return run_value(series.clean, statistic, direction)


def ends_diverged(series: Series) -> bool:
    """Return whether a run diverged: half of its last fifth, or its last 5 points, are NaN or infinite, or it exploded.

    A positive metric that improves downwards has exploded where it ends a thousand times above its first values, or a
    loss above 10⁹. What it had before is not a level that it ends at, and no test is needed to say that it is worse.
    """
    if not len(series.defined):
        return False
    undefined = 1.0 - series.defined.astype(np.float64)
    return bool(last_stretch(undefined).mean() >= 0.5 or undefined[-LEAST_POINTS:].all()) or _exploded(series)


def _exploded(series: Series) -> bool:
    values = series.clean.values
    if len(values) < 2 or direction_of(series.metric) != "lower" or float(values.min()) <= 0:
        return False
    end = float(np.median(last_stretch(values)))
    first = float(np.median(values[: max(1, len(values) // 10)]))
    entry = metric_named(series.metric)
    return end >= _FAR * first or (end >= _INSANE and entry is not None and entry.name == "loss")


def ends_differ(steps: Sequence[float]) -> bool:
    """Return whether runs end at steps that differ by more than 5 %."""
    return max(steps) - min(steps) > 0.05 * min(map(abs, steps)) + 1e-9


def within_run(clean: CleanSeries) -> FinalMean | None:
    """Return the level of the last stretch with the interval that noise within the run gives it.

    level ± t · s/√m, with m = n·(1 − r)/(1 + r) for n values whose neighbours correlate by r, and m − 1 degrees of
    freedom. Source of m: G. V. Bayley and J. M. Hammersley, "The 'effective' number of independent observations in an
    autocorrelated time series", *Supplement to the Journal of the Royal Statistical Society* 8 (1946), 184–197. Few
    points say little of r, so that it is the larger of those of the last stretch and of the second half of the run.

    Returns:
        None for a series without points; no interval where m is under 5, or nothing varies.
    """
    from scipy.stats import t

    if not len(clean):
        return None
    if len(clean) < LEAST_POINTS:
        return FinalMean(float(clean.values[-1]), None, None, None, len(clean))
    values = last_stretch(clean.values)
    n, mean, sd = len(values), mean_of(values), sd_of(values)
    related = max(autocorrelation(values), autocorrelation(clean.values[-max(n, len(clean) // 2) :]))
    independent = min(float(n), n * (1 - related) / (1 + related))
    if independent < LEAST_INDEPENDENT - 1e-9 or sd == 0:
        return FinalMean(mean, None, None, sd, n)
    half = float(t.ppf((1 + CONFIDENCE) / 2, independent - 1)) * sd / math.sqrt(independent)
    return FinalMean(mean, mean - half, mean + half, sd, n)


def autocorrelation(values: NDArray[np.float64]) -> float:
    """Return how neighbours correlate, between 0 and 0.95.

    The estimate from few values is too low by about (1 + 4r)/n, which is added: M. G. Kendall, "Note on bias in the
    estimation of autocorrelation", *Biometrika* 41 (1954), 403–404.
    """
    n = len(values)
    centred = values - values.mean()
    power = float((centred**2).sum())
    if n < 3 or power <= 0:
        return 0.0
    r = float((centred[1:] * centred[:-1]).sum()) / power
    return min(0.95, max(0.0, r + (1 + 4 * r) / n))


def over_repetitions(values: NDArray[np.float64], resamples: int = 2000) -> FinalMean:
    """Return the mean over repetitions (seeds, cases) with its 95 % interval.

    Up to 9 values: Student's t, which is exact for normal values; a bootstrap of so few draws the same few samples
    again and again. From 10 on: the bootstrap-t interval, which leans on no distribution. Repetitions that are all the
    same have no interval: that they do not vary is not certainty, but a seed without effect or a metric of few values.

    Args:
        values: shape (n,), finite, n ≥ 1.
        resamples: of the bootstrap, whose seed is fixed, so that the same values have the same interval.
    """
    from scipy.stats import t

    n, mean = len(values), mean_of(values)
    if n < 2:
        return FinalMean(mean, None, None, None, n)
    sd = sd_of(values)
    if sd <= 1e-12 * abs(mean):
        return FinalMean(mean, None, None, 0.0, n)
    if n < BOOTSTRAP_FROM:
        half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)
        return FinalMean(mean, mean - half, mean + half, sd, n)
    from exaid_evals.stats.bootstrap import bootstrap_means, resample_counts, sup_t_band

    # Around the mean: squares of values far from 0 would lose the digits that their spread is made of.
    column = (values - mean)[:, None]
    counts = resample_counts(n, resamples, np.random.default_rng(_SEED))
    means, squares = bootstrap_means(column, counts), bootstrap_means(column**2, counts)
    low, high = sup_t_band(means, squares, np.zeros(1), np.array([sd]), np.array([n]), CONFIDENCE)[:, 0]
    return FinalMean(mean, mean + float(low), mean + float(high), sd, n)


_SEED = 42
BOOTSTRAP_FROM = 10
"""Values from which on an interval is bootstrapped."""


def mean_of(values: NDArray[np.float64]) -> float:
    """Return the mean, its sum exact before one rounding, so that it depends on no machine."""
    try:
        return math.fsum(values.tolist()) / len(values)
    except OverflowError:  # of the sum; the mean is a number all the same
        return math.fsum((values / len(values)).tolist())


def sd_of(values: NDArray[np.float64]) -> float:
    """Return the standard deviation of a sample (ddof 1) of two and more."""
    mean = mean_of(values)
    try:
        return math.sqrt(math.fsum((value - mean) ** 2 for value in values.tolist()) / (len(values) - 1))
    except OverflowError:  # of a square
        return float(np.linalg.norm(values / LARGEST - mean / LARGEST)) * LARGEST / math.sqrt(len(values) - 1)


Basis = Literal["seeds", "cases", "within_run", "none"]
"""What an interval is of: the variation between seeds, between cases, or the noise within one run; or there is none."""


@dataclass(frozen=True, slots=True)
class Performance:
    """A group by a metric.

    Attributes:
        group: its name.
        level: mean over its runs, with the interval.
        basis: of the interval.
        values: run → the number that stands for it; None where the run lacks the metric.
        best: the best value of any of its runs, with run and step; None where the direction is not known.
        last_step: the last steps of its runs, least and greatest.
        diverged: its runs that end in NaN, infinite or exploded values, and so have no level.
        repetitions: seed, fold or case → value; by these its runs are paired with those of other groups.
    """

    group: str
    level: FinalMean
    basis: Basis
    values: Mapping[str, float | None]
    best: tuple[float, str, float] | None
    last_step: tuple[float, float]
    diverged: tuple[str, ...] = ()
    repetitions: Mapping[str, float] = field(default_factory=dict)

    @property
    def n_missing(self) -> int:
        """Runs that lack the metric, or end without a number of it."""
        return sum(value is None for value in self.values.values())

    @property
    def identical(self) -> bool:
        """Whether several repetitions all have one value."""
        return self.basis == "none" and self.level.sd == 0 and len(self.values) - self.n_missing > 1

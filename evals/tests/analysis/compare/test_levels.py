"""The number that stands for a run and its interval, at the limits where rules change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from exaid_evals.analysis.compare.final_means import (
    FinalMean,
    autocorrelation,
    ends_differ,
    ends_diverged,
    last_stretch,
    over_repetitions,
    run_final_mean,
    run_value,
    within_run,
)
from exaid_evals.runs.history import CleanSeries, Point, Series

ALTERNATING = [0.0, 2.0]
"""Neighbours that correlate negatively, so that every value counts as independent."""


def clean(values: list[float]) -> CleanSeries:
    """Return a series over steps 0, 1, 2 and so on."""
    return CleanSeries(np.arange(len(values), dtype=np.float64), np.array(values))


def series(values: list[float]) -> Series:
    """Return a series as logged."""
    return Series("loss", tuple(Point(float(step), value) for step, value in enumerate(values)))


@pytest.mark.parametrize(("points", "taken"), [(3, 3), (5, 5), (25, 5), (26, 6), (30, 6), (31, 7), (100, 20)])
def test_the_last_stretch_is_a_fifth_and_at_least_five(points: int, taken: int) -> None:
    """A fifth is rounded up."""
    values = np.arange(points, dtype=np.float64)
    assert last_stretch(values).tolist() == values[points - taken :].tolist()


@pytest.mark.parametrize(("points", "level"), [(4, 3.0), (5, 2.0)])
def test_a_level_needs_five_points(points: int, level: float) -> None:
    """Of 0, 1, 2, 3 it is the last value; with 4 too it is their mean, whether or not the direction is known."""
    for direction in (None, "lower"):
        assert run_value(clean([float(i) for i in range(points)]), "level", direction) == level  # type: ignore[arg-type]


def test_the_best_needs_a_direction() -> None:
    """Without one there is none; with one it is the value itself."""
    assert run_value(clean([2.0, 1.0, 3.0]), "best", None) is None
    assert run_value(clean([2.0, 1.0, 3.0]), "best", "lower") == 1.0
    assert run_value(clean([2.0, 1.0, 3.0]), "best", "higher") == 3.0
    assert run_value(clean([]), "best", "lower") is None


@pytest.mark.parametrize(
    ("values", "undefined"),
    [
        ([1.0] * 20 + [math.nan, 1.0] * 2 + [1.0], False),  # 2 of the last 5
        ([1.0] * 40 + [math.nan, 1.0] * 5, True),  # the last 10: 5 of 10
        ([1.0] * 40 + [math.nan, 1.0] * 4 + [1.0, 1.0], False),  # 4 of 10
        ([1.0] * 95 + [math.inf] * 5, True),  # 5 of 20, but all of the last five
        ([1.0] * 95 + [math.inf] * 4 + [1.0], False),
        ([1.0] * 94 + [math.nan] * 5 + [1.0], False),
        ([], False),
    ],
)
def test_half_of_the_last_fifth_or_the_last_five(values: list[float], undefined: bool) -> None:
    """From half on, what a run had before is not a level that it ends at."""
    assert ends_diverged(series(values)) is undefined


def test_a_run_that_ended_undefined_has_a_best_but_no_level() -> None:
    """Its best was reached all the same."""
    gone = series([3.0, 1.0, 2.0] + [math.nan] * 5)
    assert run_final_mean(gone, "level", "lower") is None
    assert run_final_mean(gone, "final", "lower") is None
    assert run_final_mean(gone, "best", "lower") == 1.0


@pytest.mark.parametrize(
    ("steps", "differ"),
    [([100, 105], False), ([100, 105.1], True), ([105.1, 100], True), ([0, 0], False), ([0, 1], True), ([7], False)],
)
def test_ends_differ_by_more_than_a_twentieth(steps: list[float], differ: bool) -> None:
    """A twentieth of the earlier end is allowed, rounding of large steps too."""
    assert ends_differ(steps) is differ
    assert ends_differ([step * 1e9 for step in steps]) is differ


def test_autocorrelation_is_kendalls_corrected_estimate() -> None:
    """The correlation of neighbours about the mean, by its definition, and (1 + 4r)/n for what few values lack."""
    values = [0.0, 1.0, 3.0, 2.0, 4.0, 1.0, 0.0, 0.0, 1.0, 3.0, 5.0, 4.0]
    away = [value - 2.0 for value in values]
    r = sum(away[i] * away[i + 1] for i in range(11)) / sum(each**2 for each in away)
    assert r == pytest.approx(15 / 34)
    assert autocorrelation(np.array(values)) == pytest.approx(r + (1 + 4 * r) / 12)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (ALTERNATING * 5, 0.0),
        ([float(i) for i in range(100)], 0.95),
        ([1.0, 2.0], 0.0),
        ([1.0] * 9, 0.0),
        # The middle one of three is their mean: r = 0, to which 1/3 is added.
        ([0.1, 0.2, 0.3], 1 / 3),
        # About their mean 2: -1, 1, 0, so that r = -1/2, and -1/2 + (1 - 2)/3 < 0.
        ([1.0, 3.0, 2.0], 0.0),
        # About their mean 2/3: r = (2/3 · 1/3 - 2/3 · 1/3 …) = -1/6, to which (1 - 2/3)/3 = 1/9 is added.
        ([0.0, 1.0, 1.0], 0.0),
        # About 0: r = (1 + 0 + 1)/4 = 1/2, to which 3/4 are added: no more than 0.95.
        ([-1.0, -1.0, 1.0, 1.0], 0.25 + (1 + 1.0) / 4),
    ],
)
def test_autocorrelation_stays_between_0_and_095(values: list[float], expected: float) -> None:
    """Two values, and values that do not vary, have none."""
    assert autocorrelation(np.array(values)) == pytest.approx(expected)


@pytest.mark.parametrize(("points", "interval"), [(4, False), (5, True)])
def test_five_independent_points_have_an_interval(points: int, interval: bool) -> None:
    """Of fewer the last value stands for the run, without an interval."""
    values = [0.0, 2.0, 1.0, 3.0, 0.0][:points]
    found = within_run(clean(values))
    assert found is not None
    assert (found.low is not None) is interval
    assert found.n == points
    if not interval:
        assert found == FinalMean(values[-1], None, None, None, points)


def test_points_that_are_worth_fewer_than_five_have_no_interval() -> None:
    """Five that correlate a little are worth 4.6."""
    values = [0.0, 1.0, 0.0, 1.0, 2.0]
    r = autocorrelation(np.array(values))
    assert 4 < 5 * (1 - r) / (1 + r) < 5
    assert within_run(clean(values)) == FinalMean(0.8, None, None, pytest.approx(np.std(values, ddof=1)), 5)


def test_an_interval_of_independent_points_is_students() -> None:
    """The last 20 of 100 that alternate are worth 20: SciPy's interval is the oracle."""
    values = ALTERNATING * 50
    found = within_run(clean(values))
    low, high = stats.t.interval(0.95, 19, loc=1.0, scale=stats.sem(values[-20:]))
    assert found is not None
    assert (found.value, found.low, found.high, found.n) == (1.0, pytest.approx(low), pytest.approx(high), 20)
    assert found.sd == pytest.approx(np.std(values[-20:], ddof=1))


@pytest.mark.parametrize("late", [True, False])
def test_points_that_correlate_are_worth_fewer(late: bool) -> None:
    """They are worth n (1 - r)/(1 + r), by the larger r of the last stretch and the second half."""
    correlated, independent = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0] * 8, [0.4, 0.6] * 18
    values = [*([0.0] * 85), *(independent + correlated if late else correlated + independent)]
    stretch, half = np.array(values[-34:]), np.array(values[-84:])
    r = max(autocorrelation(stretch), autocorrelation(half))
    assert r == (autocorrelation(stretch) if late else autocorrelation(half)) > 0
    worth = 34 * (1 - r) / (1 + r)
    low, high = stats.t.interval(0.95, worth - 1, loc=stretch.mean(), scale=stretch.std(ddof=1) / math.sqrt(worth))
    assert 5 < worth < 34
    found = within_run(clean(values))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high))


def test_values_that_do_not_vary_have_a_level_without_interval() -> None:
    """That noise does not move them is not certainty."""
    assert within_run(clean([0.5] * 40)) == FinalMean(0.5, None, None, 0.0, 8)
    assert within_run(clean([])) is None


def test_a_single_repetition_has_no_interval_and_two_have() -> None:
    """One value says nothing of its spread."""
    assert over_repetitions(np.array([3.0])) == FinalMean(3.0, None, None, None, 1)
    low, high = stats.t.interval(0.95, 1, loc=2.0, scale=1.0)
    found = over_repetitions(np.array([1.0, 3.0]))
    assert (found.low, found.high, found.n) == (pytest.approx(low), pytest.approx(high), 2)


def test_intervals_of_nine_are_students() -> None:
    """SciPy's is the oracle."""
    values = np.random.default_rng(4).lognormal(0, 1, 9)
    found = over_repetitions(values)
    expected = stats.t.interval(0.95, 8, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)


def test_from_ten_repetitions_on_intervals_are_bootstrap_t() -> None:
    """A loop over resamples of seed 42, each mean divided by the error that the resample itself gives."""
    values = np.random.default_rng(4).lognormal(0, 1, 10)
    drawn = [values[row] for row in np.random.default_rng(42).integers(0, 10, size=(2000, 10))]
    t = [abs(one.mean() - values.mean()) / (one.std(ddof=1) / math.sqrt(10)) for one in drawn if one.std() > 0]
    half = float(np.quantile(t, 0.95)) * values.std(ddof=1) / math.sqrt(10)
    found = over_repetitions(values)
    assert len(t) == 2000
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))


@pytest.mark.parametrize(("spread", "interval"), [(1e-13, False), (1e-11, True)])
@pytest.mark.parametrize("mean", [100.0, -100.0])
def test_what_rounding_leaves_is_no_spread(mean: float, spread: float, interval: bool) -> None:
    """Repetitions that differ by less than 1e-12 of their mean are identical."""
    found = over_repetitions(mean * np.array([1.0, 1.0 + spread, 1.0 - spread]))
    if interval:
        assert found.low is not None
    else:
        assert found == FinalMean(mean, None, None, 0.0, 3)

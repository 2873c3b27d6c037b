"""The bootstrap over seeds and cases against plain loops, and what it must not do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from exaid_evals.stats.bootstrap import hierarchical_interval, percentile_intervals, resample_counts

NAN = float("nan")


def groups(n_seeds: int = 4, n_cases: int = 9, *, between: float = 1.0) -> list[np.ndarray]:
    """Return seeds that differ, with cases that do."""
    rng = np.random.default_rng(11)
    return [rng.normal(rng.normal(0, between), 1, (n_cases + (seed % 2), 2)) for seed in range(n_seeds)]


def test_the_mean_is_that_of_seed_means() -> None:
    """A seed with many cases counts as much as one with few; undefined values are left out of their seed."""
    data = [np.array([[0.0], [2.0]]), np.array([[3.0], [NAN], [5.0], [7.0]])]
    mean, _ = hierarchical_interval(data, 100, np.random.default_rng(0))
    assert mean.tolist() == [3.0]


def test_nested_agrees_with_a_loop() -> None:
    """Seeds drawn, then cases anew within each drawn seed: a loop gives the same bounds, up to chance."""
    data = groups()
    rng = np.random.default_rng(5)
    means = []
    for _ in range(6000):
        drawn = [data[seed] for seed in rng.integers(0, len(data), len(data))]
        means.append(np.mean([one[rng.integers(0, len(one), len(one))].mean(axis=0) for one in drawn], axis=0))
    _, bounds = hierarchical_interval(data, 6000, np.random.default_rng(6))
    assert bounds == pytest.approx(np.percentile(means, [2.5, 97.5], axis=0), abs=0.08)


def test_crossed_is_the_loop() -> None:
    """The same draws of seeds and of cases, in a loop, give the same bounds to 1e-9."""
    data = [one[:9] for one in groups()]
    rng = np.random.default_rng(6)
    seeds = rng.integers(0, len(data), size=(500, len(data)))
    cases = rng.integers(0, 9, size=(500, 9))
    means = [
        np.mean([data[s][row].mean(axis=0) for s in drawn], axis=0) for drawn, row in zip(seeds, cases, strict=True)
    ]
    _, bounds = hierarchical_interval(data, 500, np.random.default_rng(6), crossed=True)
    assert bounds == pytest.approx(np.percentile(means, [2.5, 97.5], axis=0), abs=1e-9)


def test_equal_seeds_leave_the_interval_over_cases() -> None:
    """Where all seeds give the same, crossed resampling is the bootstrap over cases, as SciPy makes it."""
    values = np.random.default_rng(8).normal(size=(30, 1))
    _, bounds = hierarchical_interval([values] * 3, 9999, np.random.default_rng(1), crossed=True)
    oracle = stats.bootstrap(
        (values[:, 0],), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert bounds[:, 0] == pytest.approx([oracle.low, oracle.high], abs=0.03)


def test_seeds_are_not_pooled_as_cases() -> None:
    """Three seeds of the same 40 cases make no 120 cases: the pooled interval is far narrower than the crossed one."""
    rng = np.random.default_rng(9)
    cases = rng.normal(size=(40, 1))
    data = [cases + rng.normal(0, 0.05, cases.shape) for _ in range(3)]
    _, crossed = hierarchical_interval(data, 4000, np.random.default_rng(1), crossed=True)
    _, nested = hierarchical_interval(data, 4000, np.random.default_rng(1))
    pooled = percentile_intervals(np.vstack(data), resample_counts(120, 4000, np.random.default_rng(1)))
    width = {name: float(np.diff(one, axis=0)[0, 0]) for name, one in (("c", crossed), ("n", nested), ("p", pooled))}
    assert width["c"] > 1.5 * width["p"]
    assert width["c"] > 1.3 * width["n"]


@pytest.mark.parametrize("crossed", [False, True])
def test_one_seed_has_no_interval(crossed: bool) -> None:
    """One seed, or one that alone defines a column, says nothing about how seeds differ; its mean stands."""
    one = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 3.0]])
    mean, bounds = hierarchical_interval([one], 50, np.random.default_rng(0), crossed=crossed)
    assert (mean == one.mean(axis=0)).all()
    assert np.isnan(bounds).all()
    half = one.copy()
    half[:, 1] = NAN
    mean, bounds = hierarchical_interval([one, half], 50, np.random.default_rng(0), crossed=crossed)
    assert mean[1] == 2
    assert np.isnan(bounds[:, 1]).all()
    assert np.isfinite(bounds[:, 0]).all()


@pytest.mark.parametrize("seed", range(6))
def test_each_slot_draws_any_seed(seed: int) -> None:
    """Of seeds that do not vary within, a single resample is the mean of those drawn, in whichever order."""
    data = [np.full((2, 1), value) for value in (1.0, 10.0, 100.0)]
    drawn = np.random.default_rng(seed).integers(0, 3, size=(1, 3))
    _, bounds = hierarchical_interval(data, 1, np.random.default_rng(seed))
    assert bounds.ravel().tolist() == [pytest.approx(np.mean([data[one][0, 0] for one in drawn[0]]))] * 2


def test_a_seed_without_cases_is_left_out() -> None:
    """Whether it is drawn or not: it has no mean."""
    data = [np.empty((0, 1)), np.full((2, 1), 3.0), np.full((2, 1), 3.0)]
    mean, bounds = hierarchical_interval(data, 50, np.random.default_rng(0))
    assert mean.tolist() == [3.0]
    assert bounds.ravel().tolist() == [3.0, 3.0]


@pytest.mark.parametrize("crossed", [False, True])
def test_a_seed_that_defines_nothing_is_left_out(crossed: bool) -> None:
    """A resample that draws it has the mean of the others; one that draws it alone has none, and is left out."""
    data = [np.full((2, 1), 3.0), np.full((2, 1), NAN), np.full((2, 1), 3.0)]
    mean, bounds = hierarchical_interval(data, 50, np.random.default_rng(0), crossed=crossed)
    assert mean.tolist() == [3.0]
    assert bounds.ravel().tolist() == [3.0, 3.0]


def test_seeds_without_a_case_say_nothing() -> None:
    """Neither mean nor bounds, per column."""
    mean, bounds = hierarchical_interval([np.empty((0, 2))] * 2, 50, np.random.default_rng(0), crossed=True)
    assert np.isnan(mean).tolist() == [True, True]
    assert np.isnan(bounds).tolist() == [[True, True]] * 2


def test_groups_that_do_not_fit_are_refused() -> None:
    """Rows that cannot be the same cases, and other columns, under either design; no group at all is none."""
    with pytest.raises(ValueError, match="same cases and columns"):
        hierarchical_interval(groups(), 50, np.random.default_rng(0), crossed=True)
    with pytest.raises(ValueError, match="same columns"):
        hierarchical_interval([np.zeros((3, 1)), np.zeros((3, 2))], 50, np.random.default_rng(0))
    with pytest.raises(ValueError, match="same columns"):
        hierarchical_interval([], 50, np.random.default_rng(0))


@pytest.mark.parametrize("crossed", [False, True])
def test_integers_and_a_generator_give_the_same_bits_again(crossed: bool) -> None:
    """Nothing but the data and the generator that is passed in decides."""
    data = [np.rint(one[:9] * 1e6) for one in groups()]
    one, two = (hierarchical_interval(data, 300, np.random.default_rng(3), crossed=crossed) for _ in range(2))
    assert (one[0] == two[0]).all()
    assert (one[1] == two[1]).all()

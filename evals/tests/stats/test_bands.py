"""Simultaneous bands against a plain loop, and at their edges."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.stats.bootstrap import bootstrap_means, resample_counts, sup_t_band
from exaid_evals.stats.descriptive import describe

NAN = float("nan")


def band_of(values: np.ndarray, resamples: int = 400) -> np.ndarray:
    """Return the band of a matrix of cases × points."""
    counts = resample_counts(len(values), resamples, np.random.default_rng(7))
    described = describe(values)
    means, squares = bootstrap_means(values, counts), bootstrap_means(values * values, counts)
    return sup_t_band(means, squares, described.mean, described.sd, described.n)


def test_the_band_is_that_of_a_loop() -> None:
    """Resample rows, take t with the resample's own standard error, the greatest over points, its 95 % quantile."""
    values = np.random.default_rng(1).normal(size=(15, 4)).cumsum(axis=1)
    indices = np.random.default_rng(7).integers(0, 15, size=(400, 15))
    mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(15)
    greatest = []
    for row in indices:
        drawn = values[row]
        own = drawn.std(axis=0, ddof=1) / np.sqrt(15)
        greatest.append(max(abs(drawn.mean(axis=0) - mean) / own))
    critical = np.quantile(greatest, 0.95)
    assert band_of(values) == pytest.approx(np.array([mean - critical * error, mean + critical * error]), abs=1e-9)


def test_a_band_of_one_point_is_the_bootstrap_t_interval_and_more_points_widen_it() -> None:
    """What holds at many points at once is wider than what holds at one."""
    values = np.random.default_rng(2).normal(size=(40, 30))
    alone = np.diff(band_of(values[:, :1]), axis=0)[0, 0]
    together = np.diff(band_of(values), axis=0)[0, 0]
    assert together > 1.2 * alone


@pytest.mark.parametrize("factor", [1e-7, 1e7])
def test_the_unit_of_the_values_is_of_no_account(factor: float) -> None:
    """Values of any size have the band of that size: what counts as no spread is a share of the values."""
    values = np.random.default_rng(1).normal(size=(15, 4))
    assert band_of(values * factor) == pytest.approx(band_of(values) * factor, rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_points_without_spread_have_no_width_and_no_say() -> None:
    """Coverage at budget 0 is 0 in every case: the band there is 0 to 0, and elsewhere what it is without it."""
    values = np.random.default_rng(3).random((20, 3))
    with_zero = band_of(np.hstack([np.zeros((20, 1)), values]))
    assert with_zero[:, 0].tolist() == [0, 0]
    assert (with_zero[:, 1:] == band_of(values)).all()


def test_a_resample_without_spread_is_divided_by_the_samples_error() -> None:
    """One case of 20 rises from 0: a third of resamples miss it; the band is finite all the same."""
    values = np.zeros((20, 1))
    values[0] = 1.0
    assert np.isfinite(band_of(values)).all()


@pytest.mark.filterwarnings("error")
def test_a_resample_of_one_value_alone_is_one_without_spread() -> None:
    """One case of 20 falls from 1 to 0.9: the band is that of a rise from 0 to 0.1, turned round."""
    values = np.ones((20, 1))
    values[0] = 0.9
    low, high = band_of(values)
    rising_low, rising_high = band_of(np.round(1 - values, 1))
    assert np.isfinite([low, high]).all()
    assert (1 - high, 1 - low) == (pytest.approx(rising_low), pytest.approx(rising_high))


@pytest.mark.parametrize(("n", "known"), [(0, False), (1, False), (3, False), (4, True)])
def test_a_band_needs_four_values(n: int, known: bool) -> None:
    """Of fewer there is none, though their spread be given as none."""
    flat = np.zeros((1, 3))
    band = sup_t_band(flat, flat, np.zeros(1), np.zeros(1), np.array([n]))
    assert np.isfinite(band).all() == known


def test_undefined_points_have_no_band() -> None:
    """A point that fewer than four cases define has none; cases that define nothing are left out of the others."""
    values = np.random.default_rng(4).random((12, 2))
    values[1:, 1] = NAN
    assert np.isnan(band_of(values)[:, 1]).all()
    everywhere_nan = np.full((12, 2), NAN)
    assert np.isnan(band_of(everywhere_nan)).all()
    some = np.random.default_rng(4).random((12, 2))
    some[3] = NAN
    low, high = band_of(some)
    assert (low < np.nanmean(some, axis=0)).all()
    assert (high > np.nanmean(some, axis=0)).all()

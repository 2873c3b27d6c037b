"""Descriptive statistics against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.stats.descriptive import describe, quantile

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)


@given(numbers)
def test_each_statistic_equals_numpys(values: list[float]) -> None:
    """Mean, sd (ddof 1), median, least and greatest value; sd is undefined for one value."""
    described = describe(np.array(values)[:, np.newaxis])
    assert described.n[0] == len(values)
    expected = [np.mean(values), np.median(values), min(values), max(values)]
    actual = [described.mean[0], described.median[0], described.min[0], described.max[0]]
    assert actual == pytest.approx(expected, rel=1e-9, abs=1e-9)
    sd = np.std(values, ddof=1) if len(values) > 1 else np.nan
    assert described.sd[0] == pytest.approx(sd, rel=1e-6, abs=1e-6, nan_ok=True)


@given(numbers, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_bit(values: list[float], rng: object) -> None:
    """Sums are exact before their one rounding."""
    shuffled = list(values)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (describe(np.array(column)[:, np.newaxis]) for column in (values, shuffled))
    assert (one.mean[0], one.median[0]) == (other.mean[0], other.median[0])
    assert np.array_equal(one.sd, other.sd, equal_nan=True)


def test_undefined_values_are_left_out_and_counted() -> None:
    """A column without any value has no statistic but n = 0."""
    described = describe(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]]))
    assert described.n.tolist() == [2, 0]
    assert described.mean[0] == 2
    assert np.isnan([described.mean[1], described.sd[1], described.median[1], described.min[1], described.max[1]]).all()


@given(numbers, st.floats(0, 1))
def test_quantiles_equal_numpys(values: list[float], q: float) -> None:
    """Type 7: linear between order statistics."""
    assert quantile(values, q) == pytest.approx(np.quantile(values, q), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(("values", "median"), [([-1.7e308, 1.7e308, 1.7e308], 1.7e308), ([5e-324], 5e-324)])
def test_a_median_lies_within_the_values(values: list[float], median: float) -> None:
    """However large they are: it is their middle one, or between two, and not the half of a sum that overflows."""
    assert describe(np.array(values)[:, np.newaxis]).median[0] == median


def test_infinities_have_no_mean() -> None:
    """Of both signs, their sum is not a number."""
    described = describe(np.array([[np.inf], [-np.inf]]))
    assert np.isnan(described.mean[0])
    assert (described.min[0], described.max[0]) == (-np.inf, np.inf)

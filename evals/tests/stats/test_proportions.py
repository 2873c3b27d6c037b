"""Intervals of proportions against statsmodels'."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from exaid_evals.stats.descriptive import wilson_interval


@given(st.integers(1, 5000), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilsons_interval_is_statsmodels(n: int, share: float, level: float) -> None:
    """At every number of successes, none and all included, where the bootstrap's would be a point."""
    successes = round(share * n)
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert wilson_interval(successes, n, level) == pytest.approx(expected, abs=1e-12)


def test_no_trial_has_no_interval() -> None:
    """Nothing is known of the proportion."""
    assert wilson_interval(0, 0) is None

"""Paired scores of two systems against SciPy's and statsmodels', and the promises that docs/statistics.md makes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar

from exaid_evals.stats.paired import mcnemar_p, mean_difference, sign_flip_p
from scripts import script_module

Floats = NDArray[np.float64]
EXACT = pytest.approx


@pytest.mark.parametrize(("n", "groups"), [(60, 12), (200, 40), (7, 3)])
def test_the_interval_over_clusters_is_statsmodels(n: int, groups: int) -> None:
    """An intercept alone with cov_type="cluster" and Student's t has the same error and interval."""
    rng = np.random.default_rng(n)
    differences, clusters = rng.normal(0.2, 1, n), rng.integers(0, groups, n)
    found = mean_difference(differences, clusters)
    fitted = OLS(differences, np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
    assert (found.value, found.error) == EXACT((fitted.params[0], fitted.bse[0]), abs=1e-9)
    assert (found.low, found.high) == EXACT(tuple(fitted.conf_int()[0]), abs=1e-9)


def test_the_interval_without_clusters_is_scipys() -> None:
    """Where each item is its own cluster, it is the interval of a paired t test; its clusters may also be given."""
    differences = np.random.default_rng(1).normal(0.2, 1, 50)
    expected = stats.ttest_1samp(differences, 0).confidence_interval()
    for clusters in (None, np.arange(50)):
        found = mean_difference(differences, clusters)
        assert (found.low, found.high) == EXACT((expected.low, expected.high), abs=1e-9)


def test_what_does_not_vary_has_no_interval() -> None:
    """One item, one cluster, and equal differences: no interval, and nothing that would have been found."""
    for values, clusters in (([0.5], None), ([1.0, 0.0], [3, 3]), ([0.25] * 8, None), ([0.0] * 8, None)):
        codes = None if clusters is None else np.array(clusters)
        found = mean_difference(np.array(values), codes)
        assert (found.low, found.high, found.detectable) == (None, None, None)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_test_is_statsmodels(gained: int, lost: int) -> None:
    """The exact p is statsmodels'; mid-p counts half of the outcomes as far from even as the observed one."""
    found = mcnemar_p(gained, lost)
    if not gained + lost:
        assert found is None
        return
    assert found is not None
    exact = mcnemar([[0, lost], [gained, 0]], exact=True).pvalue
    assert found[0] == EXACT(exact, abs=1e-9)
    of_all = stats.binom.pmf(np.arange(gained + lost + 1), gained + lost, 0.5)
    distance = np.abs(2 * np.arange(gained + lost + 1) - gained - lost)
    here = abs(gained - lost)
    assert found[1] == EXACT(of_all[distance > here].sum() + of_all[distance == here].sum() / 2, abs=1e-9)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=80))
def test_permutations_of_right_and_wrong_are_mcnemars(values: list[float]) -> None:
    """Where single items change sides, both p are McNemar's."""
    differences = np.array(values)
    found = sign_flip_p(differences, np.random.default_rng(0))
    expected = mcnemar_p(int((differences > 0).sum()), int((differences < 0).sum()))
    assert found == (None if expected is None else EXACT(expected, abs=1e-9))


def _by_scipy(sums: Floats) -> float:
    done = stats.permutation_test((sums,), np.sum, permutation_type="samples", n_resamples=np.inf)
    return float(done.pvalue)


@pytest.mark.parametrize("seed", range(4))
def test_few_permutations_are_scipys(seed: int) -> None:
    """All changes of sign, tried or counted, give SciPy's exact p; with clusters, that of their sums."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.3, 1, 11)
    found = sign_flip_p(scores, rng)
    assert found is not None
    assert found[0] == EXACT(_by_scipy(scores), abs=1e-9)
    whole, clusters = rng.integers(-2, 4, 60).astype(float), np.repeat(np.arange(12), 5)
    found = sign_flip_p(whole, rng, clusters)
    assert found is not None
    assert found[0] == EXACT(_by_scipy(np.bincount(clusters, weights=whole)), abs=1e-9)
    assert found[1] <= found[0]


def test_drawn_permutations_are_near_the_exact_p() -> None:
    """Drawn for 30 scores, p is within four standard errors of what the normal distribution gives, and reproducible."""
    scores = np.random.default_rng(3).normal(0.3, 1, 30)
    first, second = (sign_flip_p(scores, np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert first is not None
    z = scores.sum() / np.sqrt((scores**2).sum())
    assert first[0] == EXACT(2 * stats.norm.sf(abs(z)), abs=0.02)


@pytest.mark.parametrize("scale", [1e-11, 1e-6, 1e9])
def test_the_unit_of_scores_changes_no_p(scale: float) -> None:
    """Differences below a billionth are not the whole number 0, and rounding noise proves nothing."""
    differences = np.array([1.0, 2.0, 3.0, -1.0])
    found = sign_flip_p(scale * differences, np.random.default_rng(0))
    by_scipy = _by_scipy(differences)
    assert found is not None
    assert (found[0], found[1] <= found[0]) == (EXACT(by_scipy), True)


def test_nothing_differs() -> None:
    """Without a difference there is no p; clusters whose items cancel each other differ by nothing."""
    rng = np.random.default_rng(0)
    assert sign_flip_p(np.zeros(5), rng) is None
    assert sign_flip_p(np.array([1.0, -1.0]), rng, np.array([0, 0])) is None


@pytest.mark.slow
def test_level_and_power_are_as_promised() -> None:
    """In 2,000 data sets the tests err in 4–6 %, and find what theory says within 2 points but for the draws' luck."""
    script = script_module("evals/bench/calibrate_statistics.py")
    for name, (level, power, without_luck, theory, held) in script.compared_logs(2_000).items():
        assert 4 <= level <= 6, name
        assert abs(without_luck - theory) <= 2, name
        assert abs(power - theory) <= 4 * 0.9, f"{name}: further off than draws are"
        assert 93.5 <= held <= 96.5, name

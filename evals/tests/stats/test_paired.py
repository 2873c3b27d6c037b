"""Paired tests, effects and power against SciPy's and statsmodels'."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from exaid_evals.stats.descriptive import holm
from exaid_evals.stats.paired import detectable_effect, rank_biserial, smallest_detectable_difference, wilcoxon_p


@pytest.mark.parametrize("n", [1, 2, 13, 14, 40, 50, 51, 302])
def test_the_test_is_scipys_without_ties(n: int) -> None:
    """Exact up to 50, approximate beyond: scipy.stats.wilcoxon gives the same p."""
    differences = np.random.default_rng(n).normal(0.2, 1, n)
    assert wilcoxon_p(differences) == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-9)


@pytest.mark.parametrize("n", [14, 40, 60])
def test_the_test_is_scipys_with_ties_and_zeros(n: int) -> None:
    """Beyond 13 differences ties and zeros bring the approximation, as in SciPy."""
    differences = np.random.default_rng(n).integers(-3, 5, n).astype(float)
    assert wilcoxon_p(differences) == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-9)


@pytest.mark.parametrize(
    "differences", [[2, 0], [1, 1, 2, 0], [1, -1, 2, 2], [0, 0, -3, 1, 1], [3, -1, 2, 2, 5, 5], [4, 4, 4, -4, 0, 1]]
)
def test_few_differences_with_ties_are_gone_through_as_scipy_does(differences: list[float]) -> None:
    """Counting the sums of ranks gives what SciPy's permutation test gives by trying all changes of sign."""
    values = np.array(differences, dtype=np.float64)
    assert wilcoxon_p(values) == pytest.approx(stats.wilcoxon(values).pvalue, abs=1e-9)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_few_differences_by_trying_all_signs(values: list[int]) -> None:
    """The p is twice the smaller tail of the rank sum over all 2ⁿ signs, tried one by one."""
    differences = np.array(values, dtype=np.float64)
    moved = differences[differences != 0]
    if not len(moved):
        assert wilcoxon_p(differences) is None
        return
    ranks = stats.rankdata(np.abs(moved))
    signs = (np.arange(2 ** len(moved))[:, np.newaxis] >> np.arange(len(moved))) & 1
    sums = signs @ ranks
    observed = ranks[moved > 0].sum()
    expected = min(1.0, 2 * min(np.mean(sums <= observed), np.mean(sums >= observed)))
    assert wilcoxon_p(differences) == pytest.approx(expected, abs=1e-12)


def test_nothing_to_rank_is_no_test() -> None:
    """Where every difference is zero there is neither p nor effect; not 1 and 0."""
    assert wilcoxon_p(np.zeros(20)) is rank_biserial(np.zeros(20)) is wilcoxon_p(np.array([])) is None


def test_millions_of_ties_are_corrected_for() -> None:
    """The cube of so many ties is more than 64 bits hold; p is that of the formula in Python's integers."""
    ones = 3_000_000
    differences = np.ones(ones)
    differences[: ones // 2 - 500] = -1
    balance, variance = 500 * (ones + 1) / 2, ones * (ones + 1) ** 2 / 16
    assert wilcoxon_p(differences) == pytest.approx(2 * stats.norm.sf(balance / variance**0.5), rel=1e-9)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=30))
def test_the_effect_follows_from_scipys_statistic(values: list[int]) -> None:
    """|r| = 1 − 2·W / (n(n + 1)/2) with SciPy's W, the smaller rank sum; turning the signs turns r."""
    differences = np.array(values, dtype=np.float64)
    moved = differences[differences != 0]
    found = rank_biserial(differences)
    if not len(moved):
        assert found is None
        return
    assert found is not None
    smaller = stats.wilcoxon(moved, method="asymptotic").statistic
    assert abs(found) == pytest.approx(1 - 2 * smaller / (len(moved) * (len(moved) + 1) / 2), abs=1e-9)
    assert rank_biserial(-differences) == -found


@pytest.mark.parametrize(("n", "scale"), [(1, 1.0), (2, 0.1), (12, 0.1), (40, 1.0)])
def test_holm_is_statsmodels(n: int, scale: float) -> None:
    """The function multipletests(method="holm") of statsmodels gives the same adjusted p values, in the same order.

    Two decimals make ties, and zeros among small ones. The oracle collects garbage at each call, so there are few.
    """
    p_values = np.round(np.random.default_rng(n).random(n) * scale, 2).tolist()
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


def test_nothing_tested_needs_no_adjustment() -> None:
    """A table without a p has none afterwards."""
    assert holm([]) == []


@pytest.mark.parametrize("n", [3, 5, 8, 12, 27, 40, 59, 302, 5000])
def test_power_is_statsmodels(n: int) -> None:
    """At the smallest detectable effect statsmodels' power of the paired t test is 80 %, to 1e-9."""
    assert TTestPower().power(detectable_effect(n), n, 0.05) == pytest.approx(0.8, abs=1e-9)


def test_two_pairs_detect_only_what_is_huge() -> None:
    """With one degree of freedom T is noncentral Cauchy: its tail at the critical value is integrated by SciPy."""
    shift = detectable_effect(2) * math.sqrt(2)
    critical = stats.cauchy.isf(0.025)
    found = [
        integrate.quad(lambda s, c=c: 2 * stats.norm.pdf(s) * stats.norm.sf(critical * s - c), 0, 12, epsabs=1e-12)[0]
        for c in (shift, -shift)
    ]
    assert sum(found) == pytest.approx(0.8, abs=1e-9)


@pytest.mark.parametrize("n", [5, 8, 10, 20, 40, 302])
def test_the_detectable_effect_is_statsmodels(n: int) -> None:
    """Its solve_power finds the same effect to 1e-6 (elsewhere its solver stops some 2e-6 short)."""
    assert detectable_effect(n) == pytest.approx(TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8), abs=1e-6)


def test_no_spread_promises_nothing() -> None:
    """Without spread, or with one pair, no detectable difference is claimed."""
    assert smallest_detectable_difference(0.0, 40) is None
    assert smallest_detectable_difference(float("nan"), 1) is None
    assert smallest_detectable_difference(2.0, 1) is None


@pytest.mark.parametrize(("sd", "n"), [(2.0, 40), (0.5, 2)])
def test_the_detectable_difference_is_in_units_of_the_spread(sd: float, n: int) -> None:
    """From two pairs on, however small the spread."""
    assert smallest_detectable_difference(sd, n) == sd * detectable_effect(n)


@pytest.mark.parametrize("differences", [[0.5, 0.5, -0.5, 0.25], [-0.25, -0.25, 0.75, -0.5, 0.0]])
def test_fractions_keep_their_sign(differences: list[float]) -> None:
    """With ties or zeros p is that of all changes of sign, counted one by one; −½ is not a gain."""
    moved = np.array([value for value in differences if value])
    ranks = stats.rankdata(np.abs(moved))
    sums = [ranks[np.array(signs) > 0].sum() for signs in product([1, -1], repeat=len(moved))]
    observed = ranks[moved > 0].sum()
    tails = (np.mean(np.array(sums) <= observed), np.mean(np.array(sums) >= observed))
    assert wilcoxon_p(np.array(differences)) == pytest.approx(min(1.0, 2 * min(tails)))

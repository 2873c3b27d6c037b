"""Agreement of raters: against SciPy, the package krippendorff, and definitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from exaid_evals.stats.agreement import Level, bootstrap, correlation, kappa, krippendorff_alpha
from timing import growth

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "krippendorff.json").read_text("utf-8"))


def rng() -> np.random.Generator:
    """Randomness of a test."""
    return np.random.default_rng(3)


@pytest.mark.parametrize("case", ORACLE["cases"])
def test_alpha_is_that_of_the_package(case: dict[str, Any]) -> None:
    """At every level of measurement, with and without missing ratings."""
    ratings = np.array(case["ratings"], dtype=float)
    items = np.arange(ratings.shape[1])
    for level, expected in case["alpha"].items():
        assert krippendorff_alpha(ratings, level)(items) == pytest.approx(expected)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_of_decimals_takes_time_in_proportion(level: Level) -> None:
    """Where each of many items has ratings of its own there is no table of all pairs of ratings."""

    def rated(n: int) -> None:
        alpha = krippendorff_alpha(rng().random((2, n)), level)
        for _ in range(20):
            alpha(np.arange(n))

    # A table of all pairs takes 16 times as long. Below this size NumPy 2.5 is quicker out of proportion.
    assert growth(rated, 8_000, times=4) < 10


def test_alpha_keeps_its_digits() -> None:
    """Ratings far from zero agree as those near it do."""
    ratings = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0]])
    near, far = (krippendorff_alpha(ratings + shift, "interval")(np.arange(4)) for shift in (0.0, 1e9))
    assert near == pytest.approx(far) == pytest.approx(0.93693694)


def test_alpha_knows_perfect_and_undefined() -> None:
    """1 where raters agree; undefined where every rating is the same, or no item has two."""
    same = np.array([[1.0, 2.0, 3.0]] * 2)
    alone = np.array([[1.0, 2.0, np.nan], [np.nan, np.nan, 3.0]])
    assert krippendorff_alpha(same, "interval")(np.arange(3)) == 1
    for ratings in (np.ones((2, 4)), alone):
        assert np.isnan(krippendorff_alpha(ratings, "nominal")(np.arange(ratings.shape[1])))


def test_spearman_is_scipys_with_ties() -> None:
    """Ranks with ties; a constant series has no correlation."""
    one, other = rng().integers(0, 5, (2, 40)).astype(float)
    assert correlation(one, other)(np.arange(40)) == pytest.approx(spearmanr(one, other).statistic)
    assert np.isnan(correlation(np.ones(5), one[:5])(np.arange(5)))


def test_kappa_is_that_of_scikit_learn() -> None:
    """Of categories and, with quadratic weights, of ordered ones; undefined where there is one category."""
    one = rng().integers(0, 4, 50)
    other = np.where(rng().random(50) < 0.6, one, 3 - one)
    # sklearn.metrics.cohen_kappa_score(one, other), and with weights="quadratic"; scikit-learn 1.9.1
    assert kappa(one, other)(np.arange(50)) == pytest.approx(0.41427050053)
    assert kappa(one, other, np.arange(4.0))(np.arange(50)) == pytest.approx(0.09425852011)
    assert kappa(one, other, np.array([1.0, 2, 4, 5]))(np.arange(50)) != pytest.approx(0.09425852011)
    assert np.isnan(kappa(np.zeros(3, int), np.zeros(3, int))(np.arange(3)))


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Of 150 samples of 60 items of known correlation, about 95 % of the intervals hold it."""
    pearson, source = 0.6, rng()
    truth = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's, of normal variables
    held = 0
    for _ in range(150):
        x = source.normal(size=60)
        y = pearson * x + np.sqrt(1 - pearson**2) * source.normal(size=60)
        found = bootstrap(correlation(x, y), 60, source, resamples=100)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 132 <= held <= 149


def test_clusters_are_drawn_whole() -> None:
    """Four copies of each item tell no more than one: the interval is as wide as without the copies."""
    x = rng().normal(size=30)
    y = x + rng().normal(size=30)[::-1]
    once = bootstrap(correlation(x, y), 30, rng(), resamples=300)
    fourfold, clusters = correlation(np.repeat(x, 4), np.repeat(y, 4)), np.repeat(np.arange(30), 4)
    copies = bootstrap(fourfold, 120, rng(), resamples=300, clusters=clusters)
    assert (copies.low, copies.high) == pytest.approx((once.low, once.high), abs=0.02)
    assert bootstrap(correlation(x[:2], y[:2]), 2, rng()).low is None

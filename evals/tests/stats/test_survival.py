"""Waiting times of which some are censored, against lifelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.stats.descriptive import median_survival, quantile, restricted_mean

# By lifelines 0.30.3 on random times; statsmodels is asked while tests run, in the oracle of the measures.
INSTANCES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "oracles" / "survival.json").read_text(encoding="utf-8")
)["instances"]


def test_medians_and_restricted_means_are_those_of_lifelines() -> None:
    """On every instance, also where the median does not exist, or the horizon lies beyond every time."""
    assert len(INSTANCES) == 60
    assert {one["median"] is None for one in INSTANCES} == {True, False}
    for one in INSTANCES:
        known = one["durations"], one["observed"]
        assert median_survival(*known) == one["median"]
        assert restricted_mean(*known, one["horizon"]) == pytest.approx(one["restricted_mean"], abs=1e-9)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12))
def test_without_censoring_they_are_the_plain_ones(durations: list[int]) -> None:
    """The restricted mean up to the longest is the mean, and the median lies where half have happened."""
    observed = [True] * len(durations)
    assert restricted_mean(durations, observed, max(durations)) == pytest.approx(sum(durations) / len(durations))
    median = median_survival(durations, observed)
    assert median == sorted(durations)[(len(durations) - 1) // 2]
    assert median <= (quantile(durations, 0.5) or 0)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1, max_size=12), st.integers(1, 80))
def test_a_concept_that_is_dropped_never_looks_prompter(waits: list[tuple[int, bool]], horizon: int) -> None:
    """To call an observed time censored lengthens the restricted mean, or leaves it."""
    durations, observed = [wait for wait, _ in waits], [seen for _, seen in waits]
    whole = restricted_mean(durations, observed, horizon)
    dropped = restricted_mean(durations, [False, *observed[1:]], horizon)
    assert whole is not None
    assert dropped is not None
    assert dropped >= whole - 1e-9


def test_nothing_waited_for_has_no_mean() -> None:
    """Undefined, not zero."""
    assert (median_survival([], []), restricted_mean([], [], 10)) == (None, None)

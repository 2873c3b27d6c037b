"""Measures exactly at their thresholds, where random conversations hardly ever come."""

from __future__ import annotations

import pytest

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.measures.redundancy import redundancy, redundancy_text
from exaid_evals.metrics.observation import Observation, Update

SHARED = {0.85: (17, 20), 0.90: (9, 10), 0.95: (19, 20)}


def test_the_default_thresholds_are_those_tested() -> None:
    """Another threshold needs a line above."""
    assert set(MetricsConfig().tau_list) == set(SHARED)


@pytest.mark.parametrize("tau", SHARED)
def test_concepts_that_agree_by_exactly_the_threshold_are_redundant(tau: float) -> None:
    """17 of 20 concepts are 0.85; 16 of 20 are less."""
    shared, union = SHARED[tau]
    every = frozenset(map(str, range(union)))
    enough, fewer = frozenset(sorted(every)[:shared]), frozenset(sorted(every)[: shared - 1])
    assert redundancy(Observation(updates=(Update(concepts=every), Update(concepts=enough))), tau) == 1
    assert redundancy(Observation(updates=(Update(concepts=every), Update(concepts=fewer))), tau) == 0


@pytest.mark.parametrize("tau", SHARED)
def test_texts_that_agree_by_exactly_the_threshold_are_redundant(tau: float) -> None:
    """Two texts of 20 different words, 17 of which they share, have a cosine of 17 / √(20 · 20) = 0.85."""
    shared, n = SHARED[tau]

    def text(n_shared: int) -> str:
        return " ".join([*(f"s{i}" for i in range(n_shared)), *(f"own{i}" for i in range(n - n_shared))])

    words = " ".join(f"s{i}" for i in range(n))
    assert redundancy_text(Observation(updates=(Update(text=words), Update(text=text(shared)))), tau) == 1
    assert redundancy_text(Observation(updates=(Update(text=words), Update(text=text(shared - 1)))), tau) == 0

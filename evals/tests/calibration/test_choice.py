"""One policy out of many: constraints, front, utopia, ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from exaid_evals.calibration.simulate import Policy
from exaid_evals.calibration.sweep import Choice, Floats, choose, normalised, pareto_front
from exaid_evals.config.metrics import CalibrationConfig, ConstraintsConfig
from exaid_evals.errors import DataError

FREE = ConstraintsConfig(worst_wait_ms=None, undersized_share=None, timer_share=None, chunk_words_p95=None)


def measures_of(
    first: list[float], flushes: list[float], words: list[float], **others: list[float]
) -> dict[str, Floats]:
    """Give some policies their objectives, and 0 for what is not said."""
    named = {"time_to_first_flush_ms": first, "flushes_per_case": flushes, "chunk_words_p50": words, **others}
    names = ("turn_to_first_flush_ms", "chunk_words_p95", "undersized_share", "timer_share", "worst_wait_ms")
    zeros = {name: [0.0] * len(first) for name in names}
    return {name: np.array(values, dtype=np.float64) for name, values in {**zeros, **named}.items()}


def chosen(measures: dict[str, Floats], policies: list[Policy] | None = None, **config: object) -> Choice:
    """Choose among policies that differ in min_words, unless others are given."""
    n = len(measures["worst_wait_ms"])
    settings = CalibrationConfig.model_validate({"constraints": FREE, **config})
    return choose(policies or [Policy(i + 1, 99, 1, 1) for i in range(n)], measures, settings, undersize_words=30)


@given(arrays(np.float64, st.tuples(st.integers(1, 12), st.just(3)), elements=st.integers(0, 3).map(float)))
def test_the_front_holds_what_nothing_dominates(costs: Floats) -> None:
    """Against the definition, point by point; equal points stay or go together."""
    expected = [not any((other <= cost).all() and (other < cost).any() for other in costs) for cost in costs]
    assert pareto_front(costs).tolist() == expected


def test_normalised_values_are_clipped_and_a_constant_is_zero() -> None:
    """0 and 1 are the bounds, beyond them nothing, and an objective in which all agree decides nothing."""
    costs = np.array([[0.0, 7.0], [2.0, 7.0], [3.0, 7.0], [9.0, 7.0]])
    assert normalised(costs, np.array([[1.0, 7.0], [5.0, 7.0]])).tolist() == [[0, 0], [0.25, 0], [0.5, 0], [1, 0]]


def test_the_point_nearest_to_utopia_wins() -> None:
    """A policy that is fair in everything goes before those that are best in one thing and worst in another."""
    choice = chosen(measures_of([0, 4, 10], [10, 4, 0], [50, 60, 50]), normalise_percentiles=(0, 100))
    assert choice.front.all()
    assert choice.index == 1
    assert choice.distance.tolist() == pytest.approx([2**0.5, 0.32**0.5, 2**0.5])
    assert choice.ranges == ((0.0, 10.0), (0.0, 10.0), (60.0, 50.0))


def test_who_breaks_a_constraint_neither_wins_nor_sets_the_scale() -> None:
    """Constraints come first: the refused policy is not normalised with, whatever else it can."""
    measures = measures_of([0, 5, 9], [0, 5, 4], [90, 50, 40], worst_wait_ms=[20_001, 20_000, 10])
    choice = chosen(measures, constraints={**FREE.model_dump(), "worst_wait_ms": 20_000})
    assert choice.survivors.tolist() == [False, True, True]
    assert choice.index == 1
    assert np.isnan(choice.distance[0])


def test_ties_go_to_the_tighter_limits() -> None:
    """Equal numbers: a shorter worst wait first, then the smaller settings, in the order in which they are named."""
    same = measures_of([1, 1, 1], [1, 1, 1], [1, 1, 1], worst_wait_ms=[7, 5, 5])
    policies = [Policy(1, 9, 1, 1), Policy(2, 9, 3, 1), Policy(2, 9, 2, 9)]
    assert chosen(same, policies).index == 2
    backwards = {name: values[::-1] for name, values in same.items()}
    assert chosen(backwards, policies[::-1]).index == 0


def test_promptness_is_of_the_conversation_or_of_each_turn() -> None:
    """`first_flush` names the measure that is traded off."""
    measures = measures_of([0, 9], [1, 1], [1, 1], turn_to_first_flush_ms=[9, 0])
    assert [chosen(measures, first_flush=of).index for of in ("conversation", "turn")] == [0, 1]


def test_without_survivors_the_error_says_which_constraint_refused_how_many() -> None:
    """Each constraint with its count, those that it alone refuses, and the best that could be had."""
    measures = measures_of([1, 1, 1], [1, 1, 1], [1, 1, 1], timer_share=[0.5, 0.4, 0.1], worst_wait_ms=[9, 3, 9])
    with pytest.raises(DataError) as caught:
        chosen(measures, constraints={**FREE.model_dump(), "worst_wait_ms": 5, "timer_share": 0.3})
    message = str(caught.value)
    assert "none of 3 policies keeps every constraint" in message
    assert "worst_wait_ms ≤ 5 refuses 2 (1 by itself); the best policy has 3" in message
    assert "timer_share ≤ 0.3 refuses 2 (1 by itself); the best policy has 0.1" in message
    assert "calibration.yaml" in message

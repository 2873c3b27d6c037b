"""Numbers of a policy, against the real gate's chunks and NumPy, and which is chosen of many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conversations import conversation, freeze
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.calibration.simulate import Policy
from exaid_evals.calibration.sweep import Choice, Floats, Sweep, choose, normalised, pareto_front, percentile, sweep
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import CalibrationConfig, ConstraintsConfig
from exaid_evals.errors import DataError
from exaid_evals.traces.model import Trace
from policies import SPEED, real_chunks

POLICIES = (Policy(2, 4, 300, 900), Policy(3, 5, 50, 2000), Policy(5, 5, 9000, 9000))
CONVERSATIONS = [
    conversation("one two three. four five", "six seven. eight nine ten eleven twelve.", case_id="case-1"),
    conversation("a b", "c d e f g h i j.", "k", case_id="case-2"),
    conversation("  ", case_id="case-3"),
    conversation("alpha beta gamma delta\nepsilon", case_id="case-4"),
]
UNDERSIZE = 3


def swept(campaign: Campaign, *, jobs: int = 1) -> Sweep:
    """Sweep a campaign."""
    entries = read_manifest(campaign.manifest_file).entries
    return sweep(campaign, entries, POLICIES, chars_per_second=SPEED, jobs=jobs)


def slow(traces: list[Trace], policy: Policy) -> dict[str, float]:
    """Compute a policy's measures the long way."""
    by_case = [chunks for trace in traces if (chunks := real_chunks(trace, policy))]
    every = [chunk for chunks in by_case for chunk in chunks]
    words = [len(chunk.pieces) for chunk in every]
    waits = [chunk.t_ms - chunk.pieces[0].t_ms for chunk in every]
    opening = {
        (index, chunk.pieces[0].seq): wait
        for index, chunks in enumerate(by_case)
        for chunk, wait in reversed([(chunk, chunk.t_ms - chunk.pieces[0].t_ms) for chunk in chunks])
    }
    return {
        "time_to_first_flush_ms": float(np.mean([chunks[0].t_ms for chunks in by_case])),
        "turn_to_first_flush_ms": float(np.mean(list(opening.values()))),
        "flushes_per_case": len(every) / len(by_case),
        **{f"chunk_words_p{q}": float(np.percentile(words, q)) for q in (50, 90, 95)},
        "undersized_share": float(np.mean([n < UNDERSIZE for n in words])),
        "timer_share": float(np.mean([chunk.reason in ("silence", "max_wait") for chunk in every])),
        "worst_wait_ms": float(max(waits)),
    }


def test_measures_are_those_of_the_gates_chunks(tmp_path: Path) -> None:
    """Every measure of every policy, computed from the chunks of the real gate; a wordless case enters no mean."""
    tried = swept(freeze(tmp_path, CONVERSATIONS))
    measures = tried.measures(UNDERSIZE)
    assert (tried.n_cases, tried.n_wordless) == (3, 1)
    for index, policy in enumerate(POLICIES):
        actual = {name: float(values[index]) for name, values in measures.items()}
        assert actual == pytest.approx(slow(CONVERSATIONS, policy), abs=1e-9)


def test_processes_change_no_number(tmp_path: Path) -> None:
    """One process or two: the same counts."""
    campaign = freeze(
        tmp_path, [conversation("one two. three", "four five six.", case_id=f"case-{n}") for n in range(8)]
    )
    one, two = swept(campaign), swept(campaign, jobs=2)
    assert np.array_equal(one.sizes, two.sizes)
    assert np.array_equal(one.reasons, two.reasons)
    assert (
        one.measures(UNDERSIZE)["turn_to_first_flush_ms"].tolist()
        == two.measures(UNDERSIZE)["turn_to_first_flush_ms"].tolist()
    )


def test_silence_is_no_data(tmp_path: Path) -> None:
    """Conversations without a word give an error, and no numbers."""
    with pytest.raises(DataError, match="no word to calibrate on"):
        swept(freeze(tmp_path, [conversation(" \n ")]))


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=30), min_size=1, max_size=4), st.integers(0, 100))
def test_percentiles_are_numpys(rows: list[list[int]], q: int) -> None:
    """Of a histogram as of the values themselves."""
    sizes = np.stack([np.bincount(row, minlength=10) for row in rows])
    assert percentile(sizes, q) == pytest.approx([np.percentile(row, q) for row in rows], abs=1e-9)


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

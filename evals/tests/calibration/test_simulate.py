"""The simulation of all policies at once is the gate itself, policy by policy."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversations import EPOCH, PROVENANCE, conversation
from exaid_evals.calibration.simulate import REASONS, Policy, Simulator, word_stream
from exaid_evals.traces.model import Message, Trace
from policies import SPEED, policies, real_chunks, streams

Flush = tuple[str, int, int, int]


def simulated(trace: Trace, tried: list[Policy], speed: float = SPEED) -> list[list[Flush]]:
    """Return each policy's flushes: reason, words, begun, left."""
    flushes = Simulator(tried).flushes(word_stream(trace, speed))
    found: list[list[Flush]] = [[] for _ in tried]
    columns = (flushes.policy, flushes.reason, flushes.words, flushes.begun_ms, flushes.t_ms)
    for policy, reason, *numbers in zip(*(column.tolist() for column in columns), strict=True):
        found[policy].append((REASONS[reason], *numbers))
    return found


def real(trace: Trace, policy: Policy, speed: float = SPEED) -> list[Flush]:
    """Return the flushes of the real gate in the real engine."""
    return [
        (chunk.reason, len(chunk.pieces), chunk.pieces[0].t_ms, chunk.t_ms)
        for chunk in real_chunks(trace, policy, speed)
    ]


@pytest.mark.slow
@settings(max_examples=400)
@given(trace=streams(), tried=st.lists(policies(), min_size=1, max_size=6), speed=st.sampled_from([7.0, SPEED, 997.0]))
@example(
    trace=conversation("a b c.", "", " \n", "d"), tried=[Policy(1, 1, 1, 1), Policy(12, 12, 1600, 4000)], speed=SPEED
)
def test_the_simulation_is_the_gate(trace: Trace, tried: list[Policy], speed: float) -> None:
    """Reasons, words, beginnings and times of every flush are those of `stream_chunks` with a `TokenGate`."""
    assert simulated(trace, tried, speed) == [real(trace, policy, speed) for policy in tried]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_occurs(reason: str) -> None:
    """The property above compares something: one conversation shows each reason under one policy or another."""
    trace = Trace("case-1", EPOCH, (Message("doctor0", "a b. c d e", 0, ((0, 5), (900, 2), (3000, 3))),), PROVENANCE)
    tried = [Policy(2, 9, 9999, 9999), Policy(9, 9, 800, 9999), Policy(9, 9, 9999, 800), Policy(2, 2, 9999, 9999)]
    flushes = simulated(trace, tried)
    assert flushes == [real(trace, policy) for policy in tried]
    assert reason in {flush[0] for found in flushes for flush in found}


def test_a_timer_that_ends_with_a_words_arrival_loses() -> None:
    """Gap and wait of exactly the limit flush nothing; one millisecond less does."""
    trace = Trace("case-1", EPOCH, (Message("doctor0", "a b", 0, ((0, 2), (1000, 1))),), PROVENANCE)
    tried = [Policy(9, 9, 1000, 1000), Policy(9, 9, 999, 1000), Policy(9, 9, 1000, 999)]
    assert [[flush[0] for flush in found] for found in simulated(trace, tried)] == [
        ["turn_end"],
        ["silence", "turn_end"],
        ["max_wait", "turn_end"],
    ]


def test_of_messages_that_overlap_each_is_simulated_at_its_own_times() -> None:
    """The look-ups need ascending times; what they find is reported at the recorded ones."""
    said = (Message("doctor0", "a b", 0, ((0, 2), (900, 1))), Message("doctor1", "c d", 100, ((100, 2), (1000, 1))))
    trace = Trace("case-9", EPOCH, said, PROVENANCE)
    assert word_stream(trace, SPEED).times.tolist() == [0, 900, 900, 900, 1800, 1800]
    assert simulated(trace, [Policy(9, 9, 500, 9000)]) == [
        [("silence", 1, 0, 500), ("silence", 1, 100, 600), ("turn_end", 1, 900, 900), ("turn_end", 1, 1000, 1000)]
    ]

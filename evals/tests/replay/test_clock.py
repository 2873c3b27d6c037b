"""The virtual clock: arrival of every code point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.replay.clock import arrivals
from exaid_evals.replay.pieces import pieces_of
from exaid_evals.traces.model import Message, Trace
from talks import EPOCH, PROVENANCE, talk


def test_without_a_stream_text_arrives_at_constant_speed() -> None:
    """At 8 characters a second, 3 characters need 375 ms."""
    [arrival] = arrivals(talk("abcd"), 8.0)
    assert [arrival.time_of(end) for end in range(5)] == [0, 125, 250, 375, 500]


def test_part_of_a_millisecond_counts_whole() -> None:
    """Nothing is there before it has arrived: times are rounded up."""
    [arrival] = arrivals(talk("abc"), 3.0)
    assert [arrival.time_of(end) for end in (1, 2, 3)] == [334, 667, 1000]


def test_a_recorded_stream_is_kept() -> None:
    """A code point arrives with its chunk."""
    trace = Trace("case-1", EPOCH, (Message("doctor0", "abcd", 10, ((50, 1), (90, 3))),), PROVENANCE)
    [arrival] = arrivals(trace, 1.0)
    assert [arrival.time_of(end) for end in (0, 1, 2, 4)] == [10, 50, 90, 90]


def test_nobody_interrupts() -> None:
    """A message that would start before the one before has ended is shifted behind it, whole."""
    trace = talk("a" * 10, "b" * 10, gap_ms=-5, ms_per_char=1)
    first, second = arrivals(trace, 10.0)
    assert (first.end_ms, second.start_ms, second.end_ms) == (1000, 1000, 2000)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.floats(0.5, 500))
def test_arrival_never_goes_back(contents: list[str], speed: float) -> None:
    """Later text arrives no earlier, within a message and across messages."""
    trace = talk(*contents)
    times = [
        arrival.time_of(end)
        for arrival, message in zip(arrivals(trace, speed), trace.messages, strict=True)
        for end in range(len(message.content) + 1)
    ]
    assert times == sorted(times)


@pytest.mark.parametrize("end", [-1, 5])
def test_a_place_outside_the_message_has_no_time(end: int) -> None:
    """Asking beyond the text is a mistake, not an extrapolation."""
    [arrival] = arrivals(talk("abcd"), 8.0)
    with pytest.raises(ValueError, match="no end"):
        arrival.time_of(end)


@given(st.text(alphabet="ab .\n\té", max_size=60))
def test_pieces_add_up_to_the_message(content: str) -> None:
    """Words with the white space behind them are the whole message, unless it is nothing but white space."""
    trace = talk(content)
    [arrival] = arrivals(trace, 100.0)
    pieces = list(pieces_of(trace.messages[0], 0, arrival))
    assert "".join(piece.text for piece in pieces) == (content if content.strip() else "")
    assert [piece.text for piece in pieces] == [content[piece.start_char : piece.end_char] for piece in pieces]
    assert len(pieces) == len(content.split())

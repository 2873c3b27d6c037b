"""The virtual clock: arrival of every code point."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import EPOCH, PROVENANCE, conversation
from exaid_evals.replay.clock import arrivals, pieces_of
from exaid_evals.traces.model import Message, Trace


def test_without_a_stream_text_arrives_at_constant_speed() -> None:
    """At 8 characters a second, 3 characters need 375 ms."""
    [arrival] = arrivals(conversation("abcd"), 8.0)
    assert [arrival.time_of(end) for end in range(5)] == [0, 125, 250, 375, 500]


def test_part_of_a_millisecond_counts_whole() -> None:
    """Nothing is there before it has arrived: times are rounded up."""
    [arrival] = arrivals(conversation("abc"), 3.0)
    assert [arrival.time_of(end) for end in (1, 2, 3)] == [334, 667, 1000]


def test_a_recorded_stream_is_kept() -> None:
    """A code point arrives with its chunk."""
    trace = Trace("case-1", EPOCH, (Message("doctor0", "abcd", 50, ((50, 1), (90, 3))),), PROVENANCE)
    [arrival] = arrivals(trace, 1.0)
    assert [arrival.time_of(end) for end in (0, 1, 2, 4)] == [50, 50, 90, 90]


def messages(*known: Message) -> Trace:
    """Return a trace of messages."""
    return Trace("case-1", EPOCH, known, PROVENANCE)


def test_between_two_recorded_ends_text_arrives_evenly() -> None:
    """Four characters from 100 to 500 ms: one every 100 ms, whatever the configured speed."""
    [arrival] = arrivals(messages(Message("doctor0", "abcd", 100, end_t_rel_ms=500)), 1.0)
    assert [arrival.time_of(end) for end in range(5)] == [100, 200, 300, 400, 500]


def test_a_message_that_was_complete_at_a_moment_is_there_at_it() -> None:
    """A message complete at 1.84 s is shown at 1.84 s, however slow the configured speed."""
    first, second = arrivals(
        messages(Message("supervisor", "a" * 4000, end_t_rel_ms=0), Message("doctor0", "b" * 900, end_t_rel_ms=1840)), 1
    )
    assert [first.time_of(1), first.end_ms, second.time_of(1), second.end_ms] == [0, 0, 1840, 1840]


def test_a_recorded_time_is_never_shifted() -> None:
    """A slow assumed speed pushes nothing: text from a start alone is there when the next message begins."""
    trace = conversation("a" * 10, "b" * 10, gap_ms=-5, ms_per_char=1)
    first, second = arrivals(trace, 10.0)
    assert (first.start_ms, first.end_ms, second.start_ms, second.end_ms) == (0, 5, 5, 1005)


def test_of_unknown_times_one_message_follows_the_other() -> None:
    """Nothing is known: each begins where the one before ends, at the configured speed, up to a time that is known."""
    trace = messages(*(Message("doctor0", "a" * 10) for _ in range(2)), Message("doctor1", "b", end_t_rel_ms=1500))
    found = arrivals(trace, 10.0)
    assert [(one.start_ms, one.end_ms) for one in found] == [(0, 1000), (1000, 1500), (1500, 1500)]


@st.composite
def timed_messages(draw: st.DrawFn) -> list[Message]:
    """Draw messages of which this or that is known, in order."""
    found, now = [], 0
    for number in range(draw(st.integers(1, 5))):
        content = draw(st.text(alphabet="ab ", min_size=1, max_size=30))
        start = now + (draw(st.integers(0, 500)) if number else 0)
        chunks = draw(st.integers(1, len(content)))
        times = sorted(draw(st.lists(st.integers(start, start + 900), min_size=chunks, max_size=chunks)))
        times[0] = start
        lengths = [1] * (chunks - 1) + [len(content) - chunks + 1]
        known = {
            "stream": Message("doctor0", content, start, tuple(zip(times, lengths, strict=True))),
            "ends": Message("doctor0", content, start, end_t_rel_ms=times[-1]),
            "end": Message("doctor0", content, end_t_rel_ms=start),
            "start": Message("doctor0", content, start),
            "nothing": Message("doctor0", content),
        }
        found.append(known[draw(st.sampled_from(sorted(known)))])
        now = start
    return found


@pytest.mark.slow
@given(timed_messages(), st.floats(0.5, 500))
def test_what_is_known_is_what_is_replayed(known: list[Message], speed: float) -> None:
    """Whatever the speed and whatever stands around it, each recorded moment is the moment of its text."""
    for message, arrival in zip(known, arrivals(messages(*known), speed), strict=True):
        times = [arrival.time_of(end) for end in range(len(message.content) + 1)]
        assert times == sorted(times)
        if message.t_rel_ms is not None:
            assert arrival.start_ms == message.t_rel_ms
        if message.end_t_rel_ms is not None:
            assert times[-1] == message.end_t_rel_ms
        read = 0
        for t_ms, n_chars in message.stream:
            read += n_chars
            assert times[read] == t_ms


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.floats(0.5, 500))
def test_arrival_never_goes_back(contents: list[str], speed: float) -> None:
    """Later text arrives no earlier, within a message and across messages."""
    trace = conversation(*contents)
    times = [
        arrival.time_of(end)
        for arrival, message in zip(arrivals(trace, speed), trace.messages, strict=True)
        for end in range(len(message.content) + 1)
    ]
    assert times == sorted(times)


@pytest.mark.parametrize("end", [-1, 5])
def test_a_place_outside_the_message_has_no_time(end: int) -> None:
    """Asking beyond the text is a mistake, not an extrapolation."""
    [arrival] = arrivals(conversation("abcd"), 8.0)
    with pytest.raises(ValueError, match="no end"):
        arrival.time_of(end)


@given(st.text(alphabet="ab .\n\té", max_size=60))
def test_pieces_add_up_to_the_message(content: str) -> None:
    """Words with the white space behind them are the whole message, unless it is nothing but white space."""
    trace = conversation(content)
    [arrival] = arrivals(trace, 100.0)
    pieces = list(pieces_of(trace.messages[0], 0, arrival))
    assert "".join(piece.text for piece in pieces) == (content if content.strip() else "")
    assert [piece.text for piece in pieces] == [content[piece.start_char : piece.end_char] for piece in pieces]
    assert len(pieces) == len(content.split())

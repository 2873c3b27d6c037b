"""Times and ranges of a replay at their limits."""

from __future__ import annotations

import re

import pytest

from conversations import EPOCH, PROVENANCE, ScriptedLLM, conversation
from exaid_evals.config.base import Config
from exaid_evals.config.variant import VariantConfig
from exaid_evals.errors import DataError
from exaid_evals.middleware.gates import Chunk, Gate, Piece
from exaid_evals.replay.clock import arrivals, pieces_of, require_within
from exaid_evals.replay.engine import replay, stream_chunks
from exaid_evals.replay.run_log import GateFlush, RunLog
from exaid_evals.traces.model import Message, Trace
from oracles.random_runs import META


def test_a_message_has_ended_when_its_last_part_of_a_millisecond_has() -> None:
    """Two characters at 3 a second need 666.7 ms: the end is rounded up."""
    [arrival] = arrivals(conversation("ab"), 3.0)
    assert (arrival.end_ms, arrival.time_of(1), arrival.time_of(2)) == (667, 334, 667)


def test_a_recorded_stream_ends_with_its_last_chunk() -> None:
    """What nobody timed begins then, not when the stream began."""
    streamed = Message("doctor0", "abcd", 50, ((50, 1), (90, 3)))
    first, second = arrivals(Trace("case-1", EPOCH, (streamed, Message("doctor1", "ef")), PROVENANCE), 2.0)
    assert (first.start_ms, first.end_ms) == (50, 90)
    assert (second.start_ms, second.end_ms) == (90, 1090)


def test_a_known_moment_bounds_all_that_is_assumed_before_it() -> None:
    """Between them stands a message of which nothing is known; the slow one before it is there by then all the same."""
    spoken = (Message("doctor0", "a" * 10, 0), Message("doctor1", "b"), Message("doctor2", "c", end_t_rel_ms=5))
    found = arrivals(Trace("case-1", EPOCH, spoken, PROVENANCE), 1.0)
    assert [(one.start_ms, one.end_ms) for one in found] == [(0, 5), (5, 5), (5, 5)]


def flush(start: tuple[int, int], end: tuple[int, int], index: int = 0) -> GateFlush:
    """Return a flush of a range of `(message, code point)`."""
    return GateFlush(index, 0, start[0], end[0], start[1], end[1], 1, 1, "message", "sha256:")


@pytest.mark.parametrize(
    ("start", "end", "within"),
    [
        ((0, 0), (1, 3), True),
        ((1, 3), (1, 3), True),
        ((0, 0), (1, 4), False),
        ((0, 0), (2, 0), False),
        ((0, 3), (0, 2), False),
        ((1, 0), (0, 2), False),
        ((0, 3), (1, 0), False),
    ],
)
def test_a_range_lies_within_its_messages(start: tuple[int, int], end: tuple[int, int], within: bool) -> None:
    """Of messages of 2 and 3 code points: up to the end of the last, and not backwards."""
    trace, log = conversation("ab", "cde"), RunLog(META, (flush(start, end),), (), ())
    if within:
        require_within(trace, log, where="here")
        return
    reported = f"here: gate_flush 0 covers {start} to {end}, which the trace of 2 messages does not have"
    with pytest.raises(DataError, match=f"^{re.escape(reported)}(?! \\(and)"):
        require_within(trace, log, where="here")


def test_further_ranges_that_are_not_there_are_counted() -> None:
    """The first is named."""
    log = RunLog(META, tuple(flush((9, 0), (9, 1), index) for index in range(3)), (), ())
    with pytest.raises(
        DataError, match=r"gate_flush 0 covers .* does not have \(and 2 more\); run `exaid-evals run-variants"
    ):
        require_within(conversation("ab"), log, where="here")
    two = RunLog(META, log.flushes[:2], (), ())
    with pytest.raises(DataError, match=r"does not have \(and 1 more\)"):
        require_within(conversation("ab"), two, where="here")


class Alarm(Gate):
    """A gate that lets go what it holds at one moment, and what is left at the end."""

    def __init__(self, at_ms: int, *, stuck: bool = False) -> None:
        super().__init__(Config())
        self._at_ms: int | None = at_ms
        self._stuck = stuck

    def on_piece(self, piece: Piece) -> list[Chunk]:
        """Keep a word."""
        self._pieces.append(piece)
        return []

    def deadline(self) -> int | None:
        """Return the moment, until it has passed."""
        return self._at_ms

    def on_timer(self, t_ms: int) -> list[Chunk]:
        """Let go what is there."""
        self._at_ms = self._at_ms if self._stuck else None
        return self._flush(t_ms, "alarm")


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (2499, [("alarm", 2499, "ab "), ("end_of_trace", 2500, "cd")]),
        (2500, [("end_of_trace", 2500, "ab cd")]),
        (1000, [("alarm", 1000, "ab "), ("end_of_trace", 2500, "cd")]),
        (999, [("end_of_trace", 2500, "ab cd")]),
    ],
)
def test_a_timer_loses_against_a_word_of_the_same_moment(at_ms: int, expected: list[tuple[str, int, str]]) -> None:
    """At 2 characters a second "ab" is there at 1000 ms and "cd" at 2500; an alarm before any word lets nothing go."""
    found = stream_chunks(conversation("ab cd"), Alarm(at_ms), 2.0)
    assert [(one.reason, one.t_ms, "".join(piece.text for piece in one.pieces)) for one in found] == expected


def test_a_timer_that_stays_where_it_was_is_an_error_and_no_endless_loop() -> None:
    """The gate's author is told what to change."""
    with pytest.raises(DataError, match=r"(?s)stays where it was.*clear its deadline in on_timer"):
        list(stream_chunks(conversation("ab cd"), Alarm(500, stuck=True), 2.0))


def test_the_middleware_is_free_from_the_first_moment() -> None:
    """What is said at 0 ms is decided on and shown at 0 ms where neither takes time."""
    parts = {"gate": "message", "trigger": "always", "summarizer": "passthrough"}
    variant = VariantConfig.model_validate(
        {"variant_id": "T", "history_k": 0, **{part: {"kind": kind} for part, kind in parts.items()}}
    )
    trace = Trace("case-1", EPOCH, (Message("doctor0", "ab", end_t_rel_ms=0),), PROVENANCE)
    flushes, decisions, summaries = replay(trace, variant, ScriptedLLM([]), chars_per_second=1.0)
    assert [one.t_ms for one in (*flushes, *decisions, *summaries)] == [0, 0, 0]
    assert summaries[0].llm_usage is None


def test_a_word_arrives_with_its_last_visible_character_or_with_the_line_end_behind_it() -> None:
    """At a character a second; blanks behind a word are not waited for, unless a line ends among them."""
    trace = conversation("ab  \ncd  ef\n")
    [arrival] = arrivals(trace, 1.0)
    found = [(piece.text, piece.t_ms) for piece in pieces_of(trace.messages[0], 0, arrival)]
    assert found == [("ab  \n", 5000), ("cd  ", 7000), ("ef\n", 12000)]

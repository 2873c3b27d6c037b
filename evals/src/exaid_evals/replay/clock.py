"""The virtual clock: when each code point of a trace has arrived, and the text between two points. It is no wall clock.

Replay uses what is known of a message's time and shifts none of it, also where messages overlap: chunks as they were
recorded; evenly between a start and an end; whole at an end that alone is known. A speed is assumed only where nothing
says when text came.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, repeat
from operator import add, itemgetter

from exaid_evals.errors import DataError
from exaid_evals.middleware.gates import Piece
from exaid_evals.replay.run_log import GateFlush, RunLog, Summary
from exaid_evals.traces.model import Message, Trace

MESSAGE_SEPARATOR = "\n"

Span = tuple[int, int, int]
"""Message, first code point, one past the last: a part of the conversation."""

_SEQ = itemgetter(Piece._fields.index("seq"))
_PLACE = itemgetter(Piece._fields.index("seq"), Piece._fields.index("start_char"))


def turns_between(trace: Trace, start: tuple[int, int], end: tuple[int, int]) -> list[tuple[str, str]]:
    """Return `(agent_id, text)` of each message's share of the range.

    Args:
        trace: the conversation.
        start: `(seq, char)` of the first code point.
        end: `(seq, char)` behind the last code point.
    """
    turns = []
    for seq in range(start[0], end[0] + 1):
        message = trace.messages[seq]
        first = start[1] if seq == start[0] else 0
        last = end[1] if seq == end[0] else len(message.content)
        turns.append((message.agent_id, message.content[first:last]))
    return turns


def text_between(trace: Trace, start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the range's text, messages joined by a line end."""
    return MESSAGE_SEPARATOR.join(text for _, text in turns_between(trace, start, end))


def window_turns(trace: Trace, flushes: Sequence[GateFlush]) -> list[tuple[str, str]]:
    """Return `(agent_id, text)` of each part of a message that some flushes hold."""
    messages = trace.messages
    return [
        (messages[seq].agent_id, messages[seq].content[start:end]) for seq, start, end in window_spans(trace, flushes)
    ]


def window_texts(trace: Trace, flushes: Sequence[GateFlush]) -> list[str]:
    """Return the text that some flushes hold, divided where a message ends or text between them was left out."""
    return [text for _, text in window_turns(trace, flushes) if text]


def window_of(trace: Trace, log: RunLog, summary: Summary) -> list[str]:
    """Return the text that a summary covers, divided in the same way."""
    return window_texts(trace, [log.flushes[index] for index in summary.flush_indices])


def texts_of(trace: Trace, logs: Sequence[RunLog]) -> list[str]:
    """Return every text of a case whose concepts stage 03 needs: messages, updates and what they cover."""
    texts = [message.content for message in trace.messages]
    for log in logs:
        for summary in log.summaries:
            if summary.schema_ok:
                texts += (summary.semantics_text, *window_of(trace, log, summary))
    return texts


def window_spans(trace: Trace, flushes: Sequence[GateFlush]) -> list[Span]:
    """Return the parts of messages that some flushes hold, in their order; parts that touch are one."""
    spans: list[Span] = []
    for flush in flushes:
        for seq in range(flush.start_seq, flush.end_seq + 1):
            start = flush.start_char if seq == flush.start_seq else 0
            end = flush.end_char if seq == flush.end_seq else len(trace.messages[seq].content)
            if spans and spans[-1][0] == seq and spans[-1][2] == start:
                spans[-1] = (seq, spans[-1][1], end)
            else:
                spans.append((seq, start, end))
    return spans


def contiguous(trace: Trace, pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Divide a chunk into parts without a word of another chunk in between: one, unless messages overlap."""
    if len(set(map(_SEQ, pieces))) == 1:
        return [list(pieces)]
    parts: list[list[Piece]] = []
    end = None
    for seq, group in groupby(sorted(pieces, key=_PLACE), key=_SEQ):
        of_message = list(group)
        while end is not None and end < seq and not trace.messages[end].content.strip():
            end += 1
        if end == seq and of_message[0].start_char == 0:
            parts[-1] += of_message
        else:
            parts.append(of_message)
        end = seq + 1 if of_message[-1].end_char == len(trace.messages[seq].content) else None
    return parts


def require_within(trace: Trace, log: RunLog, *, where: str) -> None:
    """Check that what a run's flushes and summaries cover is there.

    Raises:
        DataError: a range names a message that the trace does not have, ends behind its message, or turns round.
    """
    lengths = [len(message.content) for message in trace.messages]
    problems = []
    for flush in log.flushes:
        start, end = (flush.start_seq, flush.start_char), (flush.end_seq, flush.end_char)
        if any(seq >= len(lengths) or char > lengths[seq] for seq, char in (start, end)) or end < start:
            problems.append(f"gate_flush {flush.flush_index} covers {start} to {end}")
    problems += [
        f"summary {summary.event_index} covers messages {summary.start_seq} to {summary.end_seq}"
        for summary in log.summaries
        if not summary.start_seq <= summary.end_seq < len(lengths)
    ]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DataError(
            f"{problems[0]}, which the trace of {len(lengths)} messages does not have{more}",
            where=where,
            remedy="run `exaid-evals run-variants --force`",
        )


# A word takes the white space behind it along (and a message's first word what stands before it), so that the
# pieces of a message add up to the message.
_PIECE = re.compile(r"(?:\A\s*)?\S+\s*")


@dataclass(frozen=True, slots=True)
class MessageArrival:
    """When a message's text arrives.

    Attributes:
        start_ms: when its first character may appear.
        end_ms: when all of it is there.
        ends: code points arrived after each recorded chunk; empty where text arrives evenly from start to end.
        times: when each recorded chunk arrived, in ms.
        n_chars: length of the message in code points.
    """

    start_ms: int
    end_ms: int
    ends: tuple[int, ...]
    times: tuple[int, ...]
    n_chars: int

    def time_of(self, end_char: int) -> int:
        """Return when the code points before `end_char` have all arrived, in ms.

        Raises:
            ValueError: the message is shorter.
        """
        if not 0 <= end_char <= self.n_chars:
            raise ValueError(f"a message of {self.n_chars} code points has no end {end_char}")
        if end_char == 0:
            return self.start_ms
        if self.ends:
            return self.times[bisect_left(self.ends, end_char)]
        return self.start_ms + -(-end_char * (self.end_ms - self.start_ms) // self.n_chars)

    def chars_at(self, t_ms: int) -> int:
        """Return how many code points have arrived by a time."""
        if t_ms >= self.end_ms:
            return self.n_chars
        if t_ms < self.start_ms:
            return 0
        if self.ends:
            arrived = bisect_right(self.times, t_ms)
            return self.ends[arrived - 1] if arrived else 0
        return (t_ms - self.start_ms) * self.n_chars // (self.end_ms - self.start_ms)


def arrivals(trace: Trace, chars_per_second: float) -> list[MessageArrival]:
    """Return the arrival of each message, in order.

    Of a message whose start alone is known, text arrives from there at `chars_per_second`; of one of which nothing is
    known, from the end of the message before. Agents speak one after the other, so that such text is there at the
    latest when something is known of a message after it.
    """
    found: list[MessageArrival] = []
    free_at = 0
    for message, next_ms in zip(trace.messages, _known_after(trace.messages), strict=True):
        arrival = _arrival(message, free_at, next_ms, chars_per_second)
        found.append(arrival)
        free_at = max(free_at, arrival.end_ms)
    return found


def _known_after(messages: Sequence[Message]) -> list[int | None]:
    """Return, for each message, the first moment that is known of any message after it."""
    known: list[int | None] = []
    later = None
    for message in reversed(messages):
        known.append(later)
        later = later if message.known_ms is None else message.known_ms
    return known[::-1]


def _arrival(message: Message, free_at: int, next_ms: int | None, chars_per_second: float) -> MessageArrival:
    n_chars = len(message.content)
    if message.stream:
        ends = tuple(accumulate(n_chars for _, n_chars in message.stream))
        times = tuple(t_ms for t_ms, _ in message.stream)
        return MessageArrival(times[0], times[-1], ends, times, n_chars)
    if message.end_t_rel_ms is not None:
        start = message.end_t_rel_ms if message.t_rel_ms is None else message.t_rel_ms
        return MessageArrival(start, message.end_t_rel_ms, (), (), n_chars)
    start = free_at if message.t_rel_ms is None else message.t_rel_ms
    end = start + -int(-n_chars * 1000 // chars_per_second)
    if next_ms is not None:
        start = min(start, next_ms)
        end = max(start, min(end, next_ms))
    return MessageArrival(start, end, (), (), n_chars)


def pieces_of(message: Message, seq: int, arrival: MessageArrival) -> list[Piece]:
    """Return a message's words in order.

    A word has arrived with its last visible character; one that ends a line arrives with the line end, which a
    gate may wait for.
    """
    # Whole lists at a time: pieces are made by the million.
    texts = _PIECE.findall(message.content)
    ends = list(accumulate(map(len, texts)))
    starts = [0, *ends[:-1]]
    arrived = list(map(add, starts, map(len, map(str.rstrip, texts))))
    if "\n" in message.content:
        for index, text in enumerate(texts):
            if "\n" in text and "\n" in text[arrived[index] - starts[index] :]:
                arrived[index] = ends[index]
    if arrival.ends:
        times = map(arrival.times.__getitem__, map(bisect_left, repeat(arrival.ends), arrived))
    else:
        times = map(arrival.time_of, arrived)
    pieces = zip(repeat(message.agent_id), repeat(seq), starts, ends, texts, times)
    return list(map(tuple.__new__, repeat(Piece), pieces))


@dataclass(frozen=True, slots=True)
class Turn:
    """A message as a gate hears it: its words, each when it is heard, and when the message is over, in ms."""

    pieces: tuple[Piece, ...]
    end_ms: int

    @property
    def start_ms(self) -> int:
        """When its first word is heard; where it has none, when it is over."""
        return self.pieces[0].t_ms if self.pieces else self.end_ms


_last: list[tuple[Trace, float, tuple[Turn, ...]]] = []


def turns_of(trace: Trace, chars_per_second: float) -> tuple[Turn, ...]:
    """Return what a gate hears of each message; messages may overlap.

    The last conversation's turns are kept, since every variant hears them.
    """
    for known, speed, turns in _last:
        if known is trace and speed == chars_per_second:
            return turns
    times = arrivals(trace, chars_per_second)
    heard = tuple(
        Turn(tuple(pieces_of(message, seq, arrival)), arrival.end_ms)
        for seq, (message, arrival) in enumerate(zip(trace.messages, times, strict=True))
    )
    _last[:] = [(trace, chars_per_second, heard)]
    return heard

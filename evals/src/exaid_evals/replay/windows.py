"""The text between two points of a trace: what a flush holds and what a summary covers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from exaid_evals.errors import DataError
from exaid_evals.middleware.gates import Piece
from exaid_evals.replay.run_log import GateFlush, RunLog, Summary
from exaid_evals.traces.model import Trace

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

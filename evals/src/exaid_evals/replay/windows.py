"""The text between two points of a trace: what a flush holds and what a summary covers."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.errors import DataError
from exaid_evals.replay.run_log import GateFlush, RunLog
from exaid_evals.traces.model import Trace

MESSAGE_SEPARATOR = "\n"


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
    """Return the turns that consecutive flushes cover: from the first's start to the last's end."""
    first, last = flushes[0], flushes[-1]
    return turns_between(trace, (first.start_seq, first.start_char), (last.end_seq, last.end_char))


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
            remedy="run the variant again with --force",
        )

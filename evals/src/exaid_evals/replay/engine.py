"""The engine: one case through one variant. It composes parts and knows no variant's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from heapq import merge
from itertools import chain, count, pairwise
from operator import attrgetter

from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.ids import summary_event_id
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import LLMClient
from exaid_evals.config.variant import PartConfig, VariantConfig
from exaid_evals.middleware.gates import Chunk, Gate, Piece
from exaid_evals.middleware.registry import build_gate, build_summarizer, build_trigger
from exaid_evals.middleware.summarizers import SummaryInput
from exaid_evals.middleware.triggers import DISCARD, SUMMARIZE, TriggerInput
from exaid_evals.replay.clock import Turn, contiguous, text_between, turns_of, window_turns
from exaid_evals.replay.guard import checked_chunk, checked_update, checked_verdict, part
from exaid_evals.replay.run_log import GateFlush, Summary, TriggerDecision
from exaid_evals.traces.model import Trace

Events = tuple[tuple[GateFlush, ...], tuple[TriggerDecision, ...], tuple[Summary, ...]]


def replay(trace: Trace, variant: VariantConfig, client: LLMClient, *, chars_per_second: float) -> Events:
    """Replay a successful trace through a variant.

    The stream flows on while the middleware works: latency delays an emission, never the stream. The middleware
    itself does one thing at a time, so a decision waits for the call before it, and whatever it is shown of
    earlier summaries has been emitted by then.

    Returns:
        Flushes, decisions and summaries, each in order of its index.

    Raises:
        CaseFailedError: a part raised what it should not, or gave back what it should not; names variant and part.
        LLMError: a call failed for good.
    """
    session = _Session(trace, variant, client)
    let_go = flushes_of(trace, variant, chars_per_second)
    for number, flushes in enumerate(let_go, start=1):
        session.hear(flushes, last=number == len(let_go))
    return tuple(chain.from_iterable(let_go)), tuple(session.decisions), tuple(session.summaries)


LetGo = tuple[tuple[GateFlush, ...], ...]
"""For each chunk that left a gate: its flushes, one for each run of text without a gap."""

_last: list[tuple[Trace, PartConfig, float, LetGo]] = []


def flushes_of(trace: Trace, variant: VariantConfig, chars_per_second: float) -> LetGo:
    """Return what a variant's gate lets go.

    That depends on the stream alone, so what was let go of the last conversation is kept for variants with the same
    gate.

    Raises:
        CaseFailedError: the gate raised what it should not, or gave back what it should not.
    """
    for known, gate, speed, let_go in _last:
        if known is trace and gate == variant.gate and speed == chars_per_second:
            return let_go
    chunks = stream_chunks(trace, build_gate(variant), chars_per_second)
    index = count()
    with part(variant.variant_id, "gate", variant.gate.kind, trace.case_id):
        let_go = tuple(
            tuple(_flush(trace, next(index), chunk, pieces) for pieces in contiguous(trace, chunk.pieces))
            for chunk in map(checked_chunk, chunks)
        )
    _last[:] = [*(one for one in _last if one[0] is trace), (trace, variant.gate, chars_per_second, let_go)]
    return let_go


def _flush(trace: Trace, index: int, chunk: Chunk, pieces: Sequence[Piece]) -> GateFlush:
    first, last = pieces[0], pieces[-1]
    text = text_between(trace, (first.seq, first.start_char), (last.seq, last.end_char))
    return GateFlush(
        flush_index=index,
        t_ms=chunk.t_ms,
        start_seq=first.seq,
        end_seq=last.seq,
        start_char=first.start_char,
        end_char=last.end_char,
        ctu=ctu(text),
        words=len(pieces),
        reason=chunk.reason,
        text_sha256=sha256_text(text),
    )


def stream_chunks(trace: Trace, gate: Gate, chars_per_second: float) -> Iterator[Chunk]:
    """Yield what leaves the gate while the trace streams by, in order of time.

    Where messages overlap, a gate of one message at a time hears each for itself; any other hears words and ends of
    messages as they come. A timer that ends with a word's arrival loses.
    """
    turns = turns_of(trace, chars_per_second)
    if gate.one_message_at_a_time:
        yield from sorted(chain.from_iterable(_heard(gate, turn) for turn in turns), key=attrgetter("t_ms"))
    elif all(turn.end_ms <= after.start_ms for turn, after in pairwise(turns)):
        yield from chain.from_iterable(_heard(gate, turn) for turn in turns)
    else:
        events: list[tuple[Piece | int, ...]] = [(*turn.pieces, turn.end_ms) for turn in turns]
        for event in merge(*events, key=_moment):
            yield from _ended(gate, event) if isinstance(event, int) else gate.on_pieces((event,))
    yield from gate.on_end(max((turn.end_ms for turn in turns), default=0))


def _moment(event: Piece | int) -> int:
    return event if isinstance(event, int) else event.t_ms


def _heard(gate: Gate, turn: Turn) -> Iterator[Chunk]:
    """Yield what leaves the gate while it hears the words of a message, and its end."""
    yield from gate.on_pieces(turn.pieces)
    yield from _ended(gate, turn.end_ms)


def _ended(gate: Gate, end_ms: int) -> Iterator[Chunk]:
    yield from gate.timers(before_ms=end_ms)
    yield from gate.on_turn_end(end_ms)


class _Session:
    """The middleware's state during one case: what waits, what was emitted, when it is free again."""

    def __init__(self, trace: Trace, variant: VariantConfig, client: LLMClient) -> None:
        self._trace = trace
        self._variant = variant
        self._trigger = build_trigger(variant, client)
        self._summarizer = build_summarizer(variant, client)
        self._waiting: list[GateFlush] = []
        self._free_at_ms = 0
        self.decisions: list[TriggerDecision] = []
        self.summaries: list[Summary] = []

    def hear(self, flushes: Sequence[GateFlush], *, last: bool) -> None:
        """Note what the gate let go, decide on the window, and summarise it if so decided."""
        self._waiting.extend(flushes)
        flush = flushes[-1]
        history = self._history()
        turns = window_turns(self._trace, self._waiting)
        started_ms = max(flush.t_ms, self._free_at_ms)
        with self._part("trigger", self._variant.trigger):
            request = TriggerInput(turns, _rendered(history), last)
            verdict = checked_verdict(self._trigger.decide(request))
        decided_ms = started_ms + verdict.latency_ms
        self._free_at_ms = decided_ms
        self.decisions.append(
            TriggerDecision(
                decision_index=len(self.decisions),
                flush_index=flush.flush_index,
                t_ms=decided_ms,
                decision=verdict.decision,
                filters=verdict.filters,
                llm_usage=verdict.usage.to_record() if verdict.usage else None,
                latency_ms=verdict.latency_ms,
            )
        )
        if verdict.decision == SUMMARIZE:
            self._summarize(turns, history, decided_ms)
        if verdict.decision in (SUMMARIZE, DISCARD):
            self._waiting = []

    def _summarize(self, turns: Sequence[tuple[str, str]], history: Sequence[Summary], decided_ms: int) -> None:
        with self._part("summarizer", self._variant.summarizer):
            update = checked_update(self._summarizer.summarize(SummaryInput(turns, _rendered(history))))
        emitted_ms = decided_ms + update.latency_ms
        self._free_at_ms = emitted_ms
        index = len(self.summaries)
        self.summaries.append(
            Summary(
                event_index=index,
                event_id=summary_event_id(self._trace.case_id, self._variant.variant_id, index),
                t_ms=emitted_ms,
                start_seq=min(flush.start_seq for flush in self._waiting),
                end_seq=max(flush.end_seq for flush in self._waiting),
                flush_indices=tuple(flush.flush_index for flush in self._waiting),
                schema_ok=update.error is None,
                schema_error=update.error,
                summary_content=update.content,
                semantics_text=update.semantics_text,
                rendered_text=update.rendered_text,
                summary_ctu=ctu(update.rendered_text),
                latest_summary_event_id=self.summaries[-1].event_id if self.summaries else None,
                history_event_ids=tuple(summary.event_id for summary in history),
                llm_usage=update.usage.to_record() if update.usage else None,
                latency_ms=update.latency_ms,
            )
        )

    def _part(self, noun: str, part_config: PartConfig) -> AbstractContextManager[None]:
        return part(self._variant.variant_id, noun, part_config.kind, self._trace.case_id)

    def _history(self) -> list[Summary]:
        kept = [summary for summary in self.summaries if summary.schema_ok]
        return kept[-self._variant.history_k :] if self._variant.history_k else []


def _rendered(history: Sequence[Summary]) -> list[str]:
    return [summary.rendered_text for summary in history]

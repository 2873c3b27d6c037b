"""From a trace and its run logs to observations: each distinct text of a case goes through the extractor once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from exaid_evals.artifacts.text_units import CHARS_PER_CTU, ctu
from exaid_evals.concepts.base import CachedExtractor, Extractor, Mention, concept_ids
from exaid_evals.metrics.copied import CopiedText
from exaid_evals.metrics.extraction import LabelledConversation, LabelledMessage
from exaid_evals.metrics.observation import Decision, DecisiveStep, Flush, Observation, Update
from exaid_evals.replay.clock import arrivals, texts_of, window_of, window_spans
from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import DECISIVE, Trace


def observe_case(trace: Trace, logs: Sequence[RunLog], extractor: Extractor) -> list[Observation]:
    """Return what each run of a case shows, in the order of the logs.

    Args:
        trace: of a case that did not fail.
        logs: its runs, one a variant; none of them skipped.
        extractor: finds concepts; it is asked once, about all texts of the case.
    """
    found = CachedExtractor(extractor)
    found.mentions(texts_of(trace, logs))
    labels = _labels(trace, found)
    copied = CopiedText(trace) if labels else None
    heard: dict[float, _Heard] = {}
    for log in logs:
        speed = chars_per_second(log)
        if speed not in heard:
            heard[speed] = _Heard(trace, speed, found)
    return [_observe(trace, log, heard[chars_per_second(log)], found, labels, copied) for log in logs]


def _labels(trace: Trace, found: CachedExtractor) -> LabelledConversation | None:
    """Return the conversation's gold labels beside what was found; None where some message carries none."""
    mentions = found.mentions([message.content for message in trace.messages])
    if not trace.messages or any(message.gold_mentions is None for message in trace.messages):
        return None
    return LabelledConversation(
        [
            LabelledMessage(message.gold_mentions or (), in_message)
            for message, in_message in zip(trace.messages, mentions, strict=True)
        ]
    )


def _in_order(log: RunLog) -> list[Summary]:
    return sorted(log.summaries, key=lambda summary: (summary.t_ms, summary.event_index))


def chars_per_second(log: RunLog) -> float:
    """Return the speed at which a run heard text without a recorded time."""
    return float(log.meta["config"]["stream"]["chars_per_second"])


class _Heard:
    """A conversation as it arrives at one speed.

    Attributes:
        stated_ms: concept → when its first mention had arrived whole.
        end_ms: when all of it was there.
        step: the decisive one, where the trace knows it.
    """

    def __init__(self, trace: Trace, chars_per_second: float, found: CachedExtractor) -> None:
        self._arrivals = arrivals(trace, chars_per_second)
        self.end_ms = max((arrival.end_ms for arrival in self._arrivals), default=0)
        self.stated_ms: dict[str, int] = {}
        mentions = found.mentions([message.content for message in trace.messages])
        for arrival, in_message in zip(self._arrivals, mentions, strict=True):
            for mention in in_message:
                t_ms = arrival.time_of(mention.end)
                self.stated_ms[mention.concept_id] = min(self.stated_ms.get(mention.concept_id, t_ms), t_ms)
        self.step = self._decisive(trace, [concept_ids(in_message) for in_message in mentions])

    def _decisive(self, trace: Trace, stated: Sequence[frozenset[str]]) -> DecisiveStep | None:
        for index, message in enumerate(trace.messages):
            if message.upstream and message.upstream.get(DECISIVE):
                new = stated[index].difference(*stated[:index])
                return DecisiveStep(new, self._arrivals[index].start_ms)
        return None

    def ctu_at(self, t_ms: int) -> int:
        """Return the CTU that had arrived by a time, each message rounded up as everywhere."""
        return sum(-(-arrival.chars_at(t_ms) // CHARS_PER_CTU) for arrival in self._arrivals)


def _observe(
    trace: Trace,
    log: RunLog,
    heard: _Heard,
    found: CachedExtractor,
    labels: LabelledConversation | None,
    copied: CopiedText | None,
) -> Observation:
    return Observation(
        trace_ctu=trace.text_units_ctu,
        trace_messages=len(trace.messages),
        stated_ms=heard.stated_ms,
        updates=tuple([_update(trace, log, summary, heard, found, copied) for summary in _in_order(log)]),
        decisions=tuple(Decision(decision.latency_ms, decision.llm_usage) for decision in log.decisions),
        flushes=tuple(Flush(flush.t_ms, flush.ctu, flush.words, flush.reason) for flush in log.flushes),
        end_ms=heard.end_ms,
        step=heard.step,
        labels=labels,
    )


def placed(summary: Summary, mentions: Sequence[Mention]) -> tuple[Mention, ...]:
    """Return the mentions of s_i where they stand in f_i; at its end where s_i is no part of it as a whole."""
    start = summary.rendered_text.find(summary.semantics_text)
    if start == 0:
        return tuple(mentions)
    if start > 0:
        return tuple(one._replace(start=start + one.start, end=start + one.end) for one in mentions)
    length = len(summary.rendered_text)
    return tuple(one._replace(start=length, end=length) for one in mentions)


def _update(
    trace: Trace, log: RunLog, summary: Summary, heard: _Heard, found: CachedExtractor, copied: CopiedText | None
) -> Update:
    text, windows = "", list[str]()
    gold: tuple[Mention, ...] | None = None if copied is None else ()
    if summary.schema_ok:
        text, windows = summary.semantics_text, window_of(trace, log, summary)
        if copied is not None:
            window = window_spans(trace, [log.flushes[index] for index in summary.flush_indices])
            gold = copied.mentions(text, window)
    mentions: tuple[Mention, ...] = found.mentions([text])[0] if text else ()
    flushed_ms = max(log.flushes[index].t_ms for index in summary.flush_indices)
    return Update(
        t_ms=summary.t_ms,
        ok=summary.schema_ok,
        text=text,
        concepts=concept_ids(mentions),
        mentions=placed(summary, mentions),
        length=len(summary.rendered_text),
        ctu=ctu(summary.rendered_text),
        window_concepts=concept_ids(chain.from_iterable(found.mentions(windows))),
        latency_ms=summary.latency_ms,
        usage=summary.llm_usage,
        flushed_ms=flushed_ms,
        said_ctu=heard.ctu_at(summary.t_ms),
        flushed_said_ctu=heard.ctu_at(flushed_ms),
        gold=gold,
        prefix=summary.rendered_text.startswith(summary.semantics_text),
    )

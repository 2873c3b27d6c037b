"""Random small conversations and run logs for hypothesis; texts of few words, so that they repeat each other."""

from __future__ import annotations

from hypothesis import strategies as st

from conversations import conversation
from exaid_evals.replay.run_log import GateFlush, RunLog, Summary, TriggerDecision
from exaid_evals.traces.model import Trace

META = {
    "case_id": "case-1",
    "variant_id": "V3",
    "status": "ok",
    "config": {"stream": {"chars_per_second": 100.0}},
}
WORDS = ("AA", "BB", "CC", "DD", "EE", "and", "the", "Aa", "é.")

texts = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
usages = st.none() | st.fixed_dictionaries(
    {
        "calls": st.integers(1, 3),
        "prompt_ctu": st.integers(0, 50),
        "completion_ctu": st.integers(0, 50),
        "provider_prompt_tokens": st.none(),
        "provider_completion_tokens": st.none(),
    }
)
latencies = st.integers(0, 400)


@st.composite
def runs(draw: st.DrawFn, contents: st.SearchStrategy[str] = texts) -> tuple[Trace, RunLog]:
    """Draw a conversation, cut it into flushes, and write updates about runs of flushes."""
    trace = conversation(*draw(st.lists(contents, min_size=1, max_size=4)), gap_ms=draw(st.sampled_from([0, 500])))
    ends = [(seq, char) for seq, message in enumerate(trace.messages) for char in range(1, len(message.content) + 1)]
    cuts = sorted(draw(st.sets(st.sampled_from(ends), max_size=6))) if ends else []
    flushes = []
    start = (0, 0)
    for number, end in enumerate(cuts):
        flushes.append(_flush(number, start, end))
        at_end = end[1] == len(trace.messages[end[0]].content)
        start = (end[0] + 1, 0) if at_end else end
    summaries = []
    t_ms = 0
    if flushes:
        for number in range(draw(st.integers(0, 4))):
            t_ms += draw(st.sampled_from([0, 100, 900, 16_000]))
            first = draw(st.integers(0, len(flushes) - 1))
            last = draw(st.integers(first, len(flushes) - 1))
            ok = draw(st.sampled_from([True, True, True, False]))
            summaries.append(_summary(draw, number, t_ms, ok, range(first, last + 1)))
    decisions = [
        TriggerDecision(number, number, flush.t_ms, "summarize", {}, draw(usages), draw(latencies))
        for number, flush in enumerate(flushes)
    ]
    return trace, RunLog(META, tuple(flushes), tuple(decisions), tuple(summaries))


def _flush(number: int, start: tuple[int, int], end: tuple[int, int]) -> GateFlush:
    reasons = ("message", "silence", "max_words")
    return GateFlush(
        number, 300 * number, start[0], end[0], start[1], end[1], 7 * number % 5, number, reasons[number % 3], ""
    )


def _summary(draw: st.DrawFn, number: int, t_ms: int, ok: bool, indices: range) -> Summary:
    semantics = draw(texts)
    rendered = draw(st.sampled_from(["", "AA ", "agent: "])) + semantics + draw(st.sampled_from(["", " FF GG", "!"]))
    return Summary(
        event_index=number,
        event_id=f"case-1-V3-se-{number:03d}",
        t_ms=t_ms,
        start_seq=0,
        end_seq=0,
        flush_indices=tuple(indices),
        schema_ok=ok,
        schema_error=None if ok else "broken",
        summary_content=None,
        semantics_text=semantics if ok else "",
        rendered_text=rendered if ok else draw(st.sampled_from(["", "AA BB raw answer"])),
        summary_ctu=0,
        latest_summary_event_id=None,
        history_event_ids=(),
        llm_usage=draw(usages),
        latency_ms=draw(latencies),
    )

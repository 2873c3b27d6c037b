"""The engine: windows, history, time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from conversations import EPOCH, PROVENANCE, ScriptedLLM, conversation
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.config.variant import VariantConfig
from exaid_evals.middleware.summarizers import FIELDS
from exaid_evals.replay.clock import text_between, window_turns
from exaid_evals.replay.engine import flushes_of, replay
from exaid_evals.traces.model import Message, Trace

SPEED = 100.0


def variant(trigger: str = "llm", *, gate: dict[str, Any] | None = None, history_k: int = 2) -> VariantConfig:
    """Build a variant with the structured summarizer."""
    return VariantConfig.model_validate(
        {
            "variant_id": "T",
            "gate": gate or {"kind": "message"},
            "trigger": {"kind": trigger},
            "summarizer": {"kind": "structured"},
            "history_k": history_k,
        }
    )


def yes(**answers: bool) -> str:
    """Return a trigger's answer: yes to all that is not said otherwise."""
    return json.dumps({"completeness": True, "value": True, "novelty": True, **answers})


def summary(text: str) -> str:
    """Return a valid summary whose fields all hold one text."""
    return json.dumps(dict.fromkeys(FIELDS, text))


def test_what_is_held_joins_the_next_window() -> None:
    """An incomplete flush waits, and the summary that follows covers it too."""
    client = ScriptedLLM([yes(completeness=False), yes(), summary("s")])
    trace = conversation("Fever was", "seen.")
    flushes, decisions, summaries = replay(trace, variant(), client, chars_per_second=SPEED)
    assert [decision.decision for decision in decisions] == ["hold", "summarize"]
    assert [(item.flush_indices, item.start_seq, item.end_seq) for item in summaries] == [((0, 1), 0, 1)]
    assert [text for _, text in window_turns(trace, flushes)] == ["Fever was", "seen."]


def test_variants_with_the_same_gate_share_its_flushes() -> None:
    """Another gate, another speed and another conversation have their own."""
    trace, other = conversation("Fever was", "seen."), conversation("Rash.")
    fixed = variant(gate={"kind": "fixed_ctu", "threshold_ctu": 1})
    flushes = flushes_of(trace, variant(), SPEED)
    assert flushes_of(trace, variant("always", history_k=0), SPEED) is flushes
    assert [flush.reason for (flush,) in flushes_of(trace, fixed, SPEED)] == ["fixed_ctu"] * 2
    assert flushes_of(trace, variant(), 2 * SPEED)[-1][-1].t_ms < flushes[-1][-1].t_ms
    assert len(flushes_of(other, variant(), SPEED)) == 1
    assert flushes_of(trace, variant(), SPEED) == flushes


def test_what_is_discarded_is_gone() -> None:
    """A discarded flush is in no later window."""
    client = ScriptedLLM([yes(value=False), yes(), summary("s")])
    _, decisions, summaries = replay(conversation("I agree.", "Rash."), variant(), client, chars_per_second=SPEED)
    assert [decision.decision for decision in decisions] == ["discard", "summarize"]
    assert [item.flush_indices for item in summaries] == [(1,)]
    assert "I agree." not in client.requests[-1].messages[1].content


def test_the_history_is_the_last_k_good_summaries() -> None:
    """Trigger and summarizer see history_k earlier updates, oldest first; a failed one is none of them."""
    answers = [summary("one"), summary("two"), "broken", "broken again", summary("four"), summary("five")]
    client = ScriptedLLM(list(answers))
    trace = conversation("a", "b", "c", "d", "e")
    _, _, summaries = replay(trace, variant("always", history_k=2), client, chars_per_second=SPEED)
    assert [item.schema_ok for item in summaries] == [True, True, False, True, True]
    ids = [item.event_id for item in summaries]
    assert list(summaries[4].history_event_ids) == [ids[1], ids[3]]
    assert summaries[3].latest_summary_event_id == ids[2]
    assert client.requests[5].inputs["history"] == ["\n".join(["two"] * 6), "\n".join(["four"] * 6)]


def test_without_history_nobody_is_shown_any() -> None:
    """A history of no summary is none, and not all of them."""
    client = ScriptedLLM([summary("one"), summary("two"), summary("three")])
    _, _, summaries = replay(
        conversation("a", "b", "c"), variant("always", history_k=0), client, chars_per_second=SPEED
    )
    assert [list(item.history_event_ids) for item in summaries] == [[], [], []]
    assert client.requests[-1].inputs["history"] == []


def test_what_a_model_used_stands_with_what_it_made() -> None:
    """Decision and summary carry their own call; what asked no model carries none."""
    client = ScriptedLLM([yes(), summary("s")])
    _, [decision], [made] = replay(conversation("Fever."), variant(), client, chars_per_second=SPEED)
    for usage, answer in ((decision.llm_usage, yes()), (made.llm_usage, summary("s"))):
        assert usage is not None
        assert (usage["calls"], usage["completion_ctu"]) == (1, len(answer) // 4)
    client = ScriptedLLM([summary("s")])
    _, [unasked], _ = replay(conversation("Fever."), variant("always"), client, chars_per_second=SPEED)
    assert unasked.llm_usage is None


def test_latency_delays_the_emission_and_the_next_decision_but_never_the_stream() -> None:
    """The middleware does one thing at a time; flush times are those of the text alone."""
    client = ScriptedLLM([yes(), summary("s"), yes(), summary("t")], latency_ms=1000)
    trace = conversation("a" * 10, "b" * 10, gap_ms=100)
    flushes, decisions, summaries = replay(trace, variant(), client, chars_per_second=SPEED)
    assert [flush.t_ms for flush in flushes] == [100, 300]
    assert [decision.t_ms for decision in decisions] == [1100, 3100]
    assert [item.t_ms for item in summaries] == [2100, 4100]


def test_the_last_flush_is_announced_as_final() -> None:
    """Only the flush behind which no word follows is final: what it leaves held would be lost."""
    client = ScriptedLLM([yes(completeness=False), yes(), summary("s")])
    replay(conversation("Fever was", "seen", "  "), variant(), client, chars_per_second=SPEED)
    finals = [request.inputs["final"] for request in client.requests if request.task == "trigger"]
    assert finals == [False, True]


@pytest.mark.parametrize("gate", [{"kind": "message"}, {"kind": "fixed_ctu", "threshold_ctu": 3}])
def test_records_describe_their_text(gate: dict[str, Any]) -> None:
    """A flush's positions, words and CTU are those of its text; a summary's CTU is that of its rendered text."""
    trace = conversation("Fever of 39 °C. ", "No rash 𝒳 was seen by anybody.")
    client = ScriptedLLM([summary("short")] * 9)
    flushes, _, summaries = replay(trace, variant("always", gate=gate), client, chars_per_second=SPEED)
    for flush in flushes:
        text = text_between(trace, (flush.start_seq, flush.start_char), (flush.end_seq, flush.end_char))
        assert (flush.ctu, flush.words) == (ctu(text), len(text.split()))
    assert [item.summary_ctu for item in summaries] == [ctu(item.rendered_text) for item in summaries]
    assert len(client.requests) == len(flushes)


OVERLAPPING = Trace(
    "case-1",
    EPOCH,
    (
        Message("doctor0", "a1 a2 a3 a4", 0, ((0, 3), (200, 3), (400, 3), (600, 2))),
        Message("doctor1", "b1 b2 b3 b4", 100, ((100, 3), (300, 3), (500, 3), (700, 2))),
    ),
    PROVENANCE,
)


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ({"kind": "message"}, [(600, "a1 a2 a3 a4"), (700, "b1 b2 b3 b4")]),
        (
            {"kind": "token_gate", "min_words": 2, "max_words": 2},
            [(200, "a1 a2 "), (300, "b1 b2 "), (600, "a3 a4"), (700, "b3 b4")],
        ),
        ({"kind": "fixed_ctu", "threshold_ctu": 3}, [(300, "a1 a2 "), (300, "b1 b2 "), (700, "a3 a4"), (700, "b3 b4")]),
    ],
    ids=["message", "token_gate", "fixed_ctu"],
)
def test_of_two_who_speak_at_once_no_time_is_shifted(gate: dict[str, Any], expected: list[tuple[int, str]]) -> None:
    """Text leaves a gate by its recorded times; a flush is one range, and of what left at once one decision is made."""
    client = ScriptedLLM([yes(completeness=False)] * 3 + [yes(), summary("s")])
    if len(expected) == 2 or gate["kind"] == "fixed_ctu":
        client.script[:] = client.script[2:]
    flushes, decisions, [update] = replay(OVERLAPPING, variant(gate=gate), client, chars_per_second=SPEED)
    found = [
        (flush.t_ms, text_between(OVERLAPPING, (flush.start_seq, flush.start_char), (flush.end_seq, flush.end_char)))
        for flush in flushes
    ]
    assert found == expected
    assert [flush.words for flush in flushes] == [len(text.split()) for _, text in expected]
    assert len(decisions) == len({t_ms for t_ms, _ in expected})
    assert (update.start_seq, update.end_seq, len(update.flush_indices)) == (0, 1, len(expected))
    assert [text for _, text in window_turns(OVERLAPPING, flushes)] == [text for _, text in expected]


def test_the_last_decision_knows_that_nothing_follows() -> None:
    """Also where the message that ends last began first."""
    said = (Message("doctor0", "a b", 0, ((0, 2), (900, 1))), Message("doctor1", "c", 100, ((100, 1),)))
    client = ScriptedLLM([yes(completeness=False), yes(), summary("s")])
    trace = Trace("case-1", EPOCH, said, PROVENANCE)
    flushes, _, _ = replay(trace, variant(), client, chars_per_second=SPEED)
    assert [(flush.start_seq, flush.t_ms) for flush in flushes] == [(1, 100), (0, 900)]
    assert [request.inputs["final"] for request in client.requests[:2]] == [False, True]

"""Triggers: what they ask, and what they make of the answers."""

from __future__ import annotations

import json

import pytest

from conversations import ScriptedLLM
from exaid_evals.config.base import Config
from exaid_evals.errors import LLMError
from exaid_evals.middleware.triggers import AlwaysTrigger, LLMTrigger, LLMTriggerSettings, TriggerInput

REQUEST = TriggerInput([("doctor0", "No FEVER.")], ["earlier update"], final=False)


@pytest.mark.parametrize(
    ("completeness", "value", "novelty", "decision"),
    [
        (True, True, True, "summarize"),
        (False, True, True, "hold"),
        (False, False, False, "hold"),
        (True, False, True, "discard"),
        (True, True, False, "discard"),
    ],
)
def test_the_decision_follows_from_the_answers(completeness: bool, value: bool, novelty: bool, decision: str) -> None:
    """Incomplete is held, complete but worthless or old is discarded, all three summarise."""
    answers = {"completeness": completeness, "value": value, "novelty": novelty}
    client = ScriptedLLM([json.dumps(answers)], latency_ms=7)
    verdict = LLMTrigger(LLMTriggerSettings(), client).decide(REQUEST)
    assert (verdict.decision, verdict.filters, verdict.latency_ms) == (decision, answers, 7)


def test_a_disabled_filter_is_not_asked() -> None:
    """Without novelty the prompt does not ask for it, the answer need not hold it, and the record says null."""
    client = ScriptedLLM(['{"completeness": true, "value": true}'])
    settings = LLMTriggerSettings(filters=("value", "completeness"))
    verdict = LLMTrigger(settings, client).decide(REQUEST)
    assert (verdict.decision, verdict.filters["novelty"]) == ("summarize", None)
    assert "novelty" not in client.requests[0].messages[1].content


def test_the_prompt_shows_window_and_history() -> None:
    """The model is asked about the window's words beside the earlier updates, and its CTU are counted."""
    client = ScriptedLLM(['{"completeness": true, "value": true, "novelty": true}'])
    verdict = LLMTrigger(LLMTriggerSettings(), client).decide(REQUEST)
    prompt = client.requests[0].messages[1].content
    assert "[doctor0] No FEVER." in prompt
    assert "earlier update" in prompt
    assert verdict.usage is not None
    assert verdict.usage.prompt_ctu == client.requests[0].prompt_ctu > 0


@pytest.mark.parametrize("answer", ["yes", "[]", '{"completeness": 1, "value": true, "novelty": true}', "{}"])
def test_an_unusable_answer_is_an_error(answer: str) -> None:
    """Two answers without a true or false for each filter are not decisions, and none is guessed."""
    with pytest.raises(LLMError, match="true or false"):
        LLMTrigger(LLMTriggerSettings(), ScriptedLLM([answer, answer])).decide(REQUEST)


def test_an_unusable_answer_is_asked_for_once_more() -> None:
    """A second answer that can be read is the decision; its usage and latency are those of both calls."""
    answers = {"completeness": True, "value": True, "novelty": False}
    client = ScriptedLLM(["certainly", f"Here you are:\n```json\n{json.dumps(answers)}\n```"], latency_ms=7)
    verdict = LLMTrigger(LLMTriggerSettings(), client).decide(REQUEST)
    assert (verdict.decision, verdict.filters, verdict.latency_ms) == ("discard", answers, 14)
    assert "novelty" in client.requests[1].messages[-1].content
    assert verdict.usage is not None
    assert verdict.usage.calls == 2


def test_always_asks_nobody() -> None:
    """The always trigger summarises without a call."""
    client = ScriptedLLM([])
    verdict = AlwaysTrigger(Config(), client).decide(REQUEST)
    assert (verdict.decision, verdict.usage, client.requests) == ("summarize", None, [])

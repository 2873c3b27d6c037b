"""Summarizers: six fields or a stated failure."""

from __future__ import annotations

import json

import pytest

from conversations import ScriptedLLM
from exaid_evals.config.base import Config
from exaid_evals.middleware.summarizers import (
    FIELDS,
    PassthroughSummarizer,
    StructuredSummarizer,
    SummaryInput,
    parse_summary,
)

REQUEST = SummaryInput([("doctor0", "FEVER."), ("doctor1", "RASH.")], ["before"])
CONTENT = {field: f"text of {field}" for field in FIELDS}


def test_a_valid_answer_becomes_an_update() -> None:
    """The semantics join the first five fields, the rendered text all six, a line each in the schema's order."""
    update = StructuredSummarizer(Config(), ScriptedLLM([json.dumps(CONTENT)], latency_ms=5)).summarize(REQUEST)
    assert update.semantics_text == "\n".join(CONTENT[field] for field in FIELDS[:5])
    assert update.rendered_text == "\n".join(CONTENT[field] for field in FIELDS)
    assert (update.content, update.error, update.latency_ms) == (CONTENT, None, 5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"key_findings": ""}, "key_findings: 0 characters, where 1 to 300 are allowed"),
        ({"key_findings": "x" * 301}, "key_findings: 301 characters, where 1 to 300 are allowed"),
        ({"key_findings": None}, "key_findings: no text"),
        ({"extra": "x"}, "extra: no such field"),
    ],
)
def test_a_broken_field_fails_the_update_and_says_how(change: dict[str, object], problem: str) -> None:
    """An answer that breaks the schema twice is a failed update with its reason, never a repaired one."""
    client = ScriptedLLM([json.dumps({**CONTENT, **change})] * 2)
    update = StructuredSummarizer(Config(), client).summarize(REQUEST)
    assert (update.content, update.error, update.rendered_text) == (None, problem, "")
    assert update.usage is not None


def test_a_broken_answer_is_asked_for_once_more() -> None:
    """The model is shown its answer and what is wrong with it; usage and latency are those of both calls."""
    broken = json.dumps({**CONTENT, "key_findings": ""})
    client = ScriptedLLM([broken, json.dumps(CONTENT)], latency_ms=5)
    update = StructuredSummarizer(Config(), client).summarize(REQUEST)
    first, second = client.requests
    assert (update.content, update.error, update.latency_ms) == (CONTENT, None, 10)
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2].content == broken
    assert "key_findings: 0 characters" in second.messages[3].content
    assert update.usage is not None
    assert (update.usage.calls, update.usage.prompt_ctu) == (2, first.prompt_ctu + second.prompt_ctu)


def test_the_second_problem_is_the_one_that_is_recorded() -> None:
    """Of two broken answers the last one's problem is reported, and no third is asked for."""
    client = ScriptedLLM(["no json", json.dumps({**CONTENT, "extra": "x"})])
    update = StructuredSummarizer(Config(), client).summarize(REQUEST)
    assert (update.content, update.error, client.script) == (None, "extra: no such field", [])


@pytest.mark.parametrize("answer", ["no json", "[1]", '"text"', "null"])
def test_an_answer_that_is_no_object_fails(answer: str) -> None:
    """Whatever is not a JSON object of six texts is a failure with a reason."""
    content, error = parse_summary(answer)
    assert content is None
    assert error


def test_300_characters_are_allowed() -> None:
    """The limit itself is within the limit."""
    answer = {**CONTENT, "key_findings": "x" * 300}
    assert parse_summary(json.dumps(answer)) == (answer, None)


def test_passthrough_hands_the_window_on() -> None:
    """The baseline's update is the window's text, at no cost."""
    update = PassthroughSummarizer(Config(), ScriptedLLM([])).summarize(REQUEST)
    assert (update.semantics_text, update.rendered_text, update.usage) == ("FEVER.\nRASH.", "FEVER.\nRASH.", None)

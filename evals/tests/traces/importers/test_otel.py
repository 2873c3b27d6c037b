"""OpenTelemetry spans: what of their inputs, outputs and events is conversation, whose, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from traces.importers.reading import problems_of, read, said, write
from traces.importers.writers import attribute, request, span, spoken


def _otel(tmp_path: Path, spans: list[dict[str, Any]]) -> Path:
    return write(tmp_path / "spans.json", request(spans))


def test_spans_give_openings_agents_times_and_tokens(tmp_path: Path) -> None:
    """The opening is there when the first span begins, an answer from its span's start to its end, and once."""
    opening, answer = "Girl with fever.", "JIA is likely."
    agent = span("a" * 16, [attribute("gen_ai.agent.name", "Rheumatologist")], ms=(0, 5000))
    first = [
        attribute("gen_ai.input.messages", [spoken("user", opening)]),
        attribute("gen_ai.output.messages", [spoken("assistant", answer)]),
        attribute("gen_ai.usage.output_tokens", 12),
    ]
    second = [
        attribute("gen_ai.agent.name", "Oncologist"),
        attribute("gen_ai.input.messages", [spoken("user", opening), spoken("assistant", answer)]),
        attribute("gen_ai.output.messages", [spoken("assistant", "Leukemia?")]),
    ]
    # Out of order on purpose: exporters write spans as they end.
    spans = [
        span("c" * 16, second, ms=(5000, 9000)),
        agent,
        span("b" * 16, first, ms=(100, 4000), parentSpanId="A" * 16),
    ]
    imported = read(_otel(tmp_path, spans))
    [trace] = imported.traces
    assert (trace.case_id, trace.epoch) == ("case-4bf92f3577b34da6a3ce929d0e0e4736", "2024-12-19T12:00:00.100Z")
    assert [(item.agent_id, item.content, item.t_rel_ms, item.end_t_rel_ms) for item in trace.messages] == [
        ("supervisor", opening, None, 0),
        ("doctor0", answer, 0, 3900),
        ("doctor1", "Leukemia?", 4900, 8900),
    ]
    assert [item.provider_token_count for item in trace.messages] == [None, 12, None]
    assert trace.time_basis == "recorded"


def test_spans_around_messages_repeat_them(tmp_path: Path) -> None:
    """An agent's span with the messages of the calls inside it is passed over."""
    reported = [
        attribute("gen_ai.input.messages", [spoken("user", "Fever.")]),
        attribute("gen_ai.output.messages", [spoken("assistant", "JIA?")]),
    ]
    spans = [
        span("a" * 16, [attribute("gen_ai.agent.name", "House"), *reported], ms=(0, 10)),
        span("b" * 16, reported, ms=(1, 9), parentSpanId="a" * 16),
    ]
    assert said(read(_otel(tmp_path, spans))).popitem()[1] == [("supervisor", "Fever."), ("doctor0", "JIA?")]


def _event(name: str, **attributes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "timeUnixNano": "1",
        "attributes": [attribute(key, value) for key, value in attributes.items()],
    }


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(
            [
                _event(
                    "gen_ai.client.inference.operation.details",
                    **{
                        "gen_ai.input.messages": [spoken("user", "Fever.")],
                        "gen_ai.output.messages": [spoken("assistant", "JIA?")],
                    },
                )
            ],
            id="details",
        ),
        pytest.param(
            [
                _event("gen_ai.user.message", content="Fever."),
                _event("gen_ai.choice", message="JIA?", finish_reason="stop"),
            ],
            id="plain events",
        ),
        pytest.param(
            [
                _event("gen_ai.user.message", **{"gen_ai.event.content": {"role": "user", "content": "Fever."}}),
                _event("gen_ai.choice", **{"gen_ai.event.content": {"index": 0, "message": {"content": "JIA?"}}}),
            ],
            id="bodies as JSON",
        ),
        pytest.param(
            [
                _event("gen_ai.content.prompt", **{"gen_ai.prompt": [{"role": "user", "content": "Fever."}]}),
                _event(
                    "gen_ai.content.completion", **{"gen_ai.completion": [{"role": "assistant", "content": "JIA?"}]}
                ),
            ],
            id="prompt and completion",
        ),
    ],
)
def test_messages_in_events_of_every_convention(events: list[dict[str, Any]], tmp_path: Path) -> None:
    """Old and new conventions of events say the same."""
    path = _otel(tmp_path, [span("a" * 16, [attribute("gen_ai.conversation.id", "c1")], ms=(0, 10), events=events)])
    assert said(read(path)) == {"case-c1": [("supervisor", "Fever."), ("doctor0", "JIA?")]}


def test_structured_attributes_are_read(tmp_path: Path) -> None:
    """Where the exporter keeps structure, lists and mappings of OTLP are what JSON text would be."""

    def structured(value: Any) -> dict[str, Any]:
        if isinstance(value, list):
            return {"arrayValue": {"values": [structured(item) for item in value]}}
        if isinstance(value, dict):
            return {"kvlistValue": {"values": [{"key": key, "value": structured(item)} for key, item in value.items()]}}
        return {"stringValue": value}

    reported = {"key": "gen_ai.output.messages", "value": structured([spoken("assistant", "JIA?")])}
    assert said(read(_otel(tmp_path, [span("a" * 16, [reported], ms=(0, 1))]))).popitem()[1] == [("supervisor", "JIA?")]


def test_what_spans_hold_beside_conversation_is_reported_once(tmp_path: Path) -> None:
    """Calls, their results, several choices and instructions are reported, each once however often it is repeated."""
    call = {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "search", "arguments": {}}]}
    result = {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "result": "3 hits"}]}
    history = [spoken("system", "Be brief."), spoken("user", "Fever.")]
    spans = [
        span(
            "a" * 16,
            [attribute("gen_ai.input.messages", history), attribute("gen_ai.output.messages", [call])],
            ms=(0, 1),
        ),
        span(
            "b" * 16,
            [
                attribute("gen_ai.input.messages", [*history, call, result]),
                attribute("gen_ai.output.messages", [spoken("assistant", "JIA?"), spoken("assistant", "SLE?")]),
            ],
            ms=(2, 3),
        ),
        span(
            "c" * 16,
            [
                attribute("gen_ai.system_instructions", [{"type": "text", "content": "Be kind."}]),
                attribute("gen_ai.input.messages", [*history, call, result, spoken("assistant", "Never put out.")]),
                attribute("gen_ai.output.messages", [spoken("assistant", "Done.")]),
            ],
            ms=(4, 5),
        ),
    ]
    imported = read(_otel(tmp_path, spans), skip=True)
    assert imported.left_out == {
        "part that is not text": 2,
        "several choices": 1,
        "system message": 1,
        "unknown history": 1,
    }
    assert said(imported).popitem()[1] == [("supervisor", "Fever."), ("doctor0", "Done.")]
    assert "gen_ai.system_instructions of 1 spans" in imported.notices[0]


def test_spans_without_content_say_so(tmp_path: Path) -> None:
    """Most instrumentations record no messages unless told to: that is said, with what to do."""
    assert problems_of(_otel(tmp_path, [span("a" * 16, [attribute("gen_ai.request.model", "m")], ms=(0, 1))])) == [
        "spans.json:1: no span holds a message"
    ]

"""Our messages in the formats of others, as their own tools write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.traces.model import Message

EPOCH_MS = 1_734_609_600_000  # 2024-12-19T12:00:00Z
Conversations = dict[str, Sequence[Message]]


def _dump(path: Path, value: Any, *, indent: int | None = 1) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent), encoding="utf-8")
    return path


def _dump_lines(path: Path, values: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def _stamp(t_ms: int) -> str:
    return f"2024-12-19T12:{t_ms // 60_000:02d}:{t_ms // 1000 % 60:02d}.{t_ms % 1000:03d}Z"


def autogen(folder: Path, conversations: Conversations) -> list[Path]:
    """Write one chat history a file."""
    return [
        _dump(
            folder / f"{case}_conversation.json",
            [{"content": item.content, "role": "user", "name": item.agent_id} for item in said],
        )
        for case, said in conversations.items()
    ]


def openai_lines(folder: Path, conversations: Conversations) -> list[Path]:
    """Write one message a line, the content as parts, with time and usage."""
    lines = [
        {
            "case_id": case,
            "role": "assistant",
            "name": item.agent_id,
            "content": [{"type": "text", "text": item.content}],
            "timestamp": _stamp(item.end_t_rel_ms),
        }
        | ({} if item.provider_token_count is None else {"usage": {"completion_tokens": item.provider_token_count}})
        for case, said in conversations.items()
        for item in said
    ]
    return [_dump_lines(folder / "messages.jsonl", lines)]


def openai_conversations(folder: Path, conversations: Conversations) -> list[Path]:
    """Write one conversation a line."""
    lines = [
        {"id": case, "messages": [{"role": "user", "name": item.agent_id, "content": item.content} for item in said]}
        for case, said in conversations.items()
    ]
    return [_dump_lines(folder / "conversations.jsonl", lines)]


def _fields(item: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"content": item.content, "additional_kwargs": {}, "name": item.agent_id, "id": "run-1"}
    if item.provider_token_count is not None:
        fields["usage_metadata"] = {"input_tokens": 9, "output_tokens": item.provider_token_count, "total_tokens": 9}
    return fields


def langchain_dicts(folder: Path, conversations: Conversations) -> list[Path]:
    """Write `messages_to_dict`, one conversation a file."""
    return [
        _dump(folder / f"{case}.json", [{"type": "ai", "data": _fields(item) | {"type": "ai"}} for item in said])
        for case, said in conversations.items()
    ]


def langchain_constructors(folder: Path, conversations: Conversations) -> list[Path]:
    """Write serialised messages inside the state of a graph."""
    place = ["langchain", "schema", "messages", "AIMessage"]
    return [
        _dump(
            folder / f"{case}.json",
            {"messages": [{"lc": 1, "type": "constructor", "id": place, "kwargs": _fields(item)} for item in said]},
        )
        for case, said in conversations.items()
    ]


def langgraph_states(folder: Path, conversations: Conversations) -> list[Path]:
    """Write the state of one thread a line."""
    lines = [
        {
            "values": {"messages": [_fields(item) | {"type": "ai"} for item in said]},
            "next": [],
            "checkpoint": {"thread_id": case},
        }
        for case, said in conversations.items()
    ]
    return [_dump_lines(folder / "states.jsonl", lines)]


def attribute(key: str, value: Any) -> dict[str, Any]:
    """Return an attribute of OTLP/JSON; structured values as JSON text."""
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    text = value if isinstance(value, str) else json.dumps(value)
    return {"key": key, "value": {"stringValue": text}}


def spoken(role: str, text: str) -> dict[str, Any]:
    """Return a message of the conventions."""
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def span(span_id: str, attributes: Sequence[dict[str, Any]], *, ms: tuple[int, int], **more: Any) -> dict[str, Any]:
    """Return a span that begins and ends so many ms after the epoch."""
    start, end = ((EPOCH_MS + value) * 1_000_000 for value in ms)
    return {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": span_id,
        "name": "chat",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": list(attributes),
        **more,
    }


def request(spans: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return an export request that holds the spans."""
    return {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": list(spans)}]}]}


def otel(folder: Path, conversations: Conversations) -> list[Path]:
    """Write a span a message, each given what was said before it."""
    spans = []
    for case, said in conversations.items():
        for number, item in enumerate(said):
            attributes = [
                attribute("gen_ai.conversation.id", case),
                attribute("gen_ai.agent.name", item.agent_id),
                attribute("gen_ai.input.messages", [spoken("user", before.content) for before in said[:number]]),
                attribute("gen_ai.output.messages", [spoken("assistant", item.content)]),
            ]
            if item.provider_token_count is not None:
                attributes.append(attribute("gen_ai.usage.output_tokens", item.provider_token_count))
            spans.append(span(f"{len(spans):016x}", attributes, ms=(item.end_t_rel_ms, item.end_t_rel_ms)))
    return [_dump(folder / "spans.json", request(spans))]


def table(folder: Path, conversations: Conversations) -> list[Path]:
    """Write a table with times since the case's beginning."""
    path = folder / "talks.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["case_id", "agent", "content", "t_ms", "provider_token_count"])
        for case, said in conversations.items():
            for item in said:
                count = "" if item.provider_token_count is None else item.provider_token_count
                rows.writerow([case, item.agent_id, item.content, item.end_t_rel_ms, count])
    return [path]


Writer = Callable[[Path, Conversations], list[Path]]
# name → (writer, the importer that must claim it, whether it tells times, whether it tells tokens)
WRITERS: dict[str, tuple[Writer, str, bool, bool]] = {
    "autogen": (autogen, "autogen", False, False),
    "openai lines": (openai_lines, "openai", True, True),
    "openai conversations": (openai_conversations, "openai", False, False),
    "langchain dicts": (langchain_dicts, "langchain", False, True),
    "langchain constructors": (langchain_constructors, "langchain", False, True),
    "langgraph states": (langgraph_states, "langchain", False, True),
    "otel": (otel, "otel", True, True),
    "csv": (table, "csv", True, True),
}

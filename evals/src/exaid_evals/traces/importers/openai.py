"""OpenAI-style messages: JSON Lines with one message a line, or with one conversation a line.

Shapes: `{"case_id", "role", "name"?, "content", "timestamp"?}` a line, or `{"case_id", "messages": [{"role", …}]}`; the
content is text, or a list of parts such as `{"type": "text", "text"}`. Lines that name no case belong to the case that
the file is named after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaid_evals.traces.importers.base import Reading, Spot, Utterance
from exaid_evals.traces.importers.chat import (
    CASE_KEYS,
    add_conversation,
    case_of,
    name_after_file,
    named,
    utterance_of,
)
from exaid_evals.traces.importers.source import Root, Source

_CONVERSATION_KEYS = (*CASE_KEYS, "custom_id", "id")
_ENOUGH = 10


class OpenaiImporter:
    """`--format openai`."""

    name = "openai"

    def claims(self, source: Source) -> bool:
        """Claim JSON objects that are messages with a role, or hold a list of them as `messages`."""
        return source.is_json and any(_claimed(root.value) for root in source.roots[:_ENOUGH])

    def read(self, source: Source) -> Reading:
        """Read every conversation of the file."""
        reading = Reading()
        by_case: dict[str | int | None, tuple[Spot, list[Utterance | None]]] = {}
        for root in source.roots:
            spot, value = Spot(root.line), root.value
            if isinstance(value, list):
                _conversation(Root(root.line, {"messages": value}), spot, reading, listed=True)
            elif isinstance(value, Mapping) and "messages" in value:
                _conversation(root, spot, reading)
            elif isinstance(value, Mapping):
                raw_id = case_of(value, spot, reading)
                _, said = by_case.setdefault(raw_id, (spot, []))
                said.append(utterance_of(value, spot, reading))
            else:
                remedy = "write one message, or one object with `messages`, a line"
                reading.unmapped(spot, f"{named(value)} where a message must stand", kind="no message", remedy=remedy)
        for raw_id, (spot, said) in by_case.items():
            add_conversation(reading, raw_id, spot, said)
        name_after_file(reading, source)
        return reading


def _claimed(value: Any) -> bool:
    messages = value.get("messages") if isinstance(value, Mapping) else None
    return any(_is_message(item) for item in (messages[:_ENOUGH] if isinstance(messages, list) else [value]))


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("role"), str)
        and ("content" in value or "tool_calls" in value)
    )


def _conversation(root: Root, spot: Spot, reading: Reading, *, listed: bool = False) -> None:
    messages = root.value["messages"]
    below = spot if listed else spot.below("messages")
    if not isinstance(messages, list):
        reading.damage(below, f"{named(messages)} where the list of messages must stand", remedy="export it again")
        return
    raw_id = case_of(root.value, spot, reading, keys=_CONVERSATION_KEYS)
    said = [utterance_of(message, below.below(number), reading) for number, message in enumerate(messages)]
    add_conversation(reading, raw_id, below, said)

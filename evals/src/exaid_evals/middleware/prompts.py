"""What the prompts of trigger and summarizer share. Their CTU are what a variant costs: they are part of the method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def history_section(history: Sequence[str]) -> str:
    """Return the earlier updates, as a prompt shows them."""
    if not history:
        return "EARLIER UPDATES\n(none)"
    return "EARLIER UPDATES\n" + "\n---\n".join(history)


def turns_section(turns: Sequence[tuple[str, str]]) -> str:
    """Return who said what, a line each."""
    return "\n".join(f"[{agent}] {text.strip()}" for agent, text in turns)


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of an object that has these properties, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }

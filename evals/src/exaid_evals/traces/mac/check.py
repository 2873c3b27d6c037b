"""The conversation as it was observed against the conversation file that MAC wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from exaid_evals.traces.mac.process import Said

AGENTS = ("doctor0", "doctor1", "doctor2", "supervisor")
# In MAC's file the supervisor, whose history it is, has no name.
_UNNAMED = "supervisor"


def agent_of(name: str | None) -> str:
    """Return the id of an agent from the name that MAC gives it.

    >>> agent_of("Doctor2"), agent_of(None)
    ('doctor2', 'supervisor')
    """
    return name.lower() if name else _UNNAMED


def problem_with(said: Sequence[Said], written: str | None) -> str | None:
    """Return the first way in which conversation and file differ, or None where they hold the same.

    Args:
        said: the observed messages.
        written: the content of MAC's conversation file; None where it wrote none.
    """
    strangers = sorted({item.name for item in said if agent_of(item.name) not in AGENTS})
    if strangers:
        return f"a message of {strangers[0]!r:.80}, who is not an agent of MAC's"
    if not said:
        return "no message was observed"
    if written is None:
        return f"MAC wrote no conversation file, and {len(said)} messages were observed"
    entries = _entries(written)
    if entries is None:
        return "MAC's conversation file is not a list of messages"
    for number, (item, (agent, content)) in enumerate(zip(said, entries, strict=False)):
        observed = agent_of(item.name)
        if observed != agent:
            return f"message {number} was observed of {observed}, and MAC's conversation file has it of {agent}"
        if item.content != content:
            at = _first_difference(item.content, content)
            return (
                f"message {number} of {agent} differs at character {at}: observed {item.content[at : at + 40]!r}, "
                f"in MAC's conversation file {content[at : at + 40]!r}"
            )
    if len(said) != len(entries):
        return f"{len(said)} messages were observed, and MAC's conversation file holds {len(entries)}"
    return None


def _first_difference(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _entries(written: str) -> list[tuple[str, str]] | None:
    try:
        data: Any = json.loads(written)
        return [(agent_of(entry.get("name")), str(entry["content"])) for entry in data]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None

"""The conversation as it was observed against the conversation file that MAC wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exaid_evals.config.mas_generation import Passing
from exaid_evals.traces.mac.calls import Trouble
from exaid_evals.traces.mac.process import End, Said, Try

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


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a try comes to.

    Attributes:
        failure: why there is no conversation; None where there is one.
        passing: the kind of a failure that another try may not meet.
        fatal: whether every other case would fail likewise.
        wait_s: how long the provider asks to wait.
        note: what MAC raised after a complete conversation.
    """

    failure: str | None = None
    passing: Passing | None = None
    fatal: bool = False
    wait_s: float | None = None
    note: str | None = None


def verdict_on(result: Try, trouble: Trouble | None, *, report_required: bool) -> Verdict:
    """Judge a try.

    Args:
        result: what MAC's process gave.
        trouble: why its last call was not answered; None where it was.
        report_required: whether a complete conversation counts only if MAC can read the diagnosis out of it.
    """
    so_far = f"after {len(result.said)} message{'' if len(result.said) == 1 else 's'}"
    if result.end is End.DONE:
        return Verdict(problem_with(result.said, result.written))
    if result.end is End.TIMED_OUT:
        last = f"; the last call: {trouble.what}" if trouble else ""
        return Verdict(f"timeout: {result.detail}, {so_far}{last}", Passing.TIMEOUT)
    if result.end is End.CRASHED:
        return Verdict(f"crash: MAC's process ended, {result.detail}, {so_far}", Passing.CRASH)
    if not result.ready:
        return Verdict(f"MAC cannot be started: {result.detail}", fatal=True)
    if trouble is not None:
        passing = Passing.PROVIDER if trouble.passing else None
        return Verdict(f"{trouble.what}, {so_far}", passing, trouble.fatal, trouble.wait_s)
    raised = f"MAC raised {result.detail}"
    if problem_with(result.said, result.written) is None and not report_required:
        # The conversation is complete and written; what MAC could not do is read the diagnosis out of it.
        return Verdict(note=f"{raised} {so_far}, of a conversation that is complete and written")
    return Verdict(f"{raised}, {so_far}")

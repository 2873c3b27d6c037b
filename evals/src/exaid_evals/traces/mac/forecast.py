"""What a live conversation would ask of MAC's model, by MAC's code; see its `main.py` and autogen's group chat.

A case has at most `n_round` messages. The first, the case's presentation, is made by no model. Each further one takes
one call that says it and at least one that chooses its speaker: autogen asks again, up to `n_round // (1 + doctors)`
times, where the answer names none. Every call holds the whole conversation so far. MAC does not limit an answer's
length.

- `high`: all rounds, and every speaker is chosen at the last attempt;
- `expected`: as the recorded cases of this generation, where there are any; else messages in the number and of the
  median length that the simulation of MAC's conversation has, with every speaker chosen at the first attempt.

Both take the configured length of messages, so that `high` bounds the calls and not the CTU. Not counted are calls that
MAC's client sends again after errors, and further tries at a case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.text_units import CHARS_PER_CTU
from exaid_evals.cases.base import Case
from exaid_evals.clients.base import Usage
from exaid_evals.clients.replay import Count
from exaid_evals.config.mas_generation import MasGenerationConfig, Stage
from exaid_evals.traces.mac.calls import completion_ctu, prompt_ctu
from exaid_evals.traces.mac.recording import read_recording

SPEAKER, MESSAGE = "speaker", "message"
"""The two kinds of calls: who is to speak, and what is said."""

_OPENING_CTU = 40
"""The sentence before the presentation, and the presentation's own punctuation."""
_NAME_CTU = 3
"""An answer that names a speaker."""


@dataclass(frozen=True, slots=True)
class _Instructions:
    """CTU of the instructions in a call, as sent by the pinned commit with autogen 0.2.32."""

    doctor: int
    supervisor: int
    speaker: int


# Measured by a test that runs MAC's code: texts of its prompts, and of autogen's around the four descriptions.
INSTRUCTIONS = {
    "896a5deb4d6db7a2c872630a6638da4da3b0f4d4": {
        Stage.INITIAL: _Instructions(doctor=467, supervisor=675, speaker=2185),
        Stage.FOLLOW_UP: _Instructions(doctor=451, supervisor=640, speaker=2103),
    }
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is to come.

    Attributes:
        n_to_do: cases whose conversation is not recorded to its end.
        n_recorded: cases whose conversation is.
        recorded: calls in the recording.
        expected, high: calls to come.
        basis: what `expected` rests on, in words.
        ctu_known: whether the instructions of this commit are known; if not, CTU lack them.
        prompt_tokens_per_ctu, completion_tokens_per_ctu: the provider's tokens; None where it reported none.
    """

    n_to_do: int
    n_recorded: int
    recorded: Count
    expected: Count
    high: Count
    basis: str
    ctu_known: bool
    prompt_tokens_per_ctu: float | None = None
    completion_tokens_per_ctu: float | None = None


@dataclass(slots=True)
class _Recorded:
    calls: Count = field(default_factory=Count)
    by_case: dict[str, Count] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    tokens: dict[str, int] = field(default_factory=lambda: {"prompt": 0, "completion": 0})
    ctu_with_tokens: dict[str, int] = field(default_factory=lambda: {"prompt": 0, "completion": 0})


def forecast(
    generation: MasGenerationConfig, cases: Sequence[Case], recording: Path, *, retry_failed: bool = False
) -> Forecast:
    """Forecast a live conversation.

    Args:
        generation: how the conversation is made.
        cases: that are wanted.
        recording: of their generation; it need not exist.
        retry_failed: whether cases that failed are made again.

    Raises:
        DataError: the recording is damaged.
    """
    found = _recorded(recording)
    ended = found.done if retry_failed else found.done | found.failed
    left = [case for case in cases if case.case_id not in ended]
    instructions = INSTRUCTIONS.get(generation.mac.commit, {}).get(generation.mac.stage)
    expected, high = Count(), Count()
    measured = [found.by_case[case_id] for case_id in sorted(found.done & found.by_case.keys())]
    for case in left:
        known = found.by_case.get(case.case_id, Count())
        _add_difference(expected, _mean(measured) or _assumed(generation, case, instructions, high=False), known)
        _add_difference(high, _assumed(generation, case, instructions, high=True), known)
    basis = f"the {len(measured)} recorded cases" if measured else "the simulation's number and length of messages"
    return Forecast(
        n_to_do=len(left),
        n_recorded=len(cases) - len(left),
        recorded=found.calls,
        expected=expected,
        high=high,
        basis=basis,
        ctu_known=bool(measured) or instructions is not None,
        prompt_tokens_per_ctu=_ratio(found, "prompt"),
        completion_tokens_per_ctu=_ratio(found, "completion"),
    )


def _assumed(generation: MasGenerationConfig, case: Case, known: _Instructions | None, *, high: bool) -> Count:
    """Return the calls of a whole case."""
    mac, conversation = generation.mac, generation.stub.conversation
    message_ctu = round(conversation.message_chars.median / CHARS_PER_CTU)
    n_messages = mac.n_round
    n_attempts = 1 + mac.n_round // (1 + mac.num_doctors)
    if not high:
        doctors = conversation.doctor_messages_low + conversation.doctor_messages_p * (
            conversation.doctor_messages_high - conversation.doctor_messages_low
        )
        n_messages = min(round(doctors + 3 + conversation.second_interjection), mac.n_round)
        n_attempts = 1
    instructions = known or _Instructions(0, 0, 0)
    # Every fourth speaker, at the least, is the supervisor, who has more instructions.
    speaker_ctu = (mac.num_doctors * instructions.doctor + instructions.supervisor) / (mac.num_doctors + 1)
    count, so_far = Count(), _presentation_ctu(case, mac.stage)
    for _ in range(n_messages - 1):
        for _ in range(n_attempts):
            count.add(SPEAKER, Usage(1, instructions.speaker + so_far, _NAME_CTU))
        count.add(MESSAGE, Usage(1, round(speaker_ctu) + so_far, message_ctu))
        so_far += message_ctu
    return count


def _presentation_ctu(case: Case, stage: Stage) -> int:
    sections = case.initial_presentation if stage is Stage.INITIAL else case.follow_up_presentation
    return _OPENING_CTU + sum(len(name) + len(text) for name, text in sections.items()) // CHARS_PER_CTU


def _add_difference(total: Count, whole: Count, known: Count) -> None:
    """Add the calls of a case without those that are recorded already."""
    for task, n_calls in whole.calls.items():
        total.calls[task] = total.calls.get(task, 0) + max(n_calls - known.calls.get(task, 0), 0)
    total.prompt_ctu += max(whole.prompt_ctu - known.prompt_ctu, 0)
    total.completion_ctu += max(whole.completion_ctu - known.completion_ctu, 0)


def _mean(counts: Sequence[Count]) -> Count | None:
    if not counts:
        return None
    n = len(counts)
    calls = {task: round(sum(count.calls.get(task, 0) for count in counts) / n) for task in (SPEAKER, MESSAGE)}
    prompt, completion = (sum(getattr(count, name) for count in counts) for name in ("prompt_ctu", "completion_ctu"))
    return Count(calls, round(prompt / n), round(completion / n))


def _recorded(path: Path) -> _Recorded:
    found = _Recorded()
    for record in read_recording(path)[0] if path.exists() else []:
        if record["record_type"] == "mac_case":
            done, other = (found.done, found.failed) if record["status"] == "success" else (found.failed, found.done)
            done.add(record["case_id"])
            other.discard(record["case_id"])
        if record["record_type"] != "mac_call":
            continue
        usage = Usage(1, prompt_ctu(record["request"]), completion_ctu(record["response"]))
        for count in (found.calls, found.by_case.setdefault(record["case_id"], Count())):
            count.add(_kind(record["request"]), usage)
        _note_tokens(found, record["response"].get("usage"), usage)
    return found


def _kind(request: dict[str, Any]) -> str:
    """Return the kind of a call: one that chooses a speaker ends with an instruction, others with the conversation."""
    messages = request.get("messages") or [{}]
    return SPEAKER if len(messages) > 1 and messages[-1].get("role") == "system" else MESSAGE


def _note_tokens(found: _Recorded, reported: Any, usage: Usage) -> None:
    for side, n_ctu in (("prompt", usage.prompt_ctu), ("completion", usage.completion_ctu)):
        tokens = reported.get(f"{side}_tokens") if isinstance(reported, dict) else None
        if isinstance(tokens, int):
            found.tokens[side] += tokens
            found.ctu_with_tokens[side] += n_ctu


def _ratio(found: _Recorded, side: str) -> float | None:
    return found.tokens[side] / found.ctu_with_tokens[side] if found.ctu_with_tokens[side] else None

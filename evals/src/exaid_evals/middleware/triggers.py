"""Triggers: whether to summarize now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, Protocol

from pydantic import Field, field_validator

from exaid_evals.clients.base import ChatMessage, LLMClient, LLMRequest, Usage
from exaid_evals.clients.completion import json_object
from exaid_evals.config.base import Config
from exaid_evals.errors import LLMError
from exaid_evals.middleware.llm_answers import ask_until_readable, history_section, object_schema, turns_section

SUMMARIZE = "summarize"
HOLD = "hold"
DISCARD = "discard"
FILTERS = ("completeness", "value", "novelty")


@dataclass(frozen=True, slots=True)
class TriggerInput:
    """What a decision is made on.

    Attributes:
        turns: `(agent_id, text)` of the flushed text that waits, one a message, the latest last.
        history: rendered summaries, oldest first, at most `history_k`.
        final: whether no more text will come.
    """

    turns: Sequence[tuple[str, str]]
    history: Sequence[str]
    final: bool

    @property
    def text(self) -> str:
        """The window's text."""
        return "\n".join(text for _, text in self.turns)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision: `summarize`, `hold` (keep the window for later) or `discard` (drop it).

    Attributes:
        filters: filter → answer; None for a filter that was not asked.
        usage: what the model used; None where none was called.
        latency_ms: how long the decision took.
    """

    decision: str
    filters: Mapping[str, bool | None]
    usage: Usage | None = None
    latency_ms: int = 0


class Trigger(Protocol):
    """Decides after each flush."""

    Settings: ClassVar[type[Config]]

    def decide(self, request: TriggerInput) -> Verdict:
        """Decide on the window.

        Raises:
            LLMError: the model gave no usable answer.
        """


class AlwaysTrigger:
    """Summarises after every flush and asks nobody."""

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        pass

    def decide(self, request: TriggerInput) -> Verdict:
        """Say yes."""
        return Verdict(SUMMARIZE, dict.fromkeys(FILTERS))


FilterName = Literal["completeness", "value", "novelty"]

_TRIGGER_SYSTEM = (
    "You watch several physicians discuss a case and decide whether a clinician should get an update now. "
    "Answer with one JSON object and nothing else."
)
_QUESTIONS = {
    "completeness": "completeness: do the new words form a finished thought?",
    "value": "value: do they hold something that matters for the care of this patient?",
    "novelty": "novelty: do they hold something that the earlier updates do not say?",
}


class LLMTriggerSettings(Config):
    """Which of the three questions are asked."""

    filters: tuple[FilterName, ...] = Field(default=("completeness", "value", "novelty"), min_length=1)

    @field_validator("filters")
    @classmethod
    def _once_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a filter is a duplicate")
        return tuple(name for name in FILTERS if name in value)


class LLMTrigger:
    """Summarises when every enabled filter holds.

    What is incomplete is held, since more text may complete it; what is complete but of no value, or nothing
    new, is discarded, since more text would not change that.
    """

    Settings: ClassVar[type[Config]] = LLMTriggerSettings

    def __init__(self, settings: LLMTriggerSettings, client: LLMClient) -> None:
        self._filters = settings.filters
        self._client = client

    def decide(self, request: TriggerInput) -> Verdict:
        """Ask the model, in one call, or in two where the first answer cannot be read.

        Raises:
            LLMError: no answer is JSON with a yes or no to each filter.
        """
        answers, problem, response = ask_until_readable(
            self._client, trigger_request(request, self._filters), partial(_parse, filters=self._filters)
        )
        if answers is None:
            raise LLMError(
                f"the trigger was asked {_times(response.usage.calls)}, and its answer holds {problem}: "
                f"{response.text!r:.200}",
                remedy="use a model that follows JSON instructions; --retry-failed asks a live one anew",
            )
        if all(answers.values()):
            decision = SUMMARIZE
        elif not answers.get("completeness", True):
            decision = HOLD
        else:
            decision = DISCARD
        filters = {name: answers.get(name) for name in FILTERS}
        return Verdict(decision, filters, response.usage, response.latency_ms)


def _times(n: int) -> str:
    return "twice" if n == 2 else f"{n} times"


def _parse(text: str, filters: tuple[str, ...]) -> tuple[Mapping[str, bool] | None, str | None]:
    try:
        answers = json_object(text)
    except ValueError:
        answers = {}
    if not all(isinstance(answers.get(name), bool) for name in filters):
        return None, f"no true or false for each of {', '.join(filters)}"
    return {name: answers[name] for name in filters}, None


def trigger_request(request: TriggerInput, filters: Sequence[str]) -> LLMRequest:
    """Return the trigger's request for the enabled filters."""
    questions = "\n".join(_QUESTIONS[name] for name in filters)
    window = f"{history_section(request.history)}\n\nNEW WORDS\n{turns_section(request.turns)}"
    prompt = f"{window}\n\nAnswer true or false:\n{questions}"
    schema = object_schema({name: {"type": "boolean"} for name in filters})
    inputs = {
        "window": request.text,
        "history": list(request.history),
        "filters": list(filters),
        "final": request.final,
    }
    return LLMRequest("trigger", (ChatMessage("system", _TRIGGER_SYSTEM), ChatMessage("user", prompt)), schema, inputs)

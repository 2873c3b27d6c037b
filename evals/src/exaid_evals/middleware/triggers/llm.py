"""The trigger that asks a language model whether the window is complete, of value, and new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from exaid_evals.clients.base import ChatMessage, LLMClient, LLMRequest
from exaid_evals.clients.json_text import json_object
from exaid_evals.config.base import Config
from exaid_evals.errors import LLMError
from exaid_evals.middleware.prompts import history_section, object_schema, turns_section
from exaid_evals.middleware.retry_invalid import ask_until_readable
from exaid_evals.middleware.triggers.base import DISCARD, FILTERS, HOLD, SUMMARIZE, TriggerInput, Verdict

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

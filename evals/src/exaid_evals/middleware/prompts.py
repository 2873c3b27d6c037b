"""The prompts of trigger and summarizer. Their CTU are what a variant costs, so they are part of the method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exaid_evals.clients.base import ChatMessage, LLMRequest
from exaid_evals.middleware.summarizers.base import FIELDS, MAX_FIELD_CHARS, SummaryInput
from exaid_evals.middleware.triggers.base import TriggerInput

_TRIGGER_SYSTEM = (
    "You watch several physicians discuss a case and decide whether a clinician should get an update now. "
    "Answer with one JSON object and nothing else."
)
_QUESTIONS = {
    "completeness": "completeness: do the new words form a finished thought?",
    "value": "value: do they hold something that matters for the care of this patient?",
    "novelty": "novelty: do they hold something that the earlier updates do not say?",
}
_SUMMARY_SYSTEM = (
    "You write short updates for a clinician who follows a discussion between several physicians. Report only what "
    "was said; add no knowledge of your own and do not repeat earlier updates. Answer with one JSON object of six "
    f"texts, each of 1 to {MAX_FIELD_CHARS} characters: status_action (what is going on), key_findings, "
    "differential_rationale (diagnoses considered, and why), uncertainty_confidence, recommendation_next_step, "
    'agent_contributions (who contributed what). Write "None stated." where nothing was said.'
)


def trigger_request(request: TriggerInput, filters: Sequence[str]) -> LLMRequest:
    """Return the trigger's request for the enabled filters."""
    questions = "\n".join(_QUESTIONS[name] for name in filters)
    prompt = f"{_history(request.history)}\n\nNEW WORDS\n{_turns(request.turns)}\n\nAnswer true or false:\n{questions}"
    schema = _object({name: {"type": "boolean"} for name in filters})
    inputs = {
        "window": request.text,
        "history": list(request.history),
        "filters": list(filters),
        "final": request.final,
    }
    return LLMRequest("trigger", (ChatMessage("system", _TRIGGER_SYSTEM), ChatMessage("user", prompt)), schema, inputs)


def summary_request(request: SummaryInput) -> LLMRequest:
    """Return the summarizer's request."""
    prompt = f"{_history(request.history)}\n\nDISCUSSION SINCE THEN\n{_turns(request.turns)}"
    schema = _object({name: {"type": "string", "minLength": 1, "maxLength": MAX_FIELD_CHARS} for name in FIELDS})
    inputs = {"turns": list(request.turns), "history": list(request.history)}
    return LLMRequest("summary", (ChatMessage("system", _SUMMARY_SYSTEM), ChatMessage("user", prompt)), schema, inputs)


def _history(history: Sequence[str]) -> str:
    if not history:
        return "EARLIER UPDATES\n(none)"
    return "EARLIER UPDATES\n" + "\n---\n".join(history)


def _turns(turns: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"[{agent}] {text.strip()}" for agent, text in turns)


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }

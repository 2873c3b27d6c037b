"""The structured summarizer: six short fields from a language model, checked against their schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from exaid_evals.artifacts.summary_fields import MAX_FIELD_CHARS, field_problems
from exaid_evals.clients.base import ChatMessage, LLMClient, LLMRequest
from exaid_evals.clients.json_text import json_object
from exaid_evals.config.base import Config
from exaid_evals.middleware.prompts import history_section, object_schema, turns_section
from exaid_evals.middleware.retry_invalid import ask_at_most_twice
from exaid_evals.middleware.summarizers.base import (
    FIELDS,
    SEMANTIC_FIELDS,
    SummaryInput,
    Update,
    render,
)

_SUMMARY_SYSTEM = (
    "You write short updates for a clinician who follows a discussion between several physicians. Report only what "
    "was said; add no knowledge of your own and do not repeat earlier updates. Answer with one JSON object of six "
    f"texts, each of 1 to {MAX_FIELD_CHARS} characters: status_action (what is going on), key_findings, "
    "differential_rationale (diagnoses considered, and why), uncertainty_confidence, recommendation_next_step, "
    'agent_contributions (who contributed what). Write "None stated." where nothing was said.'
)


class StructuredSummarizer:
    """Asks for the six fields.

    An answer that breaks their schema is asked for once more, with what is wrong with it; a second one is a failed
    update, and says how.
    """

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        self._client = client

    def summarize(self, request: SummaryInput) -> Update:
        """Summarise the window, in one call or two.

        Raises:
            LLMError: no answer could be had. An answer of the wrong form is not an error but a failed update.
        """
        content, error, response = ask_at_most_twice(self._client, summary_request(request), parse_summary)
        if content is None:
            return Update(None, "", "", error, response.usage, response.latency_ms)
        return Update(
            content,
            render(content, SEMANTIC_FIELDS),
            render(content, FIELDS),
            usage=response.usage,
            latency_ms=response.latency_ms,
        )


def parse_summary(text: str) -> tuple[Mapping[str, str] | None, str | None]:
    """Return `(fields, None)`, or `(None, every way in which the answer breaks the schema)`.

    >>> parse_summary('{"status_action": 3}')[1][:75]
    'status_action: no text; key_findings: missing; differential_rationale: miss'
    """
    try:
        answer = json_object(text)
    except ValueError as error:
        return None, str(error)
    problems = field_problems(answer)
    return (None, "; ".join(problems)) if problems else ({field: answer[field] for field in FIELDS}, None)


def summary_request(request: SummaryInput) -> LLMRequest:
    """Return the summarizer's request."""
    prompt = f"{history_section(request.history)}\n\nDISCUSSION SINCE THEN\n{turns_section(request.turns)}"
    schema = object_schema({name: {"type": "string", "minLength": 1, "maxLength": MAX_FIELD_CHARS} for name in FIELDS})
    inputs = {"turns": list(request.turns), "history": list(request.history)}
    return LLMRequest("summary", (ChatMessage("system", _SUMMARY_SYSTEM), ChatMessage("user", prompt)), schema, inputs)

"""The structured summarizer: six short fields from a language model, checked against their schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from exaid_evals.clients.base import LLMClient
from exaid_evals.config.base import Config
from exaid_evals.middleware.prompts import summary_request
from exaid_evals.middleware.summarizers.base import (
    FIELDS,
    MAX_FIELD_CHARS,
    SEMANTIC_FIELDS,
    SummaryInput,
    Update,
    render,
)


class StructuredSummarizer:
    """Asks for the six fields. An answer that breaks their schema is a failed update, and says how."""

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        self._client = client

    def summarize(self, request: SummaryInput) -> Update:
        """Summarise the window in one call.

        Raises:
            LLMError: no answer could be had. An answer of the wrong form is no error but a failed update.
        """
        response = self._client.complete(summary_request(request))
        content, error = parse_summary(response.text)
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
        answer = json.loads(text)
    except ValueError as error:
        return None, f"not JSON: {error}"
    if not isinstance(answer, dict):
        return None, f"a {type(answer).__name__} where six fields must stand"
    problems = [f"{field}: {problem}" for field in FIELDS if (problem := _problem(answer, field))]
    problems += [f"{str(field)[:40]}: no such field" for field in answer if field not in FIELDS]
    return (None, "; ".join(problems)) if problems else ({field: answer[field] for field in FIELDS}, None)


def _problem(answer: Mapping[str, Any], field: str) -> str | None:
    if field not in answer:
        return "missing"
    value = answer[field]
    if not isinstance(value, str):
        return "no text"
    if not 1 <= len(value) <= MAX_FIELD_CHARS:
        return f"{len(value)} characters, where 1 to {MAX_FIELD_CHARS} are allowed"
    return None

"""Summarizers: an update made from a window of text and the last summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from exaid_evals.artifacts.text_units import FIELDS, MAX_FIELD_CHARS, SEMANTIC_FIELDS, field_problems, render
from exaid_evals.clients.base import ChatMessage, LLMClient, LLMRequest, Usage
from exaid_evals.clients.completion import json_object
from exaid_evals.config.base import Config
from exaid_evals.middleware.llm_answers import ask_at_most_twice, history_section, object_schema, turns_section

__all__ = ["FIELDS", "MAX_FIELD_CHARS", "SEMANTIC_FIELDS", "Summarizer", "SummaryInput", "Update", "render"]


@dataclass(frozen=True, slots=True)
class SummaryInput:
    """What an update is made of.

    Attributes:
        turns: `(agent_id, text)` of the text to summarise, one a message, in order.
        history: rendered summaries, oldest first, at most `history_k`.
    """

    turns: Sequence[tuple[str, str]]
    history: Sequence[str]


@dataclass(frozen=True, slots=True)
class Update:
    """An update, or the reason why there is none.

    Attributes:
        content: the six fields; None for a passed-through message and for a failed summary. Fields that break the
            schema make the update a failed one, whoever made them.
        semantics_text: what the update says: `render` of the first five fields, where there are fields.
        rendered_text: what the clinician reads: `render` of all six.
        error: why the schema was broken; None where it holds.
        usage: what the model used; None where none was called.
        latency_ms: how long it took.
    """

    content: Mapping[str, str] | None
    semantics_text: str
    rendered_text: str
    error: str | None = None
    usage: Usage | None = None
    latency_ms: int = 0


class Summarizer(Protocol):
    """Makes an update of a window."""

    Settings: ClassVar[type[Config]]

    def summarize(self, request: SummaryInput) -> Update:
        """Summarise the window.

        Raises:
            LLMError: no answer could be had.
        """


class PassthroughSummarizer:
    """Hands the window on as it is."""

    Settings: ClassVar[type[Config]] = Config

    def __init__(self, settings: Config, client: LLMClient) -> None:
        pass

    def summarize(self, request: SummaryInput) -> Update:
        """Return the window's text."""
        text = "\n".join(text for _, text in request.turns)
        return Update(None, text, text)


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

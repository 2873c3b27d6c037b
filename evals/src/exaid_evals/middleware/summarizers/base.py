"""What a summarizer is: it makes an update for the clinician of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from exaid_evals.artifacts.summary_fields import FIELDS, MAX_FIELD_CHARS, SEMANTIC_FIELDS, render
from exaid_evals.clients.base import Usage
from exaid_evals.config.base import Config

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

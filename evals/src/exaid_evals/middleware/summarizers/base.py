"""What a summarizer is: it makes an update for the clinician of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from exaid_evals.clients.base import Usage
from exaid_evals.config.base import Config

FIELDS = (
    "status_action",
    "key_findings",
    "differential_rationale",
    "uncertainty_confidence",
    "recommendation_next_step",
    "agent_contributions",
)
SEMANTIC_FIELDS = FIELDS[:5]
MAX_FIELD_CHARS = 300


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
        content: the six fields; None for a passed-through message and for a failed summary.
        semantics_text: what the update says: the first five fields.
        rendered_text: what the clinician reads: all six.
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


def render(content: Mapping[str, str], fields: Sequence[str]) -> str:
    """Return fields as the clinician reads them: a line each, values alone, in the order of the schema.

    Labels are left out: the fields' order is fixed, and a display labels them, so their text is no cost of a variant.
    """
    return "\n".join(content[field] for field in fields)

"""What a trigger is: shown the window and the latest summaries, it summarises, holds or discards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from exaid_evals.clients.base import Usage
from exaid_evals.config.base import Config

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

"""What the middleware asks a language model, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from exaid_evals.artifacts.text_units import ctu

ConceptReader = Callable[[Sequence[str]], list[frozenset[str]]]
"""Texts in, the set of concept ids that each states out."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a prompt; `role` is `system` or `user`."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class LLMRequest:
    """One call.

    Attributes:
        task: `trigger` or `summary`.
        messages: the prompt, as a chat model is sent it.
        response_schema: JSON Schema of the answer.
        inputs: what the prompt was composed from, as data, for a client that reads no prose (the stub).
    """

    task: str
    messages: tuple[ChatMessage, ...]
    response_schema: Mapping[str, Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt_ctu(self) -> int:
        """CTU of the whole prompt."""
        return sum(ctu(message.content) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call, or several for one answer, used. CTU are ours; provider counts enter no measure."""

    calls: int
    prompt_ctu: int
    completion_ctu: int
    provider_prompt_tokens: int | None = None
    provider_completion_tokens: int | None = None

    def to_record(self) -> dict[str, int | None]:
        """Return the `llm_usage` of a run record."""
        return {
            "calls": self.calls,
            "prompt_ctu": self.prompt_ctu,
            "completion_ctu": self.completion_ctu,
            "provider_prompt_tokens": self.provider_prompt_tokens,
            "provider_completion_tokens": self.provider_completion_tokens,
        }


@dataclass(frozen=True, slots=True)
class LLMResponse:
    """One answer: its text, what it used, and how long it took in ms."""

    text: str
    usage: Usage
    latency_ms: int


class LLMClient(Protocol):
    """Answers requests; deterministic where it says `stub`."""

    @property
    def name(self) -> str:
        """The client's registry name."""

    @property
    def model(self) -> str:
        """The model that answers."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything else that determines an answer."""

    @property
    def stub(self) -> bool:
        """Whether the answers are simulated."""

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer one request.

        Raises:
            LLMError: no answer could be had.
        """


def describe(client: LLMClient) -> dict[str, Any]:
    """Return the `llm` of a run's meta record."""
    return {"client": client.name, "model": client.model, "parameters": dict(client.parameters)}

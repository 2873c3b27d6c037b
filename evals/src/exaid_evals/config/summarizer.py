"""configs/summarizer.yaml: the language model behind the middleware, its stub, and the speed of the stream."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from exaid_evals.config.base import Config


class LLMConfig(Config):
    """Which client answers the middleware, and with which model."""

    client: str = "stub"
    model: str = "stub-extractive-1"
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    max_completion_tokens: int = Field(default=800, ge=1)


class LatencyConfig(Config):
    """The stub's latency in ms: base + per CTU read + per CTU written."""

    base_ms: float = Field(default=350.0, ge=0)
    per_prompt_ctu_ms: float = Field(default=0.15, ge=0)
    per_completion_ctu_ms: float = Field(default=12.0, ge=0)


class StubLLMConfig(Config):
    """How the stub decides and writes; see `exaid_evals.clients.stub`.

    Attributes:
        min_concepts: concepts that a window must state to be of value.
        min_new_concepts: concepts not in the history that make a window novel.
        max_field_chars: length of a field; the schema allows 300.
        latency: the latency model.
        concepts: the extractor by which it reads, by name, and its settings.
    """

    min_concepts: int = Field(default=1, ge=0)
    min_new_concepts: int = Field(default=1, ge=0)
    max_field_chars: int = Field(default=300, ge=40, le=300)
    latency: LatencyConfig = LatencyConfig()
    concepts: str = "lexicon"
    concepts_settings: dict[str, Any] = Field(default_factory=dict)


class StreamConfig(Config):
    """How fast text arrives where a trace does not say: a chat model's typing speed."""

    chars_per_second: float = Field(default=120.0, gt=0)


class SummarizerConfig(Config):
    """The whole file."""

    llm: LLMConfig = LLMConfig()
    stub: StubLLMConfig = StubLLMConfig()
    stream: StreamConfig = StreamConfig()

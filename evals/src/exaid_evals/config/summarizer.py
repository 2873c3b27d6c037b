"""configs/summarizer.yaml: the language model behind the middleware, its stub, and the speed of the stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from exaid_evals.config.base import Config


class RetryConfig(Config):
    """When a request that failed for a passing reason is sent again.

    Attributes:
        max_attempts: how often one request is sent at most, the first time included.
        max_total_s: after so many seconds, waiting included, it is not sent again.
        base_s: the first wait; each further one is twice as long.
        max_wait_s: no wait is longer, unless the server asks for it.
    """

    max_attempts: int = Field(default=6, ge=1, le=100)
    max_total_s: float = Field(default=300.0, gt=0)
    base_s: float = Field(default=0.5, gt=0)
    max_wait_s: float = Field(default=30.0, gt=0)


class LLMConfig(Config):
    """Which client answers the middleware, and with which model. Keys and base URLs come from the environment alone.

    Attributes:
        client: `stub`, `openai`, `replay`, or one of the user's own.
        recorded: whose recorded answers `replay` gives.
        model: the live model; the stub's stands in its own settings.
        trigger_model: the live model of the trigger's calls; None takes `model` for them too.
        provider: whose key and base URL are taken from the environment.
        temperature: None sends none, for models that refuse it.
        response_format: how JSON is asked for; `auto` takes the strictest that the server supports.
        stream: whether answers are streamed. They are the same, so this is no part of a run's identity.
        timeout_s: how long one request may take.
        retry: when it is sent again.
    """

    client: str = "stub"
    recorded: str = "openai"
    model: str = Field(default="gpt-4o-mini", min_length=1)
    trigger_model: str | None = Field(default=None, min_length=1)
    provider: Literal["openai", "google"] = "openai"
    temperature: float | None = Field(default=0.0, ge=0.0, le=2.0)
    max_completion_tokens: int = Field(default=800, ge=1)
    response_format: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    stream: bool = True
    timeout_s: float = Field(default=60.0, gt=0)
    retry: RetryConfig = RetryConfig()


class LatencyConfig(Config):
    """The stub's latency in ms: base + per CTU read + per CTU written."""

    base_ms: float = Field(default=350.0, ge=0, le=1e9)
    per_prompt_ctu_ms: float = Field(default=0.15, ge=0, le=1e9)
    per_completion_ctu_ms: float = Field(default=12.0, ge=0, le=1e9)


class StubLLMConfig(Config):
    """How the stub decides and writes; see `exaid_evals.clients.stub`.

    Attributes:
        model: what it calls itself.
        min_concepts: concepts that a window must state to be of value.
        min_new_concepts: concepts not in the history that make a window novel.
        max_field_chars: length of a field; the schema allows 300.
        latency: the latency model.
        concepts: the extractor by which it reads, by name, and its settings.
    """

    model: str = Field(default="stub-extractive-1", min_length=1)
    min_concepts: int = Field(default=1, ge=0)
    min_new_concepts: int = Field(default=1, ge=0)
    max_field_chars: int = Field(default=300, ge=40, le=300)
    latency: LatencyConfig = LatencyConfig()
    concepts: str = "lexicon"
    concepts_settings: dict[str, Any] = Field(default_factory=dict)


class StreamConfig(Config):
    """How fast text arrives where a trace does not say: a chat model's typing speed."""

    chars_per_second: float = Field(default=120.0, ge=0.01, le=1e6)


class SummarizerConfig(Config):
    """The whole file."""

    MOVED: ClassVar[Mapping[str, str]] = {
        "history_k": "write `history_k` into the variant's file, such as configs/variants/V3.yaml"
    }
    llm: LLMConfig = LLMConfig()
    stub: StubLLMConfig = StubLLMConfig()
    stream: StreamConfig = StreamConfig()

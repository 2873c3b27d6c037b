"""The stub language model: deterministic, extractive, and honest about being neither clever nor a model.

It decides and writes by stated rules over the concepts that it finds in the text that it is given. It invents
nothing: every sentence of a summary stands in the window, so what its runs measure is the middleware around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.clients.base import ConceptReader, LLMRequest, LLMResponse, PlainClient, Usage
from exaid_evals.clients.stub_summary import write_summary
from exaid_evals.clients.stub_trigger import decide
from exaid_evals.config.summarizer import LatencyConfig, SummarizerConfig


class StubLLM(PlainClient):
    """Answers `trigger` and `summary` requests from their structured inputs.

    Latency, in ms, is `base + per_prompt_ctu · prompt CTU + per_completion_ctu · completion CTU`.
    """

    name = "stub"
    stub = True

    def __init__(self, config: SummarizerConfig, read_concepts: ConceptReader, reader_id: str) -> None:
        self._config = config.stub
        self._read_concepts = read_concepts
        self.model = config.stub.model
        settings = config.stub.model_dump(mode="json", exclude={"model"})
        self.parameters: Mapping[str, Any] = {**settings, "reader": reader_id}

    def complete(self, request: LLMRequest) -> LLMResponse:
        """Answer a request.

        Raises:
            KeyError: the task is none that a middleware part of this package asks for.
        """
        answer: Mapping[str, Any] = {"trigger": self._decide, "summary": self._write}[request.task](request.inputs)
        text = canonical_json(answer)
        usage = Usage(calls=1, prompt_ctu=request.prompt_ctu, completion_ctu=ctu(text))
        return LLMResponse(text, usage, latency_of(self._config.latency, usage))

    def _decide(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return decide(inputs, self._config, self._read_concepts)

    def _write(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return write_summary(inputs, self._config, self._read_concepts)


def latency_of(model: LatencyConfig, usage: Usage) -> int:
    """Return the latency of a call in ms, rounded.

    >>> latency_of(LatencyConfig(base_ms=300, per_prompt_ctu_ms=0.1, per_completion_ctu_ms=10), Usage(1, 1000, 50))
    900
    """
    return round(
        model.base_ms + model.per_prompt_ctu_ms * usage.prompt_ctu + model.per_completion_ctu_ms * usage.completion_ctu
    )


def build(config: SummarizerConfig, *, read_concepts: ConceptReader, reader_id: str) -> StubLLM:
    """Build the client, as the registry asks."""
    return StubLLM(config, read_concepts, reader_id)

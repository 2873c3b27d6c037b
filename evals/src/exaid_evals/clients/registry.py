"""Clients by name. To add one, write a module with a `build` function and name it here, or use an entry point."""

from __future__ import annotations

from typing import cast

from exaid_evals.clients.base import ConceptReader, LLMClient
from exaid_evals.config.plugins import find_part
from exaid_evals.config.summarizer import SummarizerConfig

BUILT_IN = {"stub": "exaid_evals.clients.stub:build"}
GROUP = "exaid_evals.clients"


def build_client(config: SummarizerConfig, *, read_concepts: ConceptReader, reader_id: str) -> LLMClient:
    """Build the client that a configuration names.

    Args:
        config: the whole summarizer configuration.
        read_concepts: how a client that reads no prose finds concepts. It is passed in because extractors
            live in a room above this one.
        reader_id: the id of that extractor, which determines the stub's answers.

    Raises:
        ConfigError: no client has that name.
    """
    build = find_part("LLM client", config.llm.client, BUILT_IN, group=GROUP)
    return cast("LLMClient", build(config, read_concepts=read_concepts, reader_id=reader_id))

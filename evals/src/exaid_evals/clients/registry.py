"""Clients by name. To add one, write a module with a `build` function and name it here, or use an entry point."""

from __future__ import annotations

from typing import cast

from exaid_evals.clients.base import Budget, ConceptReader, LLMClient
from exaid_evals.clients.cassette import Recorder
from exaid_evals.clients.replay import REPLAY, RecordingClient, ReplayClient, live_run
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.plugins import Kind
from exaid_evals.config.variant import LLMConfig, SummarizerConfig
from exaid_evals.errors import ConfigError

CLIENTS = Kind(
    "LLM client",
    "exaid_evals.clients",
    {
        "stub": "exaid_evals.clients.stub:build",
        "openai": "exaid_evals.clients.openai_client:build",
        REPLAY: "exaid_evals.clients.registry:build_recorded",
    },
)
_READ_NO_CONCEPTS = frozenset({"openai"})


def reads_concepts(config: LLMConfig) -> bool:
    """Return whether a client may need a concept reader, for the sake of which a vocabulary would be loaded."""
    return (config.recorded if config.client == REPLAY else config.client) not in _READ_NO_CONCEPTS


def build_client(config: SummarizerConfig, *, read_concepts: ConceptReader, reader_id: str) -> LLMClient:
    """Build the client that a configuration names; for `replay`, the one that was recorded, which describes itself.

    Args:
        config: the whole summarizer configuration.
        read_concepts: how a client that reads no prose finds concepts. It is passed in because extractors
            live in a package above this one.
        reader_id: the id of that extractor, which determines the stub's answers.

    Raises:
        ConfigError: no client has that name.
    """
    build = CLIENTS.find(config.llm.client)
    return cast("LLMClient", build(config, read_concepts=read_concepts, reader_id=reader_id))


def build_recorded(config: SummarizerConfig, *, read_concepts: ConceptReader, reader_id: str) -> LLMClient:
    """Build the client whose recorded answers `replay` gives.

    Raises:
        ConfigError: it is none that is recorded.
    """
    llm = config.llm.model_copy(update={"client": config.llm.recorded})
    remedy = "name the client that was recorded, such as openai"
    if llm.client == REPLAY:
        raise ConfigError("replay cannot replay itself", where="llm.recorded", remedy=remedy)
    recorded = build_client(config.model_copy(update={"llm": llm}), read_concepts=read_concepts, reader_id=reader_id)
    if recorded.stub:
        what = f"{llm.client} is simulated, so its answers are never recorded"
        raise ConfigError(what, where="llm.recorded", remedy=remedy)
    return recorded


def check_client(config: SummarizerConfig, client: LLMClient, campaign: Campaign | None) -> None:
    """Make sure that a client can answer, before any work.

    Raises:
        ConfigError: what is missing.
    """
    if config.llm.client != REPLAY:
        client.check()
    elif campaign is not None and not campaign.cassettes.is_dir():
        remedy = f"bring the folder here, or record some with {live_run(campaign)}"
        raise ConfigError("no recordings here", where=str(campaign.cassettes), remedy=remedy)


def equip_client(
    config: SummarizerConfig,
    client: LLMClient,
    *,
    campaign: Campaign,
    recorder: Recorder,
    budget: Budget,
    ask_again: bool = False,
) -> LLMClient:
    """Return a client as stage 02 asks it: the stub as it is, a live one with a recorder, or the recordings alone."""
    if config.llm.client == REPLAY:
        return ReplayClient(client, campaign)
    return client if client.stub else RecordingClient(client, recorder, budget, ask_again=ask_again)

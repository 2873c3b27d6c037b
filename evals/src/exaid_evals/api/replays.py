"""Replays in memory: one variant over frozen traces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from pydantic import ValidationError

from exaid_evals.api.frames import Measures, decisions_frame, flushes_frame, measures_frame, updates_frame
from exaid_evals.artifacts.manifest import Manifest, TraceEntry
from exaid_evals.artifacts.text_units import FIELDS, SEMANTIC_FIELDS, render
from exaid_evals.clients.base import LLMClient
from exaid_evals.concepts.base import Extractor
from exaid_evals.config.base import Config, load_config
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.request import Override
from exaid_evals.config.variant import PartConfig, SummarizerConfig, VariantConfig, load_variants
from exaid_evals.errors import ConfigError
from exaid_evals.metrics.measurer import CaseMeasurer
from exaid_evals.metrics.records import CaseMetrics
from exaid_evals.middleware.registry import SUMMARIZERS, check_variant
from exaid_evals.middleware.summarizers import SummaryInput, Update
from exaid_evals.replay.eval_run import eval_run, run_case
from exaid_evals.replay.run_log import RunLog
from exaid_evals.replay.working import make_client
from exaid_evals.traces.model import Trace

STUB = "stub"


class Frozen(Protocol):
    """Frozen traces, and what they are replayed and measured with; `api.campaign.OpenCampaign` is one."""

    manifest: Manifest
    configs: Path

    @property
    def metrics_config(self) -> MetricsConfig:
        """What is measured."""

    @property
    def stop_entities(self) -> frozenset[str]:
        """Names that are never concepts."""

    @property
    def extractor(self) -> Extractor:
        """Finds concepts."""

    @property
    def references(self) -> Mapping[str, str]:
        """Case → its clinician's note, of cases that have one."""

    def traces(self, cases: Sequence[str] | None = None) -> Iterator[tuple[TraceEntry, Trace]]:
        """Yield the conversations."""


@dataclass(frozen=True)
class Replay:
    """What a variant made of some traces, in memory.

    Attributes:
        campaign: whose traces they are.
        variant: that was replayed.
        runs: entry, trace and log of each case that has a conversation.
        stub: whether conversation or model were simulated.
    """

    campaign: Frozen
    variant: VariantConfig
    runs: tuple[tuple[TraceEntry, Trace, RunLog], ...]
    stub: bool

    @property
    def logs(self) -> list[RunLog]:
        """The run logs, by case."""
        return [log for *_, log in self.runs]

    def updates(self) -> pd.DataFrame:
        """Return a row per update."""
        return updates_frame(self.logs)

    def decisions(self) -> pd.DataFrame:
        """Return a row per decision of the trigger."""
        return decisions_frame(self.logs)

    def flushes(self) -> pd.DataFrame:
        """Return a row per chunk that left the gate."""
        return flushes_frame(self.logs)

    def measures(self) -> Measures:
        """Return a row per case and measure."""
        return measures_frame(self.cases(), signature="", stub=self.stub)

    def cases(self) -> list[CaseMetrics]:
        """Measure every case, as stage 03 does.

        Raises:
            CaseFailedError: a measure or an extractor of one's own failed.
        """
        campaign = self.campaign
        measure = CaseMeasurer(campaign.metrics_config, campaign.extractor, campaign.stop_entities, campaign.references)
        return [metrics for _, trace, log in self.runs for metrics in measure(trace, [log])]


def replay_campaign(
    campaign: Frozen, variant: Any, *, cases: Sequence[str] | None = None, stub: bool | None = None
) -> Replay:
    """Replay a campaign's traces through one variant; see `OpenCampaign.replay`."""
    config = _variant(campaign, variant)
    stub = campaign.manifest.stub if stub is None else stub
    override = {"llm.client": Override(STUB, "stub=True")} if stub else {}
    summarizer = load_config(SummarizerConfig, campaign.configs / "summarizer.yaml", override).value
    client = make_client(summarizer, campaign.stop_entities)
    if problems := check_variant(config, client):
        raise ConfigError.of(problems)
    run = eval_run(config, summarizer, client, campaign.manifest.trace_dataset_hash)
    runs = tuple(
        (entry, trace, run_case(run, trace, entry.sha256, client))
        for entry, trace in campaign.traces(cases)
        if not entry.failed
    )
    return Replay(campaign, config, runs, stub=campaign.manifest.stub or client.stub)


def _variant(campaign: Frozen, variant: Any) -> VariantConfig:
    """Return the configuration that a user means by an id, a mapping, or a summarizer of their own."""
    if isinstance(variant, VariantConfig):
        return variant
    if isinstance(variant, str):
        return load_variants(campaign.configs / "variants", [variant])[0]
    if isinstance(variant, Mapping):
        try:
            return VariantConfig.model_validate(variant)
        except ValidationError as error:
            first = error.errors()[0]
            where = f"variant.{'.'.join(str(key) for key in first['loc'])}"
            raise ConfigError(first["msg"], where=where, remedy="correct the value") from None
    primary = campaign.metrics_config.primary_variant
    return own_variant(variant, load_variants(campaign.configs / "variants", [primary])[0], None)


def own_variant(summarizer: Any, base: VariantConfig, name: str | None) -> VariantConfig:
    """Return a variant whose summarizer is somebody's own object, and whose gate and trigger are another variant's."""
    own = name or str(getattr(summarizer, "__name__", type(summarizer).__name__))
    variant_id = re.sub(r"[^A-Za-z0-9_-]", "-", own).strip("-")[:32]
    if not variant_id[:1].isalpha() or variant_id == base.variant_id:
        variant_id = f"own-{variant_id}"[:32].rstrip("-")
    SUMMARIZERS.give(f"own:{variant_id}", _builder(summarizer))
    parts = {"variant_id": variant_id, "description": "", "summarizer": PartConfig(kind=f"own:{variant_id}")}
    return base.model_copy(update=parts)


def _builder(summarizer: Any) -> Callable[[Config, LLMClient], Any]:
    """Return what builds the summarizer for a replay.

    Raises:
        ConfigError: it is neither a function, nor an object or a class with `summarize`.
    """
    if isinstance(summarizer, type):
        if hasattr(summarizer, "summarize"):
            return summarizer
    elif hasattr(summarizer, "summarize"):
        return lambda _settings, _client: summarizer
    elif callable(summarizer):
        return lambda _settings, _client: _Function(summarizer)
    raise ConfigError(
        f"a {type(summarizer).__name__} is not a summarizer",
        remedy="give a function (text, history) -> text, or an object or a class with summarize(request)",
    )


class _Function:
    """A function as a summarizer."""

    def __init__(self, function: Callable[[str, list[str]], str | Mapping[str, str]]) -> None:
        self._function = function

    def summarize(self, request: SummaryInput) -> Update:
        """Call the function with the window's text and the history."""
        answer = self._function("\n".join(text for _, text in request.turns), list(request.history))
        if isinstance(answer, Mapping):
            fields = {name: answer[name] for name in FIELDS}
            return Update(fields, render(fields, SEMANTIC_FIELDS), render(fields, FIELDS))
        if not isinstance(answer, str):
            raise TypeError(f"the function returns {type(answer).__name__}, and must return text or the six fields")
        return Update(None, answer, answer)

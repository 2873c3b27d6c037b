"""Doing the work of stage 02: a stub's cases by processes, a live model's by threads that share one client."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from exaid_evals.artifacts.manifest import TraceEntry
from exaid_evals.clients.base import Budget, LLMClient, StoppedError
from exaid_evals.clients.cassette import Recorder
from exaid_evals.clients.registry import build_client, equip_client, reads_concepts
from exaid_evals.clients.remote import ClientServer, RemoteClient
from exaid_evals.clients.stub import sentences_of
from exaid_evals.concepts.base import Extractor
from exaid_evals.concepts.registry import load_extractor
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.variant import SummarizerConfig, VariantConfig
from exaid_evals.errors import CaseFailedError, ConfigError, DataError, ExaidError
from exaid_evals.execution.local import AskingExecutor, map_threads
from exaid_evals.execution.questions import Ask
from exaid_evals.replay.clock import texts_of
from exaid_evals.replay.eval_run import EvalRun, eval_run, failed_case, run_case
from exaid_evals.replay.guard import GuardedExtractor
from exaid_evals.replay.kept_concepts import KeptConcepts
from exaid_evals.replay.run_log import RunLog, write_run
from exaid_evals.traces.model import Trace, read_trace

SHIPPED_READER = "lexicon"
_REMEMBERED_TEXTS = 5000
"""The variants of a case ask about the same texts; those of cases that are done would fill a worker's memory."""


class Reader:
    """Remembers which concepts texts state, for clients that read no prose.

    Attributes:
        kind: the extractor's name in the configuration.
        extractor: finds them; its failures are those of a case.
    """

    def __init__(self, extractor: Extractor, kind: str) -> None:
        self.kind = kind
        self.extractor = GuardedExtractor(extractor, kind)
        self._known: dict[str, frozenset[str]] = {}

    def __call__(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """Return the concepts of each text, asking the extractor once about each distinct text that is new."""
        known = self._known
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            if len(known) > _REMEMBERED_TEXTS:
                known = self._known = {text: known[text] for text in texts if text in known}
            known.update(zip(new, self.extractor.concept_sets(new), strict=True))
        return [known[text] for text in texts]


@dataclass(frozen=True, slots=True)
class CaseWork:
    """One case and the variants it still has to be replayed through."""

    entry: TraceEntry
    variants: tuple[VariantConfig, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """Updates that broke the schema.

    Attributes:
        n: how many.
        of: of how many updates.
        first: the first one's case and error; empty where there is none.
    """

    n: int = 0
    of: int = 0
    first: str = ""

    def __add__(self, other: Broken) -> Broken:
        """Return both together."""
        return Broken(self.n + other.n, self.of + other.of, self.first or other.first)


@dataclass(frozen=True, slots=True)
class CaseDone:
    """What became of a case.

    Attributes:
        written: variant → hash of its run log, of those that are written.
        failed: those of them whose replay failed, so that their logs hold the reason alone.
        problems: why replays failed, or logs could not be written at all, one a variant.
        broken: variant → what its updates broke of the schema.
        stopped: whether the rest was left because no more calls may be made.
    """

    written: Mapping[str, str]
    failed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    broken: Mapping[str, Broken] = field(default_factory=dict)
    stopped: bool = False


class Places(NamedTuple):
    """Folders of a campaign to read traces in and one to write run logs in: another where it is a part's."""

    traces: Path
    runs: Path


class Worker:
    """Replays cases with one client, whose reader remembers what it has read."""

    def __init__(
        self,
        places: Places,
        summarizer: SummarizerConfig,
        stop_entities: frozenset[str],
        dataset_hash: str,
        client: LLMClient | None = None,
    ) -> None:
        self._traces, self._runs = Campaign(places.traces), Campaign(places.runs)
        self._summarizer = summarizer
        self._dataset_hash = dataset_hash
        reader = None if client else make_reader(summarizer, stop_entities)
        self._client = client or _client(summarizer, reader)
        self._reader = reader
        self._kept = KeptConcepts(reader.extractor, reader.kind) if reader else None
        self._described: dict[str, EvalRun] = {}

    def __call__(self, work: CaseWork) -> CaseDone:
        """Write the case's run logs. A variant that fails is no reason to leave out the others."""
        try:
            trace = read_trace(self._traces.trace_file(work.entry.case_id))
        except DataError as error:
            return CaseDone({}, problems=tuple(_named(variant.variant_id, error) for variant in work.variants))
        if self._reader is not None and not trace.failed:
            contents = [message.content for message in trace.messages]
            self._reader.extractor.read_ahead([*contents, *sentences_of(contents, self._summarizer.stub)])
        written: dict[str, str] = {}
        logs: list[RunLog] = []
        failed: list[str] = []
        problems: list[str] = []
        broken: dict[str, Broken] = {}
        for variant in work.variants:
            path = self._runs.run_file(variant.variant_id, work.entry.case_id)
            run = self._run(variant)
            try:
                log = run_case(run, trace, work.entry.sha256, self._client)
                written[variant.variant_id] = write_run(path, log)
            except StoppedError:
                return CaseDone(written, tuple(failed), tuple(problems), broken, stopped=True)
            except ConfigError:
                raise
            except ExaidError as error:
                log = failed_case(run, trace, work.entry.sha256, str(error))
                written[variant.variant_id] = write_run(path, log)
                failed.append(variant.variant_id)
                problems.append(_named(variant.variant_id, error))
            else:
                broken[variant.variant_id] = _broken(log)
                logs.append(log)
        self._keep(work.entry, trace, logs)
        return CaseDone(written, tuple(failed), tuple(problems), broken)

    def _keep(self, entry: TraceEntry, trace: Trace, logs: Sequence[RunLog]) -> None:
        """Read what stage 03 will ask about while the sentences are still in memory."""
        if self._reader is not None and self._kept is not None and not trace.failed:
            found = self._kept.of(entry.sha256, self._reader.extractor)
            with contextlib.suppress(CaseFailedError):  # stage 03 reports it
                found.mentions(texts_of(trace, logs))
                self._kept.save(found)

    def _run(self, variant: VariantConfig) -> EvalRun:
        if variant.variant_id not in self._described:
            run = eval_run(variant, self._summarizer, self._client, self._dataset_hash)
            self._described[variant.variant_id] = run
        return self._described[variant.variant_id]


def _named(variant_id: str, error: ExaidError) -> str:
    message = str(error)
    return (
        message if message.startswith(f"{variant_id}: ") else f"{variant_id}: {message}"
    )  # as the failure of a part is


def _broken(log: RunLog) -> Broken:
    errors = [summary.schema_error for summary in log.summaries if not summary.schema_ok]
    return Broken(len(errors), len(log.summaries), f"{log.meta['case_id']}: {errors[0]}" if errors else "")


def do_live(
    campaign: Campaign,
    summarizer: SummarizerConfig,
    stop_entities: frozenset[str],
    dataset_hash: str,
    work: Sequence[CaseWork],
    *,
    jobs: int,
    cluster: AskingExecutor | None,
    budget: Budget,
    ask_again: bool,
) -> Generator[tuple[CaseWork, CaseDone], None, None]:
    """Yield what became of each case and variant, as they are finished.

    Threads, or a cluster's workers, take one variant of a case at a time, which spreads the work more evenly than whole
    cases would; each item of `work` comes back once per variant. Calls are made here, whoever asks for them. An
    interruption lets those under way end, for they are paid for.
    """
    client = make_client(summarizer, stop_entities)
    places = Places(campaign.root, campaign.root)
    with Recorder(campaign.cassettes) as recorder:
        equipped = equip_client(
            summarizer, client, campaign=campaign, recorder=recorder, budget=budget, ask_again=ask_again
        )
        items = [CaseWork(one.entry, (variant,)) for one in work for variant in one.variants]
        stop = partial(budget.stop, "interrupted")
        if cluster is None:
            worker = Worker(places, summarizer, stop_entities, dataset_hash, equipped)
            yield from map_threads(worker, items, jobs=jobs, stop=stop)
        else:
            build = partial(_asking_worker, places, summarizer, stop_entities, dataset_hash)
            yield from cluster.map_asking(build, items, answer=ClientServer(equipped), stop=stop)


def _asking_worker(
    places: Places, summarizer: SummarizerConfig, stop_entities: frozenset[str], dataset_hash: str, ask: Ask
) -> Worker:
    client = RemoteClient(make_client(summarizer, stop_entities), ask)
    return Worker(places, summarizer, stop_entities, dataset_hash, client)


def make_client(summarizer: SummarizerConfig, stop_entities: frozenset[str]) -> LLMClient:
    """Build the client, with a concept reader where it may need one."""
    return _client(summarizer, make_reader(summarizer, stop_entities))


def make_reader(summarizer: SummarizerConfig, stop_entities: frozenset[str]) -> Reader | None:
    """Return the concept reader of a client; None where it needs none."""
    if not reads_concepts(summarizer.llm):
        return None
    stub = summarizer.stub
    return Reader(load_extractor(stub.concepts, stub.concepts_settings, stop_entities=stop_entities), stub.concepts)


def _client(summarizer: SummarizerConfig, reader: Reader | None) -> LLMClient:
    if reader is None:
        return build_client(summarizer, read_concepts=read_nothing, reader_id="")
    return build_client(summarizer, read_concepts=reader, reader_id=reader.extractor.id)


def read_nothing(texts: Sequence[str]) -> list[frozenset[str]]:
    """Find no concept: the reader of clients that read none."""
    return [frozenset() for _ in texts]

"""Stage 02: every case of a campaign through every wanted variant, skipping what is current already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.manifest import Manifest, TraceEntry
from exaid_evals.clients.base import LLMClient
from exaid_evals.clients.registry import build_client
from exaid_evals.concepts.base import CachedExtractor, concept_ids
from exaid_evals.concepts.registry import load_extractor
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.summarizer import SummarizerConfig
from exaid_evals.config.variant import VariantConfig
from exaid_evals.errors import ConfigError, DataError, ExaidError
from exaid_evals.middleware.registry import check_variant
from exaid_evals.replay.eval_run import eval_run, run_case
from exaid_evals.replay.run_log import write_run
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import read_trace
from exaid_evals.workers import spread

OnCase = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What stage 02 is asked to do.

    Attributes:
        variants: the variants to replay.
        summarizer: model and stream settings.
        stop_entities: names that the stub's reader never counts as concepts.
        cases: ids to replay; None means all, in the manifest's order.
        limit: only the first so many of them.
        jobs: cases at the same time.
        force: replay also what is current.
    """

    variants: Sequence[VariantConfig]
    summarizer: SummarizerConfig
    stop_entities: frozenset[str]
    cases: Sequence[str] | None = None
    limit: int | None = None
    jobs: int = 1
    force: bool = False


@dataclass(frozen=True, slots=True)
class CaseWork:
    """One case and the variants it still has to be replayed through."""

    entry: TraceEntry
    variants: tuple[VariantConfig, ...]


@dataclass(slots=True)
class Plan:
    """What there is to do.

    Attributes:
        work: cases with something left to do.
        current: number of run logs that need not be made again.
        manifest: of the frozen traces, verified.
        made_from: variant → hash of everything that all its run logs depend on.
    """

    work: list[CaseWork]
    current: int
    manifest: Manifest
    made_from: dict[str, str]


@dataclass(slots=True)
class Outcome:
    """What was done.

    Attributes:
        written: run logs written.
        current: run logs that were current already.
        skipped: cases without a talk, whose logs hold run_meta alone.
        failed: case id → why its replay failed.
    """

    written: int = 0
    current: int = 0
    skipped: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def plan_runs(campaign: Campaign, settings: Settings) -> Plan:
    """Verify the traces and find what is left to do, without loading a model or a vocabulary.

    Raises:
        DataError: the traces are not what was frozen, or a wanted case is not among them.
    """
    manifest = verify_frozen(campaign)
    entries = _selected(manifest, settings)
    work: list[CaseWork] = []
    current = 0
    made_from = _made_from(settings, manifest)
    with _ledger(campaign) as ledger:
        for entry in entries:
            left = tuple(
                variant
                for variant in settings.variants
                if settings.force
                or not ledger.is_current(
                    _key(variant, entry),
                    _inputs(made_from, variant, entry),
                    _output(campaign, variant, entry),
                )
            )
            current += len(settings.variants) - len(left)
            if left:
                work.append(CaseWork(entry, left))
    return Plan(work, current, manifest, made_from)


def run_variants(campaign: Campaign, settings: Settings, plan: Plan, *, on_case: OnCase) -> Outcome:
    """Do what a plan holds. A case that fails is named, and the others go on.

    Raises:
        ConfigError: a variant's part or the client is misconfigured; found before any case is replayed.
    """
    _forget_other_cases(campaign, plan.manifest)
    outcome = Outcome(current=plan.current, skipped=plan.manifest.failed_cases)
    if not plan.work:
        return outcome
    build = partial(_Worker, campaign.root, settings, plan.manifest.trace_dataset_hash)
    with _ledger(campaign) as ledger:
        for work, problem in spread(build, plan.work, jobs=settings.jobs):
            if problem is not None:
                outcome.failed[work.entry.case_id] = problem
            else:
                for variant in work.variants:
                    inputs = _inputs(plan.made_from, variant, work.entry)
                    ledger.record(_key(variant, work.entry), inputs, _output(campaign, variant, work.entry))
                    outcome.written += 1
            on_case(work.entry.case_id)
    return outcome


def check_parts(settings: Settings) -> None:
    """Build every part once.

    Raises:
        ConfigError: names every problem of every variant and of the client, before anything is run.
    """
    problems = []
    try:
        client = build_client(settings.summarizer, read_concepts=_read_nothing, reader_id="")
    except ConfigError as error:
        raise ConfigError.of([error]) from error
    for variant in settings.variants:
        problems += check_variant(variant, client)
    if problems:
        raise ConfigError.of(problems)


class _Worker:
    """Replays cases in this process, with one client whose reader remembers what it has read."""

    def __init__(self, root: Path, settings: Settings, dataset_hash: str) -> None:
        self._campaign = Campaign(root)
        self._settings = settings
        self._dataset_hash = dataset_hash
        self._client = _client(settings)

    def __call__(self, work: CaseWork) -> str | None:
        """Write the case's run logs; return why that failed, None where it did not."""
        try:
            trace = read_trace(self._campaign.trace_file(work.entry.case_id))
            for variant in work.variants:
                run = eval_run(variant, self._settings.summarizer, self._client, self._dataset_hash)
                log = run_case(run, trace, work.entry.sha256, self._client)
                write_run(_output(self._campaign, variant, work.entry), log)
        except ConfigError:
            raise
        except ExaidError as error:
            return str(error)
        return None


def _client(settings: Settings) -> LLMClient:
    stub = settings.summarizer.stub
    extractor = load_extractor(stub.concepts, stub.concepts_settings, stop_entities=settings.stop_entities)
    reader = CachedExtractor(extractor)

    def read(texts: Sequence[str]) -> list[frozenset[str]]:
        return [concept_ids(mentions) for mentions in reader.mentions(texts)]

    return build_client(settings.summarizer, read_concepts=read, reader_id=extractor.id)


def _read_nothing(texts: Sequence[str]) -> list[frozenset[str]]:
    return [frozenset() for _ in texts]


def _selected(manifest: Manifest, settings: Settings) -> list[TraceEntry]:
    entries = list(manifest.entries)
    if settings.cases is not None:
        known = {entry.case_id: entry for entry in entries}
        missing = [case for case in settings.cases if case not in known]
        if missing:
            raise DataError(
                f"no frozen trace of {', '.join(missing)}",
                remedy="list only cases that `make-traces` has frozen",
            )
        entries = [known[case] for case in sorted(set(settings.cases))]
    return entries[: settings.limit]


def _forget_other_cases(campaign: Campaign, manifest: Manifest) -> None:
    """Remove run logs, written by this stage, of cases that are no longer in the data set."""
    known = {entry.case_id for entry in manifest.entries}
    with _ledger(campaign) as ledger:
        kept = [key for key in ledger.recorded() if key.split("/")[1] in known]
        for key in set(ledger.recorded()) - set(kept):
            variant_id, case_id = key.split("/")
            campaign.run_file(variant_id, case_id).unlink(missing_ok=True)
        ledger.keep_only(kept)


def _ledger(campaign: Campaign) -> Ledger:
    return Ledger(campaign.state / "run-variants.jsonl")


def _key(variant: VariantConfig, entry: TraceEntry) -> str:
    return f"{variant.variant_id}/{entry.case_id}"


def _output(campaign: Campaign, variant: VariantConfig, entry: TraceEntry) -> Path:
    return campaign.run_file(variant.variant_id, entry.case_id)


def _made_from(settings: Settings, manifest: Manifest) -> dict[str, str]:
    shared = {
        "summarizer": settings.summarizer.model_dump(mode="json"),
        "stop_entities": sorted(settings.stop_entities),
        "dataset": manifest.trace_dataset_hash,
    }
    return {
        variant.variant_id: fingerprint(variant=variant.model_dump(mode="json"), **shared)
        for variant in settings.variants
    }


def _inputs(made_from: dict[str, str], variant: VariantConfig, entry: TraceEntry) -> str:
    return sha256_structure({"made_from": made_from[variant.variant_id], "trace": entry.sha256})

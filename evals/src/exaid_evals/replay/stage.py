"""Stage 02: every case of a campaign through every wanted variant, skipping what is current already."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exaid_evals.artifacts.atomic import remove_leftovers
from exaid_evals.artifacts.cache import known_hashes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ledger import Ledger, Part, fingerprint
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, select_entries
from exaid_evals.clients.base import Budget, Spent
from exaid_evals.clients.cassette import settle_cassettes
from exaid_evals.clients.registry import CLIENTS, build_client, check_client
from exaid_evals.concepts.registry import extractor_source
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.requests import RunsRequest
from exaid_evals.config.variant import SummarizerConfig, VariantConfig
from exaid_evals.errors import ConfigError
from exaid_evals.execution.choose import asking_executor, executor
from exaid_evals.files import inside
from exaid_evals.middleware.registry import check_variant, part_sources
from exaid_evals.replay.kept_concepts import forget_old_concepts
from exaid_evals.replay.working import (
    SHIPPED_READER,
    Broken,
    CaseDone,
    CaseWork,
    Places,
    Worker,
    do_live,
    make_reader,
    read_nothing,
)
from exaid_evals.traces.freeze import verify_frozen

_FAILED = "failed"
_MANY_BROKEN = 0.1
OnCase = Callable[[str], None]
Results = Generator[tuple[CaseWork, CaseDone], None, None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What stage 02 is asked to do.

    Attributes:
        variants: the variants to replay.
        summarizer: model and stream settings.
        stop_entities: names that the stub's reader never counts as concepts.
        request: which cases, and how.
    """

    variants: Sequence[VariantConfig]
    summarizer: SummarizerConfig
    stop_entities: frozenset[str]
    request: RunsRequest = field(default_factory=RunsRequest)


@dataclass(slots=True)
class Plan:
    """What there is to do.

    Attributes:
        entries: the traces that are asked for.
        work: cases with something left to do.
        current: number of run logs that need not be made again.
        manifest: of the frozen traces, verified.
        made_from: variant → hash of everything that all its run logs depend on.
        output: where run logs go.
        part: which part of the stage it is; None where it is all of it.
    """

    entries: list[TraceEntry]
    work: list[CaseWork]
    current: int
    manifest: Manifest
    made_from: dict[str, str]
    output: Campaign
    part: Part | None = None


@dataclass(slots=True)
class Outcome:
    """What was done.

    Attributes:
        written: run logs written, those of failed cases among them.
        current: run logs that were current already.
        skipped: cases without a conversation, whose logs hold run_meta alone.
        failed: case id → why its replay failed. The same command tries it again.
        broken: variant → updates written now that broke the schema, where they are more than a tenth.
        stopped: why no more calls of a live model were made; None where nothing was left to do.
        left: run logs that are not written for that reason.
        spent: what a live model was asked, beyond what was recorded already.
    """

    written: int = 0
    current: int = 0
    skipped: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    broken: dict[str, Broken] = field(default_factory=dict)
    stopped: str | None = None
    left: int = 0
    spent: Spent = field(default_factory=Spent)


def plan_runs(campaign: Campaign, settings: Settings) -> Plan:
    """Verify the traces and find what is left to do, without loading a model or a vocabulary.

    Raises:
        DataError: the traces are not what was frozen.
        ConfigError: a wanted case is not among them.
    """
    request, part = settings.request, None
    output = campaign if request.shard is None else request.output

    def wanted(manifest: Manifest) -> list[TraceEntry]:
        entries = select_entries(manifest, request.cases, request.limit)
        return entries if request.shard is None else list(request.shard.take(entries))

    manifest = verify_frozen(campaign, wanted if request.shard else lambda manifest: manifest.entries)
    entries = wanted(manifest)
    made_from = _made_from(settings, manifest)
    if request.shard is not None:
        request.require_simulated(simulated=_simulated(settings))
        cases = [entry.case_id for entry in select_entries(manifest, request.cases, request.limit)]
        part = Part("run-variants", request.shard, sha256_structure({"made_from": made_from, "cases": cases}))
    work: list[CaseWork] = []
    current = 0
    with ExitStack() as stack:
        ledger = stack.enter_context(_ledger(output, read_only=True))
        hash_of = {
            variant.variant_id: stack.enter_context(known_hashes(output.runs / variant.variant_id, len(entries))).of
            for variant in settings.variants
        }
        for entry in entries:
            left = tuple(
                variant
                for variant in settings.variants
                if request.force
                or not ledger.is_current(
                    _key(variant, entry),
                    _inputs(made_from, variant, entry),
                    _output(output, variant, entry),
                    hash_of[variant.variant_id],
                )
            )
            current += len(settings.variants) - len(left)
            if left:
                work.append(CaseWork(entry, left))
    return Plan(entries, work, current, manifest, made_from, output, part)


def run_variants(campaign: Campaign, settings: Settings, plan: Plan, *, on_case: OnCase) -> Outcome:
    """Do what a plan holds. A case that fails is named, and the others go on.

    Raises:
        ConfigError: a variant's part or the client is misconfigured; found before any case is replayed.
    """
    output = plan.output
    if plan.part is not None:
        plan.part.begin(output)
    remove_leftovers(output.state, output.cassettes, *(output.runs / one.variant_id for one in settings.variants))
    _forget_other_cases(output, plan.manifest.entries if plan.part is None else plan.entries)
    outcome = Outcome(current=plan.current, skipped=tuple(entry.case_id for entry in plan.entries if entry.failed))
    if not plan.work:
        if not _simulated(settings):
            settle_cassettes(output.cassettes)
        if plan.part is not None:
            plan.part.end(output)
        return outcome
    budget = Budget(settings.request.max_calls, settings.request.max_ctu)
    problems: dict[str, list[str]] = {}
    broken: dict[str, dict[str, Broken]] = {variant.variant_id: {} for variant in settings.variants}
    to_come = {work.entry.case_id: len(work.variants) for work in plan.work}
    with _ledger(output) as ledger, closing(_do(campaign, settings, plan, budget)) as results:
        for work, done in results:
            for variant in work.variants:
                if (output_hash := done.written.get(variant.variant_id)) is not None:
                    # What failed is recorded as made from nothing that can be current: it is tried again.
                    failed = variant.variant_id in done.failed
                    inputs = _FAILED if failed else _inputs(plan.made_from, variant, work.entry)
                    ledger.record(_key(variant, work.entry), inputs, output_hash)
            outcome.written += len(done.written)
            outcome.left += len(work.variants) - len(done.written) if done.stopped else 0
            case_id = work.entry.case_id
            problems.setdefault(case_id, []).extend(done.problems)
            for variant_id, one in done.broken.items():
                broken[variant_id][case_id] = one
            to_come[case_id] -= len(work.variants)
            if not to_come[case_id]:
                on_case(case_id)
    forget_old_concepts()
    # Variants finish in any order, which must not show.
    outcome.failed = {case_id: "; ".join(sorted(found)) for case_id, found in sorted(problems.items()) if found}
    totals = {variant_id: sum((found[key] for key in sorted(found)), Broken()) for variant_id, found in broken.items()}
    outcome.broken = {variant_id: one for variant_id, one in totals.items() if one.n > _MANY_BROKEN * one.of}
    outcome.spent = budget.spent
    outcome.stopped = budget.stop_reason if outcome.left else None
    if plan.part is not None:
        plan.part.end(output)
    return outcome


def _do(campaign: Campaign, settings: Settings, plan: Plan, budget: Budget) -> Results:
    dataset_hash = plan.manifest.trace_dataset_hash
    if _simulated(settings):
        if settings.request.cluster is None and settings.summarizer.stub.concepts == SHIPPED_READER:
            make_reader(
                settings.summarizer, settings.stop_entities
            )  # it keeps what it loads, for workers that are copies
        places = Places(campaign.root, plan.output.root)
        build = partial(Worker, places, settings.summarizer, settings.stop_entities, dataset_hash)
        return executor(settings.request.jobs, settings.request.cluster).map_ordered(build, plan.work)
    request = settings.request
    return do_live(
        campaign,
        settings.summarizer,
        settings.stop_entities,
        dataset_hash,
        plan.work,
        jobs=request.jobs,
        cluster=None if request.cluster is None else asking_executor(request.cluster),
        budget=budget,
        ask_again=request.retry_failed,
    )


def _simulated(settings: Settings) -> bool:
    return build_client(settings.summarizer, read_concepts=read_nothing, reader_id="").stub


def part_problems(
    summarizer: SummarizerConfig, variants: Sequence[VariantConfig], campaign: Campaign | None = None
) -> list[ConfigError]:
    """Build every part of the variants and the client once; return every problem with them."""
    problems = []
    try:
        client = build_client(summarizer, read_concepts=read_nothing, reader_id="")
        check_client(summarizer, client, campaign)
    except ConfigError as error:
        problems.append(error)
        # Parts are built with a client, and their own problems are to be reported as well.
        client = build_client(SummarizerConfig(), read_concepts=read_nothing, reader_id="")
    for variant in variants:
        problems += check_variant(variant, client)
    return problems


def _forget_other_cases(campaign: Campaign, entries: Sequence[TraceEntry]) -> None:
    """Remove run logs, written by this stage, of cases that are no longer in the data set."""
    known = {entry.case_id for entry in entries}
    with _ledger(campaign) as ledger:
        kept = [key for key in ledger.recorded() if key.partition("/")[2] in known]
        ledger.keep_only(kept, lambda key: inside(campaign.runs, f"{key}.jsonl.gz") if "/" in key else None)


def _ledger(campaign: Campaign, *, read_only: bool = False) -> Ledger:
    return Ledger(campaign.state / "run-variants.jsonl", read_only=read_only)


def _key(variant: VariantConfig, entry: TraceEntry) -> str:
    return f"{variant.variant_id}/{entry.case_id}"


def _output(campaign: Campaign, variant: VariantConfig, entry: TraceEntry) -> Path:
    return campaign.run_file(variant.variant_id, entry.case_id)


def _made_from(settings: Settings, manifest: Manifest) -> dict[str, str]:
    shared = {
        "summarizer": settings.summarizer.model_dump(mode="json"),
        "stop_entities": sorted(settings.stop_entities),
        "dataset": manifest.trace_dataset_hash,
        "reader": extractor_source(settings.summarizer.stub.concepts),
        "client": CLIENTS.source_hash(settings.summarizer.llm.client),
    }
    return {
        variant.variant_id: fingerprint(variant=variant.model_dump(mode="json"), parts=part_sources(variant), **shared)
        for variant in settings.variants
    }


def _inputs(made_from: dict[str, str], variant: VariantConfig, entry: TraceEntry) -> str:
    return sha256_structure({"made_from": made_from[variant.variant_id], "trace": entry.sha256})

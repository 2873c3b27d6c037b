"""Stage 03, its numbers: every run of a campaign measured, means over cases, skipping what is current already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from exaid_evals.artifacts.atomic import remove_leftovers
from exaid_evals.artifacts.hashing import Signature, sha256_structure
from exaid_evals.artifacts.ids import together
from exaid_evals.artifacts.ledger import Ledger, Part, fingerprint
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, select_entries
from exaid_evals.concepts.base import Extractor, held_out
from exaid_evals.concepts.registry import extractor_source
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.requests import MetricsRequest
from exaid_evals.errors import CaseFailedError, ConfigError, DataError
from exaid_evals.execution.choose import executor
from exaid_evals.files import inside
from exaid_evals.metrics.comparison_stage import ComparisonReport, check_comparisons, compare_variants
from exaid_evals.metrics.measurer import Measured, Measurer, Measuring, discard_measured, load_measuring_extractor
from exaid_evals.metrics.records import MadeFrom, case_line, write_metrics
from exaid_evals.metrics.registry import load_measures, measure_sources
from exaid_evals.metrics.runs import (
    VariantRuns,
    any_case,
    hash_of_runs,
    llm_id,
    present_variants,
    read_meta,
    read_runs,
    require_runs,
)
from exaid_evals.replay.kept_concepts import forget_old_concepts
from exaid_evals.traces.freeze import verify_frozen

if TYPE_CHECKING:
    from exaid_evals.stats.bootstrap import Counts, Redrawn

OnCase = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What stage 03 is asked to do.

    Attributes:
        config: what to measure.
        stop_entities: names that are never concepts.
        request: which variants and cases, and how.
        references: case → its clinician's note, of cases that have one.
    """

    config: MetricsConfig
    stop_entities: frozenset[str]
    request: MetricsRequest = field(default_factory=MetricsRequest)
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to do.

    Attributes:
        manifest: of the frozen traces, verified.
        entries: the cases.
        present: variants that have runs, in natural order.
        wanted: those to measure.
        stale: those of them whose metrics are not current.
        inputs: variant → fingerprint of all that its metrics depend on.
        runs_hashes: variant → hash over its run logs.
        llm_ids: variant → client and model of its runs.
        signature: of every number that this campaign's configuration gives.
        part: which part of the cases is to be measured, and not more; None for all that the stage does.
    """

    manifest: Manifest
    entries: tuple[TraceEntry, ...]
    present: tuple[str, ...]
    wanted: tuple[str, ...]
    stale: tuple[str, ...]
    inputs: dict[str, str]
    runs_hashes: dict[str, str]
    llm_ids: dict[str, str]
    signature: Signature
    extractor: Extractor
    part: Part | None = None


def plan_metrics(campaign: Campaign, settings: Settings) -> Plan:
    """Verify traces and runs, and find which variants have to be measured.

    The signature covers the configuration of every variant that has runs, wanted or not, so that measuring one
    variant again gives the same bytes as measuring all of them.

    Raises:
        DataError: traces or runs are missing, changed, or do not belong together.
        ConfigError: the extractor cannot be loaded, or a wanted case, variant or measure is not here.
    """
    manifest = verify_frozen(campaign)
    entries = select_entries(manifest, settings.request.cases, settings.request.limit)
    present = present_variants(campaign)
    wanted = _wanted(campaign, settings, present)
    check_comparisons(campaign, settings.config, present)
    require_runs(campaign, wanted, entries)
    dataset_hash = manifest.trace_dataset_hash
    runs = [read_runs(campaign, variant, entries, dataset_hash) for variant in wanted]
    runs += [_unmeasured(campaign, variant) for variant in present if variant not in wanted]
    extractor = load_measuring_extractor(settings.config, settings.stop_entities)
    signature = _signature(manifest, entries, runs, settings, extractor)
    parts = {
        "extractor": extractor_source(settings.config.extractor.name),
        "measures": measure_sources(settings.config),
    }
    if settings.references:
        parts["references"] = sha256_structure(dict(settings.references))
    inputs = {
        one.variant_id: fingerprint(signature=str(signature), runs=dict(one.hashes), parts=parts)
        for one in runs
        if one.variant_id in wanted
    }
    runs_hashes = {one.variant_id: hash_of_runs(one.hashes) for one in runs if one.variant_id in wanted}
    shard = settings.request.shard
    with _ledger(campaign, read_only=True) as ledger:
        stale = tuple(
            variant
            for variant in wanted
            if settings.request.force
            or shard
            or not ledger.is_current(variant, inputs[variant], campaign.metrics_file(variant))
        )
    return Plan(
        manifest=manifest,
        entries=tuple(entries),
        present=tuple(present),
        wanted=tuple(wanted),
        stale=stale,
        inputs=inputs,
        runs_hashes=runs_hashes,
        llm_ids={one.variant_id: one.llm_id for one in runs},
        signature=signature,
        extractor=extractor,
        part=None if shard is None else Part("compute-metrics", shard, sha256_structure(inputs)),
    )


def compute_metrics(campaign: Campaign, settings: Settings, plan: Plan, *, on_case: OnCase) -> ComparisonReport:
    """Measure what a plan holds, write a file per variant, and compare the variants.

    Returns:
        What was compared.

    Raises:
        DataError: names every case that cannot be measured; nothing is written then, for means over whatever is
            left would be means over other cases.
        CaseFailedError: the same, where nothing but parts of somebody's own kept them from being measured.
    """
    remove_leftovers(campaign.state, campaign.metrics)
    with _ledger(campaign) as ledger:
        ledger.keep_only(plan.present, lambda key: inside(campaign.metrics, f"{key}.metrics.jsonl"))
        if plan.stale:
            measured = _measured(campaign, settings, plan, plan.entries, on_case)
            _write_variants(campaign, settings, plan, measured, ledger)
    discard_measured(campaign, plan.present)
    return compare_variants(
        campaign,
        settings.config,
        plan.present,
        stub=plan.signature.stub,
        signature=str(plan.signature),
        force=settings.request.force,
    )


def measure_part(campaign: Campaign, settings: Settings, plan: Plan, *, on_case: OnCase) -> int:
    """Measure the cases of the plan's part, into its folder; `merge` and `compute_metrics` make metrics of them.

    Returns:
        How many cases.

    Raises:
        DataError, CaseFailedError: as `compute_metrics`.
    """
    assert plan.part is not None  # noqa: S101 - for the type checker
    output = settings.request.output
    plan.part.begin(output)
    entries = plan.part.shard.take(plan.entries)
    _measured(campaign, settings, plan, entries, on_case)
    plan.part.end(output)
    return len(entries)


def _measured(
    campaign: Campaign, settings: Settings, plan: Plan, entries: Sequence[TraceEntry], on_case: OnCase
) -> Measured:
    """Measure what is not measured yet."""
    measuring = Measuring(
        campaign.root,
        settings.config,
        settings.stop_entities,
        plan.manifest.trace_dataset_hash,
        settings.references,
        fresh=settings.request.force,
    )
    output = campaign if plan.part is None else settings.request.output
    measured = Measured(output, {variant: plan.inputs[variant] for variant in plan.stale})
    left = [entry for entry in entries if settings.request.force or entry.case_id not in measured.known]
    for _ in range(len(entries) - len(left)):
        on_case("")
    problems: list[DataError | CaseFailedError] = []
    as_line = partial(case_line, stub=plan.signature.stub, signature=str(plan.signature))
    build = partial(Measurer, measuring, plan.stale, as_line)
    here = Measurer(measuring, plan.stale, as_line, plan.extractor)
    workers = executor(settings.request.jobs, settings.request.cluster)
    for _, result in workers.map_ordered(build, left, here=here):
        if result.problem is not None:
            problems.append(result.problem)
        measured.add(result.lines)
        on_case(result.case_id)
    forget_old_concepts()
    if problems:
        raise _all_of(problems)
    return measured


def _write_variants(
    campaign: Campaign,
    settings: Settings,
    plan: Plan,
    measured: Measured,
    ledger: Ledger,
) -> None:
    # NumPy is imported only when there is something to aggregate: a run with nothing to do stays quick.
    from exaid_evals.metrics.aggregate import aggregate

    stub = plan.signature.stub
    measures = load_measures(settings.config)
    better = {measure.name: measure.better for measure in measures}
    counts: dict[int, Counts | Redrawn] = {}
    for variant in plan.stale:
        lines = measured.read(variant)
        over_cases = aggregate(
            {variant: lines.cases()}, settings.config, stub=stub, signature=str(plan.signature), counts=counts
        )[variant]
        made_from = MadeFrom(
            trace_dataset_hash=plan.manifest.trace_dataset_hash,
            case_source=plan.manifest.generation.case_source,
            runs_hash=plan.runs_hashes[variant],
            primary_variant=settings.config.primary_variant,
            better=better,
            generation_seed=plan.manifest.generation.generation_seed,
            extractor_held_out=held_out(plan.extractor, plan.manifest.generation.generation_seed),
            llm=plan.llm_ids[variant],
            definitions={measure.name: measure.version for measure in measures if measure.version > 1},
        )
        signed = replace(over_cases, made_from=made_from)
        write_metrics(campaign.metrics_file(variant), signed, lines)
        ledger.record(variant, plan.inputs[variant], campaign.metrics_file(variant))


def _all_of(problems: Sequence[DataError | CaseFailedError]) -> DataError | CaseFailedError:
    if len(problems) == 1:
        return problems[0]
    what = f"{len(problems)} cases cannot be measured:" + "".join(f"\n  - {problem}" for problem in problems)
    return CaseFailedError(what) if all(isinstance(one, CaseFailedError) for one in problems) else DataError(what)


def _wanted(campaign: Campaign, settings: Settings, present: Sequence[str]) -> list[str]:
    if not present:
        raise DataError("no runs here", where=str(campaign.runs), remedy=f"run {campaign.call('run-variants')}")
    absent = [variant for variant in settings.request.variants if variant not in present]
    if absent:
        command = campaign.call(f"run-variants {' '.join(absent)}")
        raise ConfigError(
            f"no runs of {', '.join(absent)}",
            where=str(campaign.runs),
            remedy=f"run {command}; there are runs of {', '.join(present)}",
        )
    return (
        [variant for variant in present if variant in settings.request.variants]
        if settings.request.variants
        else list(present)
    )


def _unmeasured(campaign: Campaign, variant: str) -> VariantRuns:
    """Return how a variant was run that is not measured now, from any one of its runs."""
    meta = read_meta(campaign, variant, any_case(campaign, variant))
    return VariantRuns(variant, meta["config"], llm_id(meta), meta["stub"], {})


def _signature(
    manifest: Manifest,
    entries: Sequence[TraceEntry],
    runs: Sequence[VariantRuns],
    settings: Settings,
    extractor: Extractor,
) -> Signature:
    config = {
        "metrics": settings.config.model_dump(mode="json"),
        "variants": {one.variant_id: one.config for one in runs},
        "cases": [entry.case_id for entry in entries],
    }
    return Signature(
        trace_dataset_hash=manifest.trace_dataset_hash,
        config_hash=sha256_structure(config),
        extractor_id=extractor.id,
        llm_id="+".join(sorted({one.llm_id for one in runs})),
        bootstrap_resamples=settings.config.bootstrap.resamples,
        bootstrap_seed=settings.config.bootstrap.seed,
        stub=manifest.stub or any(one.stub for one in runs),
        time_basis=together(one.time_basis for one in runs),
    )


def _ledger(campaign: Campaign, *, read_only: bool = False) -> Ledger:
    return Ledger(campaign.state / "compute-metrics.jsonl", read_only=read_only)

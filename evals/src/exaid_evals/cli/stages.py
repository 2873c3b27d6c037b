"""Stages 01 to 03: `make-traces`, `run-variants`, `compute-metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import SOME_FAILED, Progress, printable_lines, shown, with_interval
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.requests import MetricsRequest, RunsRequest, TracesRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exaid_evals.config.campaign import Campaign
    from exaid_evals.metrics.comparison_stage import ComparisonReport
    from exaid_evals.metrics.stage import Plan as MetricsPlan
    from exaid_evals.traces.generate import Plan, Result


@alone
def run_traces(request: TracesRequest) -> int:
    """Stage 01: freeze the agents' conversation about the selected cases.

    Writes traces/case-….jsonl.gz and manifests/dataset_manifest.jsonl. Traces are written once: the same command again
    has nothing to do, an interrupted one continues, another configuration needs --force or another --data-dir.

    Without --stub, MAC itself generates the conversation: its commit is verified, its model is the one of
    mac_model_config.json, with the key in OPENAI_API_KEY (or GOOGLE_API_KEY) and, where it is not the provider's own,
    the service in OPENAI_BASE_URL. Every call is recorded in cassettes/, and with --llm replay the same traces are made
    again without key and network.
    """
    from exaid_evals.clients.base import Budget
    from exaid_evals.traces.generate import make_traces
    from exaid_evals.traces.plan import preflight
    from exaid_evals.verification.expected import note_configuration

    request.require_simulated(simulated=request.simulated)
    plan = preflight(request).required()
    if plan.source_reason:
        click.echo(f"cases: {plan.manifest.generation.case_source}: {plan.source_reason}", err=True)
    if request.dry_run:
        _show_plan(plan)
        return 0
    if plan.frozen is not None:
        result = make_traces(plan)
    else:
        with Progress("make-traces", len(plan.cases)) as progress:
            result = make_traces(
                plan,
                jobs=request.jobs,
                cluster=request.cluster,
                budget=Budget(request.max_calls, request.max_ctu),
                on_case=lambda case: progress.advance(case.case_id),
                on_note=lambda note: click.echo(note, err=True),
            )
    if not result.stopped:
        note_configuration(
            request.output,
            "01",
            {
                "dataset.yaml": plan.dataset.model_dump(mode="json") | {"source": plan.manifest.generation.case_source},
                "mas_generation.yaml": plan.generation_config.model_dump(mode="json"),
            },
        )
    _show_result(plan, result)
    return SOME_FAILED if result.failed or result.stopped else 0


make_traces_command = verb("make-traces", TracesRequest, run_traces)


def _show_plan(plan: Plan) -> None:
    generation = plan.manifest.generation
    state = "frozen already, nothing to do" if plan.frozen is not None else "would be made"
    click.echo(f"{len(plan.cases)} of {generation.n_cases_available} cases ({generation.case_source}): {state}")
    for case in plan.cases:
        click.echo(f"  {case.case_id}  {case.category}")


def _show_result(plan: Plan, result: Result) -> None:
    entries = result.manifest.entries
    conversations = [entry for entry in entries if not entry.failed]
    if result.nothing_to_do:
        click.echo("nothing to do: the same traces are frozen already", err=True)
    if result.reused:
        click.echo(f"went on from an interrupted call: {len(result.reused)} traces were there", err=True)
    if result.removed:
        click.echo(f"removed {len(result.removed)} traces of other cases", err=True)
    for case_id, reason in result.failed:
        click.echo(f"failed: {case_id}: {printable_lines(reason)}", err=True)
    rows = [
        ("cases", f"{len(entries)} ({result.manifest.generation.case_source})"),
        ("messages", f"{sum(entry.n_records for entry in conversations)}"),
        ("CTU", f"{sum(entry.text_units_ctu for entry in conversations)}"),
        ("failed", f"{len(result.failed)}"),
        ("stub", "yes" if result.manifest.stub else "no"),
        *([] if result.manifest.stub else [("model", result.manifest.generation.base_model)]),
        ("traces", shown(plan.campaign.traces)),
        ("part", f"{plan.shard}") if plan.shard else ("manifest", shown(plan.campaign.manifest_file)),
    ]
    for name, value in rows:
        click.echo(f"{name:<9} {value}")
    if result.spent.calls:
        recorded = f"recorded in {shown(plan.campaign.cassettes)}"
        click.echo(f"{result.spent.calls:,} requests to the model, {result.spent.ctu:,} CTU, {recorded}")
    if result.stopped:
        click.echo(f"stopped with {result.left} cases to go, and nothing frozen: {result.stopped}", err=True)


@alone
def run_runs(request: RunsRequest) -> int:
    """Replay the frozen traces through the middleware's variants (all of them, or those named).

    A run log that was made from the same trace and configuration is not made again; --force makes it again. Every call
    of a live model is recorded in DATA/cassettes and never made twice: an interrupted run goes on where it stopped, and
    --llm replay gives the same run logs from the recordings alone, without key or network.
    """
    from exaid_evals.replay.preflight import preflight
    from exaid_evals.replay.stage import run_variants
    from exaid_evals.verification.expected import note_configuration

    campaign = request.campaign
    found = preflight(request)
    settings, plan = found.required()
    for remark in found.remarks:
        click.echo(f"note: {remark}", err=True)
    names = " ".join(variant.variant_id for variant in settings.variants)
    if request.dry_run:
        to_do = sum(len(work.variants) for work in plan.work)
        click.echo(f"would write {to_do} run logs of {names} in {shown(plan.output.runs)}; {plan.current} are current")
        return 0
    with Progress("02 run variants", len(plan.work)) as progress:
        outcome = run_variants(campaign, settings, plan, on_case=progress.advance)
    note_configuration(
        plan.output,
        "02",
        {
            "summarizer.yaml": settings.summarizer.model_dump(mode="json"),
            "stop_entities.txt": sorted(settings.stop_entities),
            **{f"variants/{one.variant_id}.yaml": one.model_dump(mode="json") for one in settings.variants},
        },
    )
    click.echo(f"{names}: {outcome.written} run logs written, {outcome.current} current, in {shown(plan.output.runs)}")
    if outcome.spent.calls:
        recorded = f"recorded in {shown(campaign.cassettes)}"
        click.echo(f"{outcome.spent.calls:,} requests to the model, {outcome.spent.ctu:,} CTU, {recorded}")
    if outcome.skipped:
        click.echo(
            f"{len(outcome.skipped)} cases have no conversation and were not replayed: {', '.join(outcome.skipped)}"
        )
    for case_id, problem in sorted(outcome.failed.items()):
        click.echo(f"failed: {case_id}: {printable_lines(problem)}", err=True)
    if outcome.failed:
        text = "counted as failed and left out by the stages that follow; the same command tries them again"
        click.echo(f"{len(outcome.failed)} cases failed: {text}", err=True)
    for variant_id, broken in outcome.broken.items():
        what = f"{variant_id}: {broken.n:,} of {broken.of:,} updates broke the schema"
        click.echo(f"warning: {what}, first {printable_lines(broken.first)}", err=True)
    if outcome.stopped:
        click.echo(f"stopped with {outcome.left} run logs to go: {outcome.stopped}", err=True)
    return SOME_FAILED if outcome.failed or outcome.broken or outcome.stopped else 0


run_variants_command = verb("run-variants", RunsRequest, run_runs)


@alone
def run_metrics(request: MetricsRequest) -> int:
    """Measure the runs of all variants (or of those named), compare them, and write tables and figures.

    --labels FILE holds people's labels of some cases, chosen at random: {"case_id", "concepts": [ids]} for what a
    conversation states and {"case_id", "variant_id", "concepts": [ids]} for what its updates state, or their own
    {"case_id", "variant_id", "measures": {"coverage": 0.6}}. Coverage and unsupported are then shown, and written to
    metrics/corrected.jsonl, with an interval that includes the extractor's errors; 20 labelled cases of 40 are enough.

    What was measured from the same traces, runs and configuration is not measured again; --force measures it again.
    """
    from exaid_evals.concepts.registry import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.metrics.noted import with_references
    from exaid_evals.metrics.registry import check_measures
    from exaid_evals.metrics.stage import Settings, compute_metrics, measure_part, plan_metrics
    from exaid_evals.verification.expected import note_configuration

    campaign = request.campaign
    config = load_config(MetricsConfig, request.configs / "metrics.yaml", request.overrides("metrics.yaml")).value
    references = _references(request)
    config = with_references(config, references)
    check_measures(config)
    settings = Settings(config, read_stop_entities(request.configs / config.stop_entities), request, references)
    plan = plan_metrics(campaign, settings)
    current = [variant for variant in plan.wanted if variant not in plan.stale]
    if request.dry_run:
        stale = f"measure {len(plan.entries)} cases under {' '.join(plan.stale)}" if plan.stale else "measure nothing"
        click.echo(f"would {stale}; current: {' '.join(current) or 'none'}; in {shown(campaign.metrics)}")
        return 0
    if plan.part is not None:
        with Progress("03 compute metrics", len(plan.part.shard.take(plan.entries))) as progress:
            n = measure_part(campaign, settings, plan, on_case=progress.advance)
        click.echo(f"part {plan.part.shard}: measured {n} cases under {' '.join(plan.stale)}, in {request.into}")
        return 0
    with Progress("03 compute metrics", len(plan.entries) if plan.stale else 0) as progress:
        comparisons = compute_metrics(campaign, settings, plan, on_case=progress.advance)
    note_configuration(
        campaign,
        "03",
        {"metrics.yaml": config.model_dump(mode="json"), config.stop_entities: sorted(settings.stop_entities)},
    )
    measured = [variant for variant in plan.present if campaign.metrics_file(variant).is_file()]
    written = _report(campaign, measured, config.primary_variant, force=request.force)
    done = f"measured {' '.join(plan.stale)}" if plan.stale else "nothing to measure"
    click.echo(f"{done}; current: {' '.join(current) or 'none'}; {written} tables and figures written")
    _show(comparisons)
    if request.labels is not None:
        _correct(campaign, request.labels, measured, str(plan.signature))
    _show_left_out(campaign, plan, measured)
    return 0


compute_metrics_command = verb("compute-metrics", MetricsRequest, run_metrics)


def _report(campaign: Campaign, variants: Sequence[str], primary: str, *, force: bool) -> int:
    """Write tables and figures, print the main table, and return how many were not current."""
    from exaid_evals.report.formats import plain
    from exaid_evals.report.stage import write_report

    report = write_report(campaign, variants, primary=primary, force=force)
    click.echo(f"no main table: {report.left_out['main']}" if report.main is None else plain.render(report.main))
    return len(report.written)


def _show_left_out(campaign: Campaign, plan: MetricsPlan, measured: Sequence[str]) -> None:
    """Print where results lie, and which cases are not in them."""
    from exaid_evals.metrics.records import failed_runs

    n_frozen = len(plan.manifest.entries)
    if len(plan.entries) < n_frozen:
        click.echo(f"warning: tables and figures now cover {len(plan.entries)} of {n_frozen} cases", err=True)
    click.echo(f"metrics  {shown(campaign.metrics)}")
    click.echo(f"tables   {shown(campaign.tables)}")
    click.echo(f"figures  {shown(campaign.figures)}")
    failed = [entry.case_id for entry in plan.entries if entry.failed]
    if failed:
        click.echo(f"{len(failed)} cases have no conversation and were not measured: {', '.join(failed)}")
    for variant_id, cases in failed_runs(campaign, measured).items():
        what = f"{variant_id}: the replay of {', '.join(cases)} failed in stage 02"
        click.echo(f"{what}; left out here, and on both sides of each comparison", err=True)


def _references(request: MetricsRequest) -> dict[str, str]:
    """Return the notes that are given, or lie in the campaign."""
    from exaid_evals.artifacts.jsonl import written_records
    from exaid_evals.metrics.noted import read_references

    path = request.references or request.campaign.references
    return read_references(written_records(path), str(path)) if request.references or path.is_file() else {}


def _correct(campaign: Campaign, labels: Path, variants: Sequence[str], signature: str) -> None:
    """Correct what rests on the extractor by labels, write it, and show it beside what was measured."""
    from exaid_evals.artifacts.jsonl import written_records
    from exaid_evals.metrics.noted import corrected_measures, read_labels, write_corrected

    read = read_labels(written_records(labels), str(labels))
    found = {variant: corrected_measures(campaign, variant, read) for variant in variants}
    path = write_corrected(campaign, found, labels=labels, signature=signature)
    click.echo(f"{'':<4} {'measure':<12} {'measured':<24} {'corrected':<24} labelled")
    for variant, measures in found.items():
        for name, one in measures.items():
            measured = with_interval(one.mean, one.ci95_low, one.ci95_high, "-")
            corrected = with_interval(one.corrected, one.corrected_ci95_low, one.corrected_ci95_high, "-")
            click.echo(f"{variant:<4} {name:<12} {measured:<24} {corrected:<24} {one.n_labelled} of {one.n}")
    click.echo(f"labels   {shown(path)}")


def _show(comparisons: ComparisonReport) -> None:
    """State what was compared, and what was not."""
    against = comparisons.against
    if comparisons.compared:
        n = len(comparisons.measures)
        click.echo(f"compared {' '.join(comparisons.compared)} with {against} in {n} measure{'s' if n > 1 else ''}")
    elif not comparisons.against_measured:
        click.echo(f"nothing compared: {against} was not measured; --against names another variant", err=True)
    if comparisons.otherwise_made:
        names = " ".join(comparisons.otherwise_made)
        click.echo(
            f"warning: {names}: measured with another configuration and not compared; name them too, or no variant",
            err=True,
        )

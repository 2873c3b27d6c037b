"""`compute-metrics`: stage 03."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import Progress, shown, with_interval
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.requests import MetricsRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exaid_evals.config.campaign import Campaign
    from exaid_evals.metrics.comparison_stage import ComparisonReport
    from exaid_evals.metrics.stage import Plan


@alone
def run(request: MetricsRequest) -> int:
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


command = verb("compute-metrics", MetricsRequest, run)


def _report(campaign: Campaign, variants: Sequence[str], primary: str, *, force: bool) -> int:
    """Write tables and figures, print the main table, and return how many were not current."""
    from exaid_evals.report.formats import plain
    from exaid_evals.report.stage import write_report

    report = write_report(campaign, variants, primary=primary, force=force)
    click.echo(f"no main table: {report.left_out['main']}" if report.main is None else plain.render(report.main))
    return len(report.written)


def _show_left_out(campaign: Campaign, plan: Plan, measured: Sequence[str]) -> None:
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
    from exaid_evals.metrics.corrected import corrected_measures, read_labels, write_corrected

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

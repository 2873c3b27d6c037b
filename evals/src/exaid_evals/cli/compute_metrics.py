"""`compute-metrics`: stage 03."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.requests import MetricsRequest

if TYPE_CHECKING:
    from exaid_evals.metrics.comparison_stage import ComparisonReport


@alone
def run(request: MetricsRequest) -> int:
    """Measure the runs of all variants (or of those named), compare them, and write tables and figures.

    What was measured from the same traces, runs and configuration is not measured again; --force measures it again.
    """
    from exaid_evals.cli.display import Progress
    from exaid_evals.concepts.stop_entities import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.metrics.records import failed_runs
    from exaid_evals.metrics.registry import check_measures
    from exaid_evals.metrics.stage import Settings, compute_metrics, plan_metrics
    from exaid_evals.report.formats import plain
    from exaid_evals.report.stage import write_report
    from exaid_evals.verification.configuration import note_configuration

    campaign = request.campaign
    config = load_config(MetricsConfig, request.configs / "metrics.yaml", request.overrides("metrics.yaml")).value
    check_measures(config)
    settings = Settings(config, read_stop_entities(request.configs / config.stop_entities), request)
    plan = plan_metrics(campaign, settings)
    current = [variant for variant in plan.wanted if variant not in plan.stale]
    if request.dry_run:
        stale = f"measure {len(plan.entries)} cases under {' '.join(plan.stale)}" if plan.stale else "measure nothing"
        click.echo(f"would {stale}; current: {' '.join(current) or 'none'}; in {shown(campaign.metrics)}")
        return 0
    with Progress("03 compute metrics", len(plan.entries) if plan.stale else 0) as progress:
        comparisons = compute_metrics(campaign, settings, plan, on_case=progress.advance)
    note_configuration(
        campaign,
        "03",
        {"metrics.yaml": config.model_dump(mode="json"), config.stop_entities: sorted(settings.stop_entities)},
    )
    measured = [variant for variant in plan.present if campaign.metrics_file(variant).is_file()]
    report = write_report(campaign, measured, primary=config.primary_variant, force=request.force)
    click.echo(plain.render(report.main))
    done = f"measured {' '.join(plan.stale)}" if plan.stale else "nothing to measure"
    click.echo(f"{done}; current: {' '.join(current) or 'none'}; {len(report.written)} tables and figures written")
    _tell(comparisons)
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
    return 0


command = verb("compute-metrics", MetricsRequest, run)


def _tell(comparisons: ComparisonReport) -> None:
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

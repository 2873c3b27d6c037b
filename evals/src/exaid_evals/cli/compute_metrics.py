"""`compute-metrics`: stage 03."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.options import (
    campaign_of,
    cases_option,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    dry_run_option,
    extractor_option,
    force_option,
    jobs_option,
    limit_option,
    option,
    overrides_of,
)
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override

if TYPE_CHECKING:
    from exaid_evals.metrics.comparison_stage import ComparisonReport


@click.command("compute-metrics")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@data_dir_option
@config_dir_option
@extractor_option
@option(
    "--against", default=None, metavar="VARIANT", help="Compare the others with it.  [default: the primary variant]"
)
@limit_option
@cases_option
@jobs_option
@force_option
@dry_run_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    variants: tuple[str, ...],
    data_dir: Path | None,
    config_dir: Path | None,
    extractor: str | None,  # noqa: ARG001 - read from the context, with its source
    against: str | None,  # noqa: ARG001 - likewise
    limit: int | None,
    cases: tuple[str, ...] | None,
    jobs: int,
    force: bool,
    dry_run: bool,
) -> int:
    """Measure the runs of all variants (or of those named), compare them, and write tables and figures.

    What was measured from the same traces, runs and configuration is not measured again; --force measures it again.
    """
    return run(
        campaign_of(data_dir),
        config_dir_of(config_dir),
        variants=variants,
        overrides=overrides_of(ctx, {"extractor": "extractor.name", "against": "comparisons.against"}),
        limit=limit,
        cases=cases,
        jobs=jobs,
        force=force,
        dry_run=dry_run,
    )


def run(
    campaign: Campaign,
    config_dir: Path,
    *,
    variants: Sequence[str] = (),
    overrides: Mapping[str, Override] | None = None,
    limit: int | None = None,
    cases: Sequence[str] | None = None,
    jobs: int = 1,
    force: bool = False,
    dry_run: bool = False,
) -> int:
    """Run stage 03, print the main table, and say where the others are; return the exit status, 0."""
    from exaid_evals.cli.progress import Progress
    from exaid_evals.concepts.stop_entities import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.metrics.records import failed_runs
    from exaid_evals.metrics.registry import check_measures
    from exaid_evals.metrics.stage import Settings, compute_metrics, plan_metrics
    from exaid_evals.report.formats import plain
    from exaid_evals.report.stage import write_report
    from exaid_evals.verification.configuration import note_configuration

    config = load_config(MetricsConfig, config_dir / "metrics.yaml", overrides).value
    check_measures(config)
    settings = Settings(
        config=config,
        stop_entities=read_stop_entities(config_dir / config.stop_entities),
        variants=variants,
        cases=cases,
        limit=limit,
        jobs=jobs,
        force=force,
    )
    plan = plan_metrics(campaign, settings)
    current = [variant for variant in plan.wanted if variant not in plan.stale]
    if dry_run:
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
    report = write_report(campaign, measured, primary=config.primary_variant, force=force)
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
        click.echo(f"{len(failed)} cases have no talk and were not measured: {', '.join(failed)}")
    for variant_id, cases in failed_runs(campaign, measured).items():
        what = f"{variant_id}: the replay of {', '.join(cases)} failed in stage 02"
        click.echo(f"{what}; left out here, and on both sides of each comparison", err=True)
    return 0


def _tell(comparisons: ComparisonReport) -> None:
    """Say what was compared, and what was not."""
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

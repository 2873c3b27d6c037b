"""`run-variants`: stage 02."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from exaid_evals.cli.options import (
    campaign_of,
    cases_option,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    dry_run_option,
    force_option,
    jobs_option,
    limit_option,
    option,
    overrides_of,
    stub_option,
)
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override


@click.command("run-variants")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@data_dir_option
@config_dir_option
@option(
    "--variants-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of variants.  [default: CONFIG/variants]",
)
@stub_option
@option(
    "--llm",
    default=None,
    metavar="CLIENT",
    help="Client of the language model, in place of the configured one.",
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
    variants_dir: Path | None,
    stub: bool,
    llm: str | None,  # noqa: ARG001 - read from the context, with its source
    limit: int | None,
    cases: tuple[str, ...] | None,
    jobs: int,
    force: bool,
    dry_run: bool,
) -> int:
    """Replay the frozen traces through the middleware's variants (all of them, or those named).

    A run log that was made from the same trace and configuration is not made again; --force makes it again.
    """
    return run(
        campaign_of(data_dir),
        config_dir_of(config_dir),
        variants=variants,
        variants_dir=variants_dir,
        stub=stub,
        overrides=overrides_of(ctx, {"llm": "llm.client"}),
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
    variants_dir: Path | None = None,
    stub: bool = False,
    overrides: Mapping[str, Override] | None = None,
    limit: int | None = None,
    cases: Sequence[str] | None = None,
    jobs: int = 1,
    force: bool = False,
    dry_run: bool = False,
) -> int:
    """Run stage 02 and report it; return the exit status: 0, or 3 when some cases failed."""
    from exaid_evals.cli.progress import Progress
    from exaid_evals.concepts.stop_entities import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.summarizer import SummarizerConfig
    from exaid_evals.config.variant import load_variants
    from exaid_evals.replay.stage import Settings, check_parts, plan_runs, run_variants

    chosen = dict(overrides or {})
    if stub:
        chosen["llm.client"] = Override("stub", "--stub")
    settings = Settings(
        variants=load_variants(variants_dir or config_dir / "variants", variants),
        summarizer=load_config(SummarizerConfig, config_dir / "summarizer.yaml", chosen).value,
        stop_entities=read_stop_entities(config_dir / "stop_entities.txt"),
        cases=cases,
        limit=limit,
        jobs=jobs,
        force=force,
    )
    check_parts(settings)
    plan = plan_runs(campaign, settings)
    names = " ".join(variant.variant_id for variant in settings.variants)
    if dry_run:
        to_do = sum(len(work.variants) for work in plan.work)
        click.echo(f"would write {to_do} run logs of {names} in {shown(campaign.runs)}; {plan.current} are current")
        return 0
    with Progress("02 run variants", len(plan.work)) as progress:
        outcome = run_variants(campaign, settings, plan, on_case=progress.advance)
    click.echo(f"{names}: {outcome.written} run logs written, {outcome.current} current, in {shown(campaign.runs)}")
    if outcome.skipped:
        click.echo(f"{len(outcome.skipped)} cases have no talk and were not replayed: {', '.join(outcome.skipped)}")
    for case_id, problem in sorted(outcome.failed.items()):
        click.echo(f"failed: {case_id}: {problem}", err=True)
    return 3 if outcome.failed else 0

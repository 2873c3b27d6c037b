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
    max_calls_option,
    max_ctu_option,
    option,
    overrides_of,
    stub_option,
    variants_dir_option,
)
from exaid_evals.cli.showing import printable_lines, shown
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override


@click.command("run-variants")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@data_dir_option
@config_dir_option
@variants_dir_option
@stub_option
@option(
    "--llm",
    default=None,
    metavar="CLIENT",
    help="stub, openai (live), replay (from recordings), or your own; in place of the configured client.",
)
@option("--model", default=None, help="Live model, in place of the configured one.")
@max_calls_option
@max_ctu_option
@option("--retry-failed", is_flag=True, help="Ask a live model anew where a recorded answer fails its case.")
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
    llm: str | None,
    model: str | None,  # noqa: ARG001 - read from the context, with its source
    max_calls: int | None,
    max_ctu: int | None,
    limit: int | None,
    cases: tuple[str, ...] | None,
    jobs: int,
    force: bool,
    dry_run: bool,
    retry_failed: bool,
) -> int:
    """Replay the frozen traces through the middleware's variants (all of them, or those named).

    A run log that was made from the same trace and configuration is not made again; --force makes it again. Every call
    of a live model is recorded in DATA/cassettes and never made twice: an interrupted run goes on where it stopped, and
    --llm replay gives the same run logs from the recordings alone, without key or network.
    """
    if stub and llm not in (None, "stub"):
        raise click.UsageError(
            f"--llm {llm} in stub mode: leave out --stub and unset EXAID_STUB_MODE, or leave out --llm"
        )
    return run(
        campaign_of(data_dir),
        config_dir_of(config_dir),
        variants=variants,
        variants_dir=variants_dir,
        stub=stub,
        overrides=overrides_of(ctx, {"llm": "llm.client", "model": "llm.model"}),
        limit=limit,
        cases=cases,
        jobs=jobs,
        force=force,
        dry_run=dry_run,
        max_calls=max_calls,
        max_ctu=max_ctu,
        retry_failed=retry_failed,
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
    max_calls: int | None = None,
    max_ctu: int | None = None,
    retry_failed: bool = False,
) -> int:
    """Run stage 02 and report it; return the exit status.

    It is 0, or 3 when some cases failed, many updates broke the schema, or the budget was used up.
    """
    from exaid_evals.cli.progress import Progress
    from exaid_evals.replay.preflight import Asked, preflight
    from exaid_evals.replay.stage import run_variants
    from exaid_evals.verification.configuration import note_configuration

    chosen = dict(overrides or {})
    if stub:
        chosen["llm.client"] = Override("stub", "--stub")
    asked = Asked(
        config_dir=config_dir,
        variants_dir=variants_dir,
        variants=variants,
        overrides=chosen,
        cases=cases,
        limit=limit,
        jobs=jobs,
        force=force,
        max_calls=max_calls,
        max_ctu=max_ctu,
        retry_failed=retry_failed,
    )
    found = preflight(campaign, asked)
    settings, plan = found.required()
    for remark in found.remarks:
        click.echo(f"note: {remark}", err=True)
    names = " ".join(variant.variant_id for variant in settings.variants)
    if dry_run:
        to_do = sum(len(work.variants) for work in plan.work)
        click.echo(f"would write {to_do} run logs of {names} in {shown(campaign.runs)}; {plan.current} are current")
        return 0
    with Progress("02 run variants", len(plan.work)) as progress:
        outcome = run_variants(campaign, settings, plan, on_case=progress.advance)
    note_configuration(
        campaign,
        "02",
        {
            "summarizer.yaml": settings.summarizer.model_dump(mode="json"),
            "stop_entities.txt": sorted(settings.stop_entities),
            **{f"variants/{one.variant_id}.yaml": one.model_dump(mode="json") for one in settings.variants},
        },
    )
    click.echo(f"{names}: {outcome.written} run logs written, {outcome.current} current, in {shown(campaign.runs)}")
    if outcome.spent.calls:
        recorded = f"recorded in {shown(campaign.cassettes)}"
        click.echo(f"{outcome.spent.calls:,} requests to the model, {outcome.spent.ctu:,} CTU, {recorded}")
    if outcome.skipped:
        click.echo(f"{len(outcome.skipped)} cases have no talk and were not replayed: {', '.join(outcome.skipped)}")
    for case_id, problem in sorted(outcome.failed.items()):
        click.echo(f"failed: {case_id}: {printable_lines(problem)}", err=True)
    if outcome.failed:
        told = "counted as failed and left out by the stages that follow; the same command tries them again"
        click.echo(f"{len(outcome.failed)} cases failed: {told}", err=True)
    for variant_id, broken in outcome.broken.items():
        what = f"{variant_id}: {broken.n:,} of {broken.of:,} updates broke the schema"
        click.echo(f"warning: {what}, first {printable_lines(broken.first)}", err=True)
    if outcome.stopped:
        click.echo(f"stopped with {outcome.left} run logs to go: {outcome.stopped}", err=True)
    return 3 if outcome.failed or outcome.broken or outcome.stopped else 0

"""`run-variants`: stage 02."""

from __future__ import annotations

import click

from exaid_evals.cli.display import SOME_FAILED, Progress, printable_lines, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.requests import RunsRequest


@alone
def run(request: RunsRequest) -> int:
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


command = verb("run-variants", RunsRequest, run)

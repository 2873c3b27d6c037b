"""`exaid-evals make-traces`: freeze the agents' talk about the selected cases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.options import (
    campaign_of,
    cases_option,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    dry_run_option,
    exclude_from_option,
    force_option,
    jobs_option,
    limit_option,
    mac_dir_option,
    max_calls_option,
    max_ctu_option,
    mode_option,
    n_cases_option,
    option,
    overrides_of,
    seed_option,
    source_option,
    stub_option,
)
from exaid_evals.cli.showing import printable_lines, shown
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override

if TYPE_CHECKING:
    from exaid_evals.traces.generate import Plan, Result

_DATASET = {"n_cases": "n_cases", "mode": "mode", "source": "source"}
_GENERATION = {"seed": "seed"}
SOME_CASES_FAILED = 3


@click.command("make-traces")
@stub_option
@option(
    "--llm",
    type=click.Choice(["openai", "replay", "stub"]),
    default=None,
    help="Who answers MAC: its model, or the recording of it; `stub` is --stub.  [default: openai]",
)
@seed_option
@n_cases_option
@mode_option
@source_option
@exclude_from_option
@limit_option
@cases_option
@jobs_option
@option("--retry-failed", is_flag=True, help="Make the failed cases again, and no others.")
@max_calls_option
@max_ctu_option
@force_option
@dry_run_option
@data_dir_option
@config_dir_option
@mac_dir_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    stub: bool,
    llm: str | None,
    exclude_from: Path | None,
    limit: int | None,
    cases: tuple[str, ...] | None,
    jobs: int,
    retry_failed: bool,
    max_calls: int | None,
    max_ctu: int | None,
    force: bool,
    dry_run: bool,
    data_dir: Path | None,
    config_dir: Path | None,
    mac_dir: Path | None,
    **_overridden: Any,
) -> int:
    """Stage 01: freeze the agents' talk about the selected cases.

    Writes traces/case-….jsonl.gz and manifests/dataset_manifest.jsonl. Traces are written once: the same
    command again has nothing to do, an interrupted one goes on, another configuration needs --force or another
    --data-dir.

    Without --stub, MAC itself talks: its commit is verified, its model is the one of mac_model_config.json, with the
    key in OPENAI_API_KEY (or GOOGLE_API_KEY) and, where it is not the provider's own, the service in OPENAI_BASE_URL.
    Every call is recorded in cassettes/, and with --llm replay the same traces are made again without key and network.
    """
    if stub and llm not in (None, "stub"):
        raise click.UsageError(f"--llm {llm} in stub mode: leave out --stub and unset EXAID_STUB_MODE, or --llm")
    return run(
        campaign_of(data_dir),
        stub=stub or llm == "stub",
        replay=llm == "replay",
        retry_failed=retry_failed,
        dataset=overrides_of(ctx, _DATASET),
        generation=overrides_of(ctx, _GENERATION),
        config_dir=config_dir,
        mac_dir=mac_dir,
        exclude_from=None if exclude_from is None else campaign_of(exclude_from),
        limit=limit,
        cases=cases,
        jobs=jobs,
        force=force,
        dry_run=dry_run,
        max_calls=max_calls,
        max_ctu=max_ctu,
    )


def run(
    campaign: Campaign,
    *,
    stub: bool,
    replay: bool = False,
    retry_failed: bool = False,
    dataset: Mapping[str, Override] | None = None,
    generation: Mapping[str, Override] | None = None,
    config_dir: Path | None = None,
    mac_dir: Path | None = None,
    exclude_from: Campaign | None = None,
    limit: int | None = None,
    cases: tuple[str, ...] | None = None,
    jobs: int = 1,
    force: bool = False,
    dry_run: bool = False,
    max_calls: int | None = None,
    max_ctu: int | None = None,
) -> int:
    """Run the stage, with progress on stderr and a short table on stdout.

    Args:
        campaign: the data folder.
        stub: simulate the talk.
        replay: answer MAC's calls from their recording alone.
        retry_failed: make the failed cases of a finished call again, and no others.
        dataset: overrides of configs/dataset.yaml, such as `{"n_cases": Override(10, "--n-cases")}`.
        generation: overrides of configs/mas_generation.yaml, such as `{"seed": Override(43, "--seed")}`.
        config_dir: folder of configurations; None takes the default.
        mac_dir: folder of MAC; None takes the submodule's place.
        exclude_from: a frozen campaign, none of whose cases may be selected; one for calibration excludes the
            evaluated one.
        limit: only the first so many of the selected cases.
        cases: exactly these cases.
        jobs: cases processed at the same time.
        force: make again what exists.
        dry_run: say what would be made, and write nothing.
        max_calls: requests to MAC's model at most; None means any number.
        max_ctu: CTU of their prompts and answers at most.

    Returns:
        The exit status: 0, or 3 where some cases failed or the budget was used up.

    Raises:
        ExaidError: whatever keeps the stage from its work.
    """
    from exaid_evals.clients.budget import Budget
    from exaid_evals.traces.generate import make_traces
    from exaid_evals.traces.preflight import Asked, preflight
    from exaid_evals.verification.configuration import note_configuration

    asked = Asked(
        config_dir=config_dir_of(config_dir),
        stub=stub,
        replay=replay,
        dataset=dataset or {},
        generation=generation or {},
        mac_dir=mac_dir,
        exclude_from=exclude_from,
        cases=cases,
        limit=limit,
        force=force,
        dry_run=dry_run,
        retry_failed=retry_failed,
    )
    plan = preflight(campaign, asked).required()
    if plan.source_reason:
        click.echo(f"cases: {plan.manifest.generation.case_source}: {plan.source_reason}", err=True)
    if dry_run:
        _tell_plan(plan)
        return 0
    if plan.frozen is not None:
        result = make_traces(plan)
    else:
        from exaid_evals.cli.progress import Progress

        with Progress("make-traces", len(plan.cases)) as progress:
            result = make_traces(
                plan,
                jobs=jobs,
                budget=Budget(max_calls, max_ctu),
                on_case=lambda case: progress.advance(case.case_id),
                on_note=_tell_note,
            )
    if not result.stopped:
        note_configuration(
            campaign,
            "01",
            {
                "dataset.yaml": plan.dataset.model_dump(mode="json") | {"source": plan.manifest.generation.case_source},
                "mas_generation.yaml": plan.generation_config.model_dump(mode="json"),
            },
        )
    _tell_result(plan, result)
    return SOME_CASES_FAILED if result.failed or result.stopped else 0


def _tell_note(note: str) -> None:
    click.echo(note, err=True)


def _tell_plan(plan: Plan) -> None:
    generation = plan.manifest.generation
    state = "frozen already, nothing to do" if plan.frozen is not None else "would be made"
    click.echo(f"{len(plan.cases)} of {generation.n_cases_available} cases ({generation.case_source}): {state}")
    for case in plan.cases:
        click.echo(f"  {case.case_id}  {case.category}")


def _tell_result(plan: Plan, result: Result) -> None:
    entries = result.manifest.entries
    talks = [entry for entry in entries if not entry.failed]
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
        ("messages", f"{sum(entry.n_records for entry in talks)}"),
        ("CTU", f"{sum(entry.text_units_ctu for entry in talks)}"),
        ("failed", f"{len(result.failed)}"),
        ("stub", "yes" if result.manifest.stub else "no"),
        *([] if result.manifest.stub else [("model", result.manifest.generation.base_model)]),
        ("traces", shown(plan.campaign.traces)),
        ("manifest", shown(plan.campaign.manifest_file)),
    ]
    for name, value in rows:
        click.echo(f"{name:<9} {value}")
    if result.spent.calls:
        recorded = f"recorded in {shown(plan.campaign.cassettes)}"
        click.echo(f"{result.spent.calls:,} requests to the model, {result.spent.ctu:,} CTU, {recorded}")
    if result.stopped:
        click.echo(f"stopped with {result.left} cases to go, and nothing frozen: {result.stopped}", err=True)

"""`reproduce`: all stages, for one campaign or one a seed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import click

from exaid_evals.cli.display import SOME_FAILED, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.requests import (
    ExportRequest,
    MetricsRequest,
    PaperRequest,
    ReproduceRequest,
    RunsRequest,
    TracesRequest,
    ValidateRequest,
)


@alone
def run(request: ReproduceRequest) -> int:
    """Run every stage: validate, make-traces, run-variants, compute-metrics, export; then write `view`'s report.html.

    A stage whose inputs have not changed has nothing to do. With --seeds the campaigns are made one after the
    other, and the export consolidates them.
    """
    started = time.monotonic()
    campaign = request.campaign
    request = request.change(jobs=request.jobs or os.cpu_count() or 1)
    members = [_of_seed(request, seed) for seed in request.seeds] or [request]
    status = 0
    for member in members:
        if request.seeds:
            click.echo(f"\n=== seed {member.seed}: {shown(member.campaign.root)}")
        if request.dry_run:
            _plan(member)
            continue
        status = max(status, _campaign(member))
        if status not in (0, SOME_FAILED):
            return status
    if request.dry_run:
        _heading("04 export")
        several = f"{len(members)} campaigns" if len(members) > 1 else "the campaign"
        click.echo(f"would consolidate {several} into {shown(campaign.exports)}, and validate everything")
        for member in members:
            click.echo(f"would write {shown(member.campaign.root / 'report.html')}")
        return 0
    from exaid_evals.cli.explain import ViewRequest, run_view
    from exaid_evals.cli.export import run as export
    from exaid_evals.cli.validate import run_validate

    _heading("04 export")
    roots = [member.campaign.root for member in members]
    exported = ExportRequest(data_dir=campaign.root, jobs=1, log_file=False)
    if request.seeds:
        exported = exported.change(runs=tuple(roots), out=campaign.exports)
    status = max(status, export(exported))
    _heading("00 validate what was written")
    places = tuple(str(place) for place in [*roots, campaign.exports])
    status = max(status, run_validate(ValidateRequest(paths=places, brief=True)))
    click.echo("")
    for member in members:
        click.echo(f"tables   {shown(member.campaign.tables)}\nfigures  {shown(member.campaign.figures)}")
    click.echo(f"export   {shown(campaign.exports)}")
    for member in members:
        status = max(status, run_view(member.derive(ViewRequest)))
    click.echo(f"done in {time.monotonic() - started:.1f} s", err=True)
    return status


command = verb("reproduce", ReproduceRequest, run)


def _of_seed(request: ReproduceRequest, seed: int) -> ReproduceRequest:
    folder = request.campaign.of_seeds / f"seed-{seed}"
    return request.change(seeds=(), seed=seed, data_dir=folder, sources={"seed": "--seeds"})


def _later(request: ReproduceRequest) -> RunsRequest:
    """Return what stage 02 is asked to do: with every case that is frozen."""
    return request.derive(RunsRequest, cases=None, limit=None)


def _measured(request: ReproduceRequest) -> MetricsRequest:
    return request.derive(MetricsRequest, cases=None, limit=None)


def _plan(request: ReproduceRequest) -> None:
    """State what stages 01 to 03 would do: what is left to do of frozen traces, else everything."""
    from exaid_evals.cli.stages import run_traces
    from exaid_evals.replay.preflight import preflight
    from exaid_evals.traces.freeze import verify_frozen

    campaign = request.campaign
    _heading("01 make traces")
    run_traces(request.derive(TracesRequest))
    # Another freeze than the planned one would have been an error above.
    frozen = campaign.manifest_file.exists() and not request.force
    found = preflight(_later(request), traces_required=frozen)
    if found.problems:
        found.required()
    names = " ".join(variant.variant_id for variant in found.variants)
    n_runs = sum(len(work.variants) for work in found.plan.work) if frozen and found.plan else None
    n_cases = len(verify_frozen(campaign).entries) if frozen else None
    _heading("02 run variants")
    left = f"{n_runs} run logs" if n_runs is not None else "a run log a case"
    click.echo(f"would write {left} of {names} in {shown(campaign.runs)}")
    _heading("03 compute metrics")
    if n_runs == 0:
        from exaid_evals.cli.stages import run_metrics

        run_metrics(_measured(request))
    else:
        cases = "every case" if n_cases is None else f"{n_cases} cases"
        click.echo(f"would measure {cases} under {names}, and write tables and figures, in {shown(campaign.metrics)}")


def _campaign(request: ReproduceRequest) -> int:
    """Run stages 00 to 03 of one campaign."""
    from exaid_evals.cli.stages import run_metrics, run_runs, run_traces
    from exaid_evals.cli.validate import run_validate

    frozen = request.derive(ValidateRequest, paths=_frozen_part(request.campaign), brief=True)
    stages: list[tuple[str, Callable[[], int]]] = [
        ("00 validate", lambda: run_validate(frozen)),
        ("01 make traces", lambda: run_traces(request.derive(TracesRequest))),
        ("02 run variants", lambda: run_runs(_later(request))),
        ("03 compute metrics", lambda: run_metrics(_measured(request))),
    ]
    status = 0
    for number, (name, stage) in enumerate(stages):
        _heading(name)
        result = stage()
        # Damaged data of an earlier run is what --force is there to replace.
        if result == 1 and number == 0 and request.force:
            continue
        status = max(status, result)
        if result not in (0, SOME_FAILED):
            click.echo(f"stopped at stage {name}", err=True)
            return result
    return status


def _frozen_part(campaign: Campaign) -> tuple[str, ...]:
    """Return the folders whose problems stop everything; what later stages make of them is made again where stale."""
    return tuple(str(one) for one in (campaign.manifests, campaign.cases, campaign.traces) if one.is_dir())


def _heading(name: str) -> None:
    click.echo(f"\n--- {name}")


@alone
def run_paper(request: PaperRequest) -> int:
    """Run every stage, then write DATA/paper: tables and figures under their numbers, paper.md and paper.tex.

    Tables 1 to 4 and the figures show the campaign itself. With --seeds, one more campaign is made per seed, and table
    5 is computed over these.
    """
    status = 0
    if not request.assemble_only:
        for seeds in ((), request.seeds) if request.seeds else ((),):
            result = run(request.change(seeds=seeds))
            if result not in (0, SOME_FAILED):
                return result
            status = max(status, result)
    if request.dry_run:
        click.echo(f"would write {shown(request.campaign.root / 'paper')}")
        return status
    assemble(request.campaign)
    return status


paper = verb("paper", PaperRequest, run_paper)


def assemble(campaign: Campaign) -> None:
    """Write the folder from a campaign's metrics and exports, and say what it holds.

    Raises:
        DataError: nothing has been measured, what was measured has changed since, or a file is damaged.
    """
    from exaid_evals.errors import DataError
    from exaid_evals.provenance.reported import stale_metrics
    from exaid_evals.report.paper import FOLDER, INDEX_MD, write_paper
    from exaid_evals.report.results import measured_variants, read_results
    from exaid_evals.report.stage import write_report

    variants, primary = measured_variants(campaign)
    if stale := stale_metrics(campaign):
        raise DataError(
            f"the metrics are stale: {'; '.join(stale)}",
            where=shown(campaign.metrics),
            remedy=f"run {campaign.call('compute-metrics')}",
        )
    report = write_report(campaign, variants, primary=primary)
    results = read_results(campaign, variants)
    files, missing = write_paper(campaign, results, left_out=report.left_out)
    for item in missing:
        click.echo(f"{item.label} ({item.title}) was not made: {item.why_not}")
    click.echo(f"paper    {shown(campaign.root / FOLDER)}: {len(files)} files, begin with {INDEX_MD}")

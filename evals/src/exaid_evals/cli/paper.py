"""`paper`: every table and figure of the paper, numbered, in one folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from exaid_evals.cli import reproduce
from exaid_evals.cli.options import campaign_of, option
from exaid_evals.cli.showing import shown
from exaid_evals.config.campaign import Campaign

_assemble_only = option(
    "--assemble-only", is_flag=True, help="Run no stage: only bring together what has been measured."
)


def _callback(
    *,
    assemble_only: bool,
    seeds: tuple[int, ...],
    dry_run: bool,
    data_dir: Path | None,
    **given: Any,
) -> int:
    """Run every stage, then write DATA/paper: tables and figures under their numbers, paper.md and paper.tex.

    Tables 1 to 4 and the figures show the campaign itself. With --seeds there is a campaign a seed beside it, and
    table 5 is taken over these.
    """
    campaign = campaign_of(data_dir)
    status = 0
    if not assemble_only:
        # The stages' options are read from this context, whose parameters are those of `reproduce`.
        stages = reproduce.command.callback
        assert stages is not None  # noqa: S101 - a command declared with a decorator has one
        for chosen in ((), seeds) if seeds else ((),):
            result = stages(seeds=chosen, dry_run=dry_run, data_dir=data_dir, **given)
            if result not in (0, reproduce.SOME_FAILED):
                return int(result)
            status = max(status, result)
    if dry_run:
        click.echo(f"would write {shown(campaign.root / 'paper')}")
        return status
    run(campaign)
    return status


command = click.Command(
    "paper",
    callback=_callback,
    params=[*reproduce.command.params, *_assemble_only(click.Command("")).params],
    help=_callback.__doc__,
)


def run(campaign: Campaign) -> None:
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

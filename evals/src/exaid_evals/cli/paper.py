"""`paper`: every table and figure of the paper, numbered, in one folder."""

from __future__ import annotations

import click

from exaid_evals.cli import reproduce
from exaid_evals.cli.display import shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.requests import PaperRequest


@alone
def run(request: PaperRequest) -> int:
    """Run every stage, then write DATA/paper: tables and figures under their numbers, paper.md and paper.tex.

    Tables 1 to 4 and the figures show the campaign itself. With --seeds there is a campaign a seed beside it, and
    table 5 is taken over these.
    """
    status = 0
    if not request.assemble_only:
        for seeds in ((), request.seeds) if request.seeds else ((),):
            result = reproduce.run(request.change(seeds=seeds))
            if result not in (0, reproduce.SOME_FAILED):
                return result
            status = max(status, result)
    if request.dry_run:
        click.echo(f"would write {shown(request.campaign.root / 'paper')}")
        return status
    assemble(request.campaign)
    return status


command = verb("paper", PaperRequest, run)


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

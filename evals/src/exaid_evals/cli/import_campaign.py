"""`exaid-evals import-campaign`: a published evaluation as a campaign of ours."""

from __future__ import annotations

import click

from exaid_evals.cli.display import Progress, printable, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.requests import ImportCampaignRequest


@alone
def run(request: ImportCampaignRequest) -> int:
    """Take a published evaluation's traces and runs as a campaign, on which every stage works.

    DIR is laid out as `replicate` reads it. Traces are frozen with the times of their deltas; variants are called by
    their policy (full_exaid, turn_end, …), since the published ids mean something else here. Then, for instance,
    `compute-metrics --data-dir X` measures the published runs, and `run-variants --data-dir X` replays variants of
    your own over the same conversations.

    Or DIR holds logs of failed multi-agent runs (Who-and-When: JSON with history, mistake_agent and mistake_step).
    Their conversations are frozen with the step at which each went wrong, and without times, for none was recorded.
    """
    from exaid_evals.replication.failures import is_folder_of_failures

    return _failures(request) if is_folder_of_failures(request.folder) else _publication(request)


command = verb("import-campaign", ImportCampaignRequest, run)


def _failures(request: ImportCampaignRequest) -> int:
    from exaid_evals.replication.failures import NOTE, fields_left, read_failures, to_trace
    from exaid_evals.traces.freeze import freeze_traces, refuse_frozen

    campaign = request.campaign
    refuse_frozen(campaign)
    runs = read_failures(request.folder)
    freeze_traces(campaign, [to_trace(run) for run in runs], note=NOTE)
    click.echo(f"traces    {len(runs)} in {shown(campaign.traces)}, without times")
    others = sum(run.speaker is not None and run.speaker != run.agent for run in runs)
    unknown = [run for run in runs if run.remark]
    for run in unknown:
        what = f"{run.remark}: kept without a decisive step; it may have been cut"
        click.echo(f"note: {shown(run.path)}: {printable(what)}", err=True)
    n_steps = len(runs) - len(unknown)
    click.echo(f"steps     {n_steps} decisive ones; in {others} another speaks than the one who is named responsible")
    left = fields_left(runs)
    left["message without text"] = sum(run.n_empty for run in runs)
    told = ", ".join(f"{printable(name)} ({count})" for name, count in sorted(left.items()) if count)
    click.echo(f"left out  {told or '0'}")
    click.echo("next      run-variants --stub --stub-concepts words")
    click.echo("          compute-metrics --extractor words --measures decisive_step")
    return 0


def _publication(request: ImportCampaignRequest) -> int:
    from exaid_evals.replication.campaign import import_publication
    from exaid_evals.replication.published import POLICIES, Publication
    from exaid_evals.replication.stage import read_all
    from exaid_evals.traces.freeze import refuse_frozen

    publication = Publication(request.folder)
    campaign = request.campaign
    refuse_frozen(campaign)
    publication.check_manifest()
    traces, runs = read_all(publication)
    with Progress("import-campaign", sum(map(len, runs.values()))) as progress:
        imported = import_publication(campaign, traces, runs, on_case=progress.advance)
    click.echo(f"traces    {len(traces)} in {shown(campaign.traces)}")
    for variant, count in imported.variants.items():
        ours, meaning = POLICIES.get(variant, ("", "a policy that is not known here"))
        click.echo(f"runs      {count} of {variant}{f' ({ours} here)' if ours else ''}: {meaning}")
    if imported.left:
        click.echo("left out  " + ", ".join(f"{name} ({count})" for name, count in sorted(imported.left.items())))
    return 0

"""`exaid-evals import-traces`: freeze conversations that another system has had."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import Progress, printable, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, DryRunRequest, argument, flag, option
from exaid_evals.config.requests import ImportCampaignRequest

if TYPE_CHECKING:
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.traces.importers.assemble import Imported


NO_COMMIT = "0" * 40
_SHOWN_NOTICES = 50


def _commit(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", text):
        raise ValueError("must be the 40 digits of a commit")
    return text


def _not_blank(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise ValueError("must be a printable name")
    return text.strip()


class ImportRequest(DryRunRequest, CampaignRequest):
    """What is imported, and how it is read."""

    files: tuple[Path, ...] = argument("FILES…", required=True, path={"exists": True, "dir_okay": False})
    format_name: str = option(
        "auto, autogen, openai, langchain, otel, csv or module:attribute.", "--format", default="auto", metavar="NAME"
    )
    model: str = option("The agents' language model.", required=True, metavar="NAME", parse=_not_blank)
    agents: Path | None = option(
        "Who is supervisor, doctor0, doctor1, doctor2, or null to be left out.  [default: by first appearance]",
        metavar="MAPPING.yaml",
        path={"exists": True, "dir_okay": False},
    )
    note: str = option("How the conversation came about, for the manifest.", default="", metavar="TEXT")
    mac_commit: str = option(
        "MAC's commit.  [default: zeros, not MAC]", default=NO_COMMIT, metavar="SHA", parse=_commit
    )
    skip_unmapped: bool = flag("Leave out what does not map, and count it, rather than refuse it.")
    simulated: bool = flag("The conversation is simulated: mark as stub whatever is made from it.")


@alone
def run(request: ImportRequest) -> int:
    """Freeze conversations that another system has had, as traces of a new campaign.

    FILES are AutoGen chat histories, OpenAI-style messages (JSON Lines), LangChain or LangGraph messages, OpenTelemetry
    spans (OTLP/JSON) or CSV tables (case_id, agent, content, and perhaps t_ms or timestamp), each perhaps gzipped. What
    does not map to a trace is reported by file, line and field, and refused unless --skip-unmapped leaves it out. Times
    are never invented: where a file has none, neither have the traces, and results replayed from them are marked as of
    assumed time.
    """
    from exaid_evals.traces.freeze import freeze_traces, refuse_frozen
    from exaid_evals.traces.importers.assemble import read_casting, read_conversations
    from exaid_evals.traces.importers.base import AUTO, importer_named, importer_of
    from exaid_evals.traces.model import Provenance

    campaign, files, dry_run = request.campaign, request.files, request.dry_run
    named = None if request.format_name == AUTO else importer_named(request.format_name)
    casting = read_casting(request.agents) if request.agents else None
    refuse_frozen(campaign)
    with Progress("import-traces", len(files)) as progress:
        imported = read_conversations(
            files,
            importer_of if named is None else lambda _: named,
            casting=casting,
            provenance=Provenance("", request.mac_commit, request.model, request.simulated),
            note=request.note,
            skip_unmapped=request.skip_unmapped,
            on_file=lambda path: progress.advance(path.name),
        )
    for text in [*imported.problems[:_SHOWN_NOTICES], *imported.notices[:_SHOWN_NOTICES]]:
        click.echo(f"left out: {printable(text)}", err=True)
    if not dry_run:
        freeze_traces(campaign, imported.traces, note=imported.note)
    _show(campaign, imported, dry_run=dry_run)
    return 0


command = verb("import-traces", ImportRequest, run)


def _show(campaign: Campaign, imported: Imported, *, dry_run: bool) -> None:
    from exaid_evals.traces.importers.assemble import counted

    traces = imported.traces
    casting = imported.casting.agents
    rows = [
        ("format", ", ".join(f"{name} ({count})" for name, count in sorted(imported.formats.items()))),
        ("cases", f"{len(traces)}"),
        ("messages", f"{sum(len(trace.messages) for trace in traces)}"),
        ("CTU", f"{sum(trace.text_units_ctu for trace in traces)}"),
        ("agents", ", ".join(f"{printable(name)} = {agent or 'left out'}" for name, agent in casting.items())),
        ("times", _times(imported)),
        ("left out", counted(imported.left_out) if imported.left_out else "0"),
        ("stub", "yes" if traces[0].provenance.stub else "no"),
    ]
    if imported.silenced:
        rows.insert(-1, ("by mapping", f"{imported.silenced} messages"))
    if dry_run:
        rows.append(("traces", "none written: a dry run"))
    else:
        rows += [("traces", shown(campaign.traces)), ("manifest", shown(campaign.manifest_file))]
    for name, value in rows:
        click.echo(f"{name:<10} {value}")


def _times(imported: Imported) -> str:
    n_cases, untimed = len(imported.traces), len(imported.untimed)
    if not untimed:
        return "recorded" + (", without dates" if imported.undated else "")
    return f"unknown in {untimed} of {n_cases} cases"


@alone
def run_import_campaign(request: ImportCampaignRequest) -> int:
    """Take a published evaluation's traces and runs as a campaign, on which every stage works.

    DIR is laid out as `replicate` reads it. Traces are frozen with the times of their deltas; variants are called by
    their policy (full_exaid, turn_end, …), since the published ids mean something else here. Then, for instance,
    `compute-metrics --data-dir X` measures the published runs, and `run-variants --data-dir X` replays variants of
    your own over the same conversations.

    Or DIR holds logs of failed multi-agent runs (Who-and-When: JSON with history, mistake_agent and mistake_step).
    Their conversations are frozen with the step at which each went wrong, and without times, for none was recorded.
    """
    from exaid_evals.replication.failures import is_folder_of_failures

    return _import_failures(request) if is_folder_of_failures(request.folder) else _import_publication(request)


campaign = verb("import-campaign", ImportCampaignRequest, run_import_campaign)


def _import_failures(request: ImportCampaignRequest) -> int:
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
    text = ", ".join(f"{printable(name)} ({count})" for name, count in sorted(left.items()) if count)
    click.echo(f"left out  {text or '0'}")
    click.echo("next      run-variants --stub --stub-concepts words")
    click.echo("          compute-metrics --extractor words --measures decisive_step")
    return 0


def _import_publication(request: ImportCampaignRequest) -> int:
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

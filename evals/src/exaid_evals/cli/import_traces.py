"""`exaid-evals import-traces`: freeze conversations that another system has had."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, shown
from exaid_evals.cli.options import (
    campaign_of,
    data_dir_option,
    debug_option,
    dry_run_option,
    option,
)

if TYPE_CHECKING:
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.traces.importers.assemble import Imported

NO_COMMIT = "0" * 40
_SHOWN_NOTICES = 50


def _commit(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", value):
        raise click.BadParameter("must be the 40 digits of a commit")
    return value


def _not_blank(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise click.BadParameter("must be a printable name")
    return value.strip()


@click.command("import-traces")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILES…"
)
@option(
    "--format",
    "format_name",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="auto, autogen, openai, langchain, otel, csv or module:attribute.",
)
@option("--model", required=True, metavar="NAME", callback=_not_blank, help="The agents' language model.")
@option(
    "--agents",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    metavar="MAPPING.yaml",
    help="Who is supervisor, doctor0, doctor1, doctor2, or null to be left out.  [default: by first appearance]",
)
@option("--note", default="", metavar="TEXT", help="How the conversation came about, for the manifest.")
@option(
    "--mac-commit", default=NO_COMMIT, metavar="SHA", callback=_commit, help="MAC's commit.  [default: zeros, not MAC]"
)
@option("--skip-unmapped", is_flag=True, help="Leave out what does not map, and count it, rather than refuse it.")
@option("--simulated", is_flag=True, help="The conversation is simulated: mark as stub whatever is made from it.")
@dry_run_option
@data_dir_option
@debug_option
def command(
    *,
    files: tuple[Path, ...],
    format_name: str,
    model: str,
    agents: Path | None,
    note: str,
    mac_commit: str,
    skip_unmapped: bool,
    simulated: bool,
    dry_run: bool,
    data_dir: Path | None,
) -> int:
    """Freeze conversations that another system has had, as traces of a new campaign.

    FILES are AutoGen chat histories, OpenAI-style messages (JSON Lines), LangChain or LangGraph messages,
    OpenTelemetry spans (OTLP/JSON) or CSV tables (case_id, agent, content, and perhaps t_ms or timestamp), each
    perhaps gzipped. What does not map to a trace is reported by file, line and field, and refused unless
    --skip-unmapped leaves it out. Nothing is invented: where a file says no times the traces have none, and whatever
    is replayed from them says that its time is assumed.
    """
    from exaid_evals.cli.progress import Progress
    from exaid_evals.traces.freeze import freeze_traces, refuse_frozen
    from exaid_evals.traces.importers.agents import read_casting
    from exaid_evals.traces.importers.assemble import read_conversations
    from exaid_evals.traces.importers.registry import AUTO, importer_named, importer_of
    from exaid_evals.traces.model import Provenance

    campaign = campaign_of(data_dir)
    named = None if format_name == AUTO else importer_named(format_name)
    casting = read_casting(agents) if agents else None
    refuse_frozen(campaign)
    with Progress("import-traces", len(files)) as progress:
        imported = read_conversations(
            files,
            importer_of if named is None else lambda _: named,
            casting=casting,
            provenance=Provenance("", mac_commit, model, simulated),
            note=note,
            skip_unmapped=skip_unmapped,
            on_file=lambda path: progress.advance(path.name),
        )
    for text in [*imported.problems[:_SHOWN_NOTICES], *imported.notices[:_SHOWN_NOTICES]]:
        click.echo(f"left out: {printable(text)}", err=True)
    if not dry_run:
        freeze_traces(campaign, imported.traces, note=imported.note)
    _tell(campaign, imported, dry_run=dry_run)
    return 0


def _tell(campaign: Campaign, imported: Imported, *, dry_run: bool) -> None:
    from exaid_evals.traces.importers.assemble import told

    traces = imported.traces
    casting = imported.casting.agents
    rows = [
        ("format", ", ".join(f"{name} ({count})" for name, count in sorted(imported.formats.items()))),
        ("cases", f"{len(traces)}"),
        ("messages", f"{sum(len(trace.messages) for trace in traces)}"),
        ("CTU", f"{sum(trace.text_units_ctu for trace in traces)}"),
        ("agents", ", ".join(f"{printable(name)} = {agent or 'left out'}" for name, agent in casting.items())),
        ("times", _times(imported)),
        ("left out", told(imported.left_out) if imported.left_out else "0"),
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

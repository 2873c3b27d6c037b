"""`report`: tables and figures from the metrics, or a check of those on disk; `tables` does it for tables alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, show_changed, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.request import CampaignRequest, DryRunRequest, flag, option

if TYPE_CHECKING:
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.provenance.reported import Reference


class ReportRequest(CampaignRequest):
    """Whether tables and figures are written or checked."""

    check: bool = flag("Write nothing; fail where a file on disk is not what the metrics give.")


@alone
def run_report(request: ReportRequest) -> int:
    """Write every table and figure anew from the metrics files, without measuring.

    With --check nothing is written: each file that is missing, was edited, or was made from other metrics is named with
    the first line that differs, and the exit status is 1. Files are compared by content, never by time.
    """
    return _run(request, "report", with_figures=True)


@alone
def run_tables(request: ReportRequest) -> int:
    """Write every table anew from the metrics files, without measuring: CSV, Markdown and LaTeX.

    With --check nothing is written: each file that is missing, was edited, or was made from other metrics is named with
    the first line that differs, and the exit status is 1. Files are compared by content, never by time.
    """
    return _run(request, "tables", with_figures=False)


command = verb("report", ReportRequest, run_report)
tables = verb("tables", ReportRequest, run_tables)


def _run(request: ReportRequest, name: str, *, with_figures: bool) -> int:
    from exaid_evals.provenance.reported import reference_report, reference_tables, stale_metrics

    campaign = request.campaign
    wanted = reference_report(campaign) if with_figures else reference_tables(campaign)
    stale = stale_metrics(campaign)
    if not request.check:
        return _write(campaign, wanted, stale)
    folders = [campaign.tables, campaign.figures] if with_figures else [campaign.tables]
    return _check(campaign, name, wanted, stale, folders)


def _check(campaign: Campaign, verb: str, wanted: Reference, stale: list[str], folders: Sequence[Path]) -> int:
    from exaid_evals.artifacts.written import changed_in
    from exaid_evals.provenance.reported import defects, files_below, with_copies, with_export

    here = files_below(campaign, *folders)
    if not stale:  # stale metrics are not exported, so there is nothing to hold the export against
        here, wanted = with_export(campaign, here, wanted)
    here, wanted = with_copies(campaign, here, wanted)
    found = defects(here, wanted)
    for defect in found:
        detail = f": {defect.detail}" if defect.detail else ""
        click.echo(printable(f"{shown(campaign.root / defect.path)}: {defect.what}{detail}"))
    for reason in stale:
        click.echo(f"{shown(campaign.metrics)}: {reason}")
    for name, reason in wanted.left_out.items():
        if any(path.stem == name for path in here.values()):
            click.echo(f"{name} was not checked: {reason}", err=True)
    if found:
        remedy = " and ".join(_remedies(campaign, verb, {defect.path.split("/")[0] for defect in found}))
        extra = "; remove what is extra" if any(defect.what == "extra" for defect in found) else ""
        click.echo(f"{len(found)} of {len(wanted.files)} files are not what the metrics give; run {remedy}{extra}")
    if stale:
        click.echo(f"the metrics are stale; run {campaign.call('compute-metrics')}")
    pages = changed_in(campaign.root)
    show_changed(pages, campaign)
    if not found and not stale:
        click.echo(f"{len(wanted.files)} files are what the metrics give")
    return 1 if found or stale or pages else 0


def _remedies(campaign: Campaign, verb: str, folders: set[str]) -> Iterator[str]:
    """Yield the commands that write these folders of the campaign anew, in their order."""
    from exaid_evals.provenance.reported import call_of_export

    if folders - {campaign.exports.name, "paper"}:
        yield campaign.call(verb)
    if campaign.exports.name in folders:
        yield call_of_export(campaign)
    if "paper" in folders:
        yield campaign.call("paper --assemble-only")


def _write(campaign: Campaign, wanted: Reference, stale: list[str]) -> int:
    from exaid_evals.artifacts.atomic import write_bytes
    from exaid_evals.provenance.reported import is_same

    written = 0
    for name, content in wanted.files.items():
        path = campaign.root / name
        if not path.is_file() or not is_same(path, content):
            write_bytes(path, content)
            written += 1
    for reason in stale:
        click.echo(f"warning: {reason}; {campaign.call('compute-metrics')} measures anew", err=True)
    for name, reason in wanted.left_out.items():
        click.echo(f"no {name}: {reason}", err=True)
    folders = dict.fromkeys(shown((campaign.root / name).parent) for name in wanted.files)
    click.echo(f"{written} files written, {len(wanted.files) - written} current, in {', '.join(folders)}")
    return 0


class ReportPackRequest(DryRunRequest):
    """What is copied, and where to."""

    source: Path = option("Folder that export wrote, or a campaign's.", "--from", required=True)
    article: Path = option("The article's folder.", "--to", required=True)
    check: bool = flag("Write nothing; exit 1 and name the first line that differs.")


def run_report_pack(request: ReportPackRequest) -> int:
    r"""Copy tables and figures into an article's folder, and fill the marked blocks of its .tex files.

    Tables go to tables/, figures to figures/. The table of that name, or the figure's \includegraphics, is put between
    `% exaid:begin NAME` and `% exaid:end`; everything else in the file stays byte for byte. A second run changes
    nothing.
    """
    from exaid_evals.artifacts.redaction import first_few
    from exaid_evals.errors import DataError
    from exaid_evals.export.report_pack import apply, plan

    source, article, dry_run = request.source, request.article, request.dry_run
    pack = plan(source, article)
    if request.check and pack.changes:
        first, *others = pack.changes
        # An article's own line says more than that of a copy.
        first = next((change for change in pack.changes if change.target.suffix == ".tex" and change.before), first)
        also = f" ({len(others)} more files differ)" if others else ""
        remedy = "give the command without --check"
        raise DataError(f"{first.first_difference()}{also}", remedy=remedy)
    summary = f"{pack.n_copies} files, {pack.n_blocks} blocks"
    if request.check:
        click.echo(f"{shown(article)} is as {shown(source)} says: {summary}")
        return 0
    if not dry_run:
        apply(pack)
    for change in pack.changes:
        click.echo(f"{'would write' if dry_run else 'wrote'} {shown(change.target)}")
    click.echo(f"{shown(article)}: {summary}, {len(pack.changes)} {'to change' if dry_run else 'changed'}")
    if not pack.n_blocks:
        click.echo("note: no .tex file has a block; write `% exaid:begin NAME` and `% exaid:end` around one", err=True)
    if pack.unused:
        click.echo(f"note: no block asks for {printable(first_few(pack.unused, 8))}", err=True)
    return 0


report_pack = verb("report-pack", ReportPackRequest, run_report_pack)

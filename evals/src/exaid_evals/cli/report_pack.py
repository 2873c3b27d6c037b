"""`report-pack`: tables and figures into an article."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from exaid_evals.cli.display import printable, shown
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import DryRunRequest, flag, option


@dataclass(frozen=True, kw_only=True)
class ReportPackRequest(DryRunRequest):
    """What is copied, and where to."""

    source: Path = option("Folder that export wrote, or a campaign's.", "--from", required=True)
    article: Path = option("The article's folder.", "--to", required=True)
    check: bool = flag("Write nothing; exit 1 and name the first line that differs.")


def run(request: ReportPackRequest) -> int:
    r"""Copy tables and figures into an article's folder, and fill the marked blocks of its .tex files.

    Tables go to tables/, figures to figures/. Between `% exaid:begin NAME` and `% exaid:end` stands then the table of
    that name, or the figure's \includegraphics; everything else in the file stays byte for byte. A second run
    changes nothing.
    """
    from exaid_evals.errors import DataError
    from exaid_evals.export.report_pack import apply, names, plan

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
        click.echo(f"note: no block asks for {printable(names(pack.unused))}", err=True)
    return 0


command = verb("report-pack", ReportPackRequest, run)

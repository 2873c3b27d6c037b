"""`tables`: the tables of `report` alone."""

from __future__ import annotations

from pathlib import Path

import click

from exaid_evals.cli.options import campaign_of, data_dir_option, debug_option
from exaid_evals.cli.report import check_option, run


@click.command("tables")
@check_option
@data_dir_option
@debug_option
def command(check: bool, data_dir: Path | None) -> int:
    """Write every table anew from the metrics files, without measuring: CSV, Markdown and LaTeX.

    With --check nothing is written: each file that is missing, was edited, or was made from other metrics is named with
    the first line that differs, and the exit status is 1. Files are compared by content, never by time.
    """
    return run(campaign_of(data_dir), "tables", check=check, with_figures=False)

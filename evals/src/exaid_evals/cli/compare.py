"""`compare`: several runs of any experiments held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from exaid_evals.cli.display import printable, shown
from exaid_evals.cli.histories import (
    analysis_config_of,
    analysis_config_option,
    better_option,
    exit_status_of,
    from_option,
    history_source_option,
    output_dir_option,
    pool_option,
    primary_metric_option,
    read_runs,
    require_writable,
    runs_option,
    tell_notes,
)
from exaid_evals.cli.options import debug_option, option
from exaid_evals.cli.progress import Progress

if TYPE_CHECKING:
    from exaid_evals.analysis.compare.collect import Collected
    from exaid_evals.analysis.compare.final_means import Statistic
    from exaid_evals.analysis.compare.stage import Comparison

_MOST_ROWS = 12
_LONG = 60
"""Characters of a name on the console."""
_SHOWN = 5
"""Columns of the ranking on the console."""


@click.command("compare")
@runs_option
@history_source_option
@from_option
@option(
    "--group-by",
    default="seed",
    show_default=True,
    metavar="KEY",
    help="Runs that differ in this setting alone are repetitions; `none`: each stands alone.",
)
@primary_metric_option()
@better_option
@option(
    "--statistic",
    type=click.Choice(["level", "best", "final"]),
    default="level",
    show_default=True,
    help="What a run counts by: the mean of its last fifth, its best or its last value.",
)
@pool_option
@analysis_config_option
@output_dir_option("comparison_reports")
@debug_option
def command(
    runs: str,
    source: str | None,
    place: Path | None,
    group_by: str,
    primary_metric: str | None,
    better: str | None,
    statistic: str,
    pool_code_versions: bool,
    analysis_config: Path | None,
    output_dir: Path,
) -> int:
    """Say which of several runs is best, how certainly, and where they part.

    Writes dashboard.html (sort, filter, overlay; no server), comparison.md with plots, comparison.csv and
    comparison.json. Exit status: 0 done; 1 a run is not there, or fewer than two can be read; 2 wrong usage; 3 done,
    but some runs could not be read.
    """
    from exaid_evals.analysis.compare.stage import ExperimentComparator
    from exaid_evals.analysis.compare.write import write_comparison

    config = analysis_config_of(analysis_config, primary_metric, better)
    require_writable(output_dir)
    found = read_runs(runs, place, source)
    comparator = ExperimentComparator(
        runs, (), source, config, pool_code_versions, group_by=group_by, statistic=cast("Statistic", statistic)
    )
    with Progress("comparing", len(found.runs), unit="run") as progress:
        comparison = comparator.of(found, progress.advance)
    _show(comparison, found)
    click.echo(f"wrote {shown(write_comparison(comparison, output_dir))}")
    return exit_status_of(found)


def _show(comparison: Comparison, found: Collected) -> None:
    """Print the ranking by the metric that counts, verdicts of the others, and what follows."""
    from exaid_evals.analysis.compare.recommend import recommendations, verdict
    from exaid_evals.analysis.compare.sections import ranking_rows
    from exaid_evals.analysis.compare.words import counted

    first, *others = comparison.rankings
    kinds = f"{counted(len(comparison.runs), 'run')}, {counted(len(comparison.groups), 'configuration')}"
    differing = ", ".join(_cut(printable(key)) for key in comparison.grouping.differing[:6]) or "no setting"
    click.echo(f"{kinds}; {'they differ' if len(comparison.groups) > 1 else 'its runs differ'} in {differing}")
    click.echo(f"{printable(first.metric)}" + (f" ({first.direction} is better)" if first.direction else ""))
    rows = [[_cut(printable(cell)) for cell in row[:_SHOWN]] for row in ranking_rows(first, _MOST_ROWS)]
    widths = [max(len(row[at]) for row in rows) for at in range(_SHOWN)]
    for row in rows:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    more = len(first.performances) + len(first.missing) - _MOST_ROWS
    if more > 0:
        click.echo(f"  and {more} more")
    names = [*(group.name for group in comparison.groups), *(run.name for run in comparison.runs)]
    ranked = [one for one in others if one.direction is not None and one.verdict != "alone"][:6]
    for told in (first, *ranked):
        click.echo(_shortened(verdict(told), names))
    for line in recommendations(comparison):
        click.echo(f"- {_shortened(line, names)}")
    tell_notes([_shortened(line, names) for line in comparison.notes], found)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _shortened(line: str, names: Sequence[str]) -> str:
    """Return a sentence for the console: long names of runs and groups are cut, the files have all of them."""
    for name in sorted({name for name in names if len(name) > _LONG}, key=len, reverse=True):
        line = line.replace(name, _cut(name))
    return printable(line)

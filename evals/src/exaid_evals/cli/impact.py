"""`impact`: what hyper-parameters have to do with how runs end."""

from __future__ import annotations

from pathlib import Path

import click

from exaid_evals.cli.histories import (
    analysis_config_of,
    analysis_config_option,
    better_option,
    from_option,
    history_source_option,
    places_of,
)
from exaid_evals.cli.options import debug_option, option
from exaid_evals.cli.progress import Progress
from exaid_evals.cli.showing import printable, shown

SOME_FAILED = 3


@click.command("impact")
@option("--runs", required=True, metavar="GLOB", help="Names, files, folders or quoted patterns of runs.")
@history_source_option
@from_option
@option(
    "--metric",
    "--primary-metric",
    "primary_metric",
    default=None,
    metavar="NAME",
    help="The metric whose end is the outcome.  [default: a validation metric]",
)
@better_option
@analysis_config_option
@option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("impact_reports"),
    show_default=True,
    help="Folder to write.",
)
@debug_option
def command(
    runs: str,
    source: str | None,
    place: Path | None,
    primary_metric: str | None,
    better: str | None,
    analysis_config: Path | None,
    output_dir: Path,
) -> int:
    """Say which hyper-parameters go with how runs end.

    Rank correlations of numbers, anomaly rates of categories, permutation importance, each with its n; where there are
    too few runs it says so. Writes impact.html, impact.md, impact.csv and impact.json. Exit status: 0 done; 1 a run
    is not there; 2 wrong usage; 3 done, but some runs could not be read.
    """
    from exaid_evals.analysis.compare.collect import collect
    from exaid_evals.analysis.compare.words import counted
    from exaid_evals.analysis.impact.sections import findings, runs_told
    from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer
    from exaid_evals.analysis.impact.write import write_impact

    config = analysis_config_of(analysis_config, primary_metric, better)
    found = collect(runs, places_of(place), source)
    for line in found.unreadable:
        click.echo(f"warning: left out: {printable(line)}", err=True)
    with Progress("analysing", len(found.runs), unit="run") as progress:
        impact = HyperparameterAnalyzer(runs, (), source, config).of(found, progress.advance)
    n_numeric = sum(one.numeric for one in impact.parameters.varying)
    n_categories = len(impact.parameters.varying) - n_numeric
    kinds = f"{n_numeric} numeric and {counted(n_categories, 'categorical parameter')} vary"
    click.echo(f"{runs_told(impact)}; {printable(impact.metric)} ({impact.direction} is better); {kinds}")
    for line in findings(impact):
        click.echo(f"- {printable(line)}")
    if impact.importance.withheld is not None:
        click.echo(f"importance is withheld: {printable(impact.importance.withheld)}")
    for line in impact.notes:
        click.echo(f"note: {printable(line)}", err=True)
    click.echo(f"wrote {shown(write_impact(impact, output_dir))}")
    return SOME_FAILED if found.unreadable else 0

"""`impact`: what hyper-parameters have to do with how runs end."""

from __future__ import annotations

from pathlib import Path

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
from exaid_evals.cli.options import debug_option
from exaid_evals.cli.progress import Progress


@click.command("impact")
@runs_option
@history_source_option
@from_option
@primary_metric_option("--metric")
@better_option
@pool_option
@analysis_config_option
@output_dir_option("impact_reports")
@debug_option
def command(
    runs: str,
    source: str | None,
    place: Path | None,
    primary_metric: str | None,
    better: str | None,
    pool_code_versions: bool,
    analysis_config: Path | None,
    output_dir: Path,
) -> int:
    """Say which hyper-parameters go with how runs end.

    Rank correlations of numbers, anomaly rates of categories, permutation importance, each with its n; where there are
    too few runs it says so. Writes impact.html, impact.md, impact.csv and impact.json. Exit status: 0 done; 1 a run
    is not there; 2 wrong usage; 3 done, but some runs could not be read.
    """
    from exaid_evals.analysis.compare.words import counted
    from exaid_evals.analysis.impact.sections import findings, runs_phrase
    from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer
    from exaid_evals.analysis.impact.write import write_impact

    config = analysis_config_of(analysis_config, primary_metric, better)
    require_writable(output_dir)
    found = read_runs(runs, place, source)
    analyzer = HyperparameterAnalyzer(runs, (), source, config, pool_code_versions)
    with Progress("analysing", len(found.runs), unit="run") as progress:
        impact = analyzer.of(found, progress.advance)
    n_numeric = sum(one.numeric for one in impact.parameters.varying)
    n_categories = len(impact.parameters.varying) - n_numeric
    kinds = f"{n_numeric} numeric and {counted(n_categories, 'categorical parameter')} vary"
    click.echo(f"{runs_phrase(impact)}; {printable(impact.metric)} ({impact.direction} is better); {kinds}")
    for line in findings(impact):
        click.echo(f"- {printable(line)}")
    if impact.importance.withheld is not None:
        click.echo(f"importance is withheld: {printable(impact.importance.withheld)}")
    tell_notes(impact.notes, found)
    click.echo(f"wrote {shown(write_impact(impact, output_dir))}")
    return exit_status_of(found)

"""`impact`: what hyper-parameters have to do with how runs end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from exaid_evals.cli.display import Progress, printable, shown
from exaid_evals.cli.histories import (
    RunsOfHistoryRequest,
    analysis_config_of,
    exit_status_of,
    read_runs,
    require_writable,
    tell_notes,
)
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import option


@dataclass(frozen=True, kw_only=True)
class ImpactRequest(RunsOfHistoryRequest):
    """Whose hyper-parameters are looked at."""

    primary_metric: str | None = option(
        "The metric that counts.  [default: a validation metric]", "--metric", "--primary-metric", metavar="NAME"
    )
    output_dir: Path = option("Folder to write.", default=Path("impact_reports"), path={"file_okay": False})


def run(request: ImpactRequest) -> int:
    """Show which hyper-parameters go with how runs end.

    Rank correlations of numbers, anomaly rates of categories, permutation importance, each with its n; where there are
    too few runs it says so. Writes impact.html, impact.md, impact.csv and impact.json. Exit status: 0 done; 1 a run
    is not there; 2 wrong usage; 3 done, but some runs could not be read.
    """
    from exaid_evals.analysis.impact.report import findings, runs_phrase, write_impact
    from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer
    from exaid_evals.analysis.report.sentences import counted

    config = analysis_config_of(request)
    require_writable(request.output_dir)
    found = read_runs(request)
    analyzer = HyperparameterAnalyzer(request.runs, (), request.source, config, request.pool_code_versions)
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
    click.echo(f"wrote {shown(write_impact(impact, request.output_dir))}")
    return exit_status_of(found)


command = verb("impact", ImpactRequest, run)

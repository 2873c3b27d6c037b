"""`compare`, `impact` and `compare-logs`: runs of any experiments, or two systems on items, held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from exaid_evals.cli.display import Progress, aligned, printable, shortened, show_json, shown, warn
from exaid_evals.cli.histories import (
    RunsOfHistoryRequest,
    analysis_config_of,
    exit_status_of,
    read_runs,
    require_writable,
    show_notes,
)
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import JobsRequest, Request, argument, flag, option

if TYPE_CHECKING:
    from exaid_evals.analysis.compare.collect import Collected
    from exaid_evals.analysis.compare.final_means import Statistic
    from exaid_evals.analysis.compare.stage import Comparison
    from exaid_evals.item_scores.write import Report

_MOST_ROWS = 12
_LONG = 60
"""Characters of a name on the console."""
_SHOWN = 5
"""Columns of the ranking on the console."""


class CompareRequest(RunsOfHistoryRequest):
    """Which runs are compared, and by what."""

    group_by: str = option(
        "Runs that differ in this setting alone are repetitions; `none`: each stands alone.",
        default="seed",
        metavar="KEY",
    )
    statistic: str = option(
        "What a run counts by: the mean of its last fifth, its best or its last value.",
        default="level",
        choices=("level", "best", "final"),
    )
    output_dir: Path = option("Folder to write.", default=Path("comparison_reports"), path={"file_okay": False})


def run(request: CompareRequest) -> int:
    """Compare runs: which is best, how certainly, and where they diverge.

    RUN is a file, a folder, a quoted pattern or the name of a run. Writes dashboard.html (sort, filter, overlay; no
    server), comparison.md with plots, comparison.csv and comparison.json. Exit status: 0 done; 1 a run is not there,
    or fewer than two can be read; 2 wrong usage; 3 done, but some runs could not be read.
    """
    from exaid_evals.analysis.compare.recommend import ExperimentComparator
    from exaid_evals.analysis.compare.write import write_comparison

    config = analysis_config_of(request)
    require_writable(request.output_dir)
    found = read_runs(request)
    comparator = ExperimentComparator(
        "",
        (),
        request.source,
        config,
        request.pool_code_versions,
        group_by=request.group_by,
        statistic=cast("Statistic", request.statistic),
    )
    with Progress("comparing", len(found.runs), unit="run") as progress:
        comparison = comparator.of(found, progress.advance)
    _show(comparison, found)
    click.echo(f"wrote {shown(write_comparison(comparison, request.output_dir))}")
    return exit_status_of(found)


command = verb("compare", CompareRequest, run)


def _show(comparison: Comparison, found: Collected) -> None:
    """Print the ranking by the metric that counts, verdicts of the others, and what follows."""
    from exaid_evals.analysis.compare.recommend import recommendations, verdicts
    from exaid_evals.analysis.compare.report import ranking_rows
    from exaid_evals.analysis.report.sentences import counted

    first, *others = comparison.rankings
    keys = comparison.grouping.differing
    several = len(comparison.groups) > 1
    what = "configuration" if keys or not several else "group"
    kinds = f"{counted(len(comparison.runs), 'run')}, {counted(len(comparison.groups), what)}"
    nothing = "no setting that is known" if several else "no setting"
    differing = ", ".join(_cut(key) for key in keys[:6]) or nothing
    click.echo(f"{kinds}; {'they differ' if several else 'its runs differ'} in {differing}")
    click.echo(f"{printable(first.metric)}" + (f" ({first.direction} is better)" if first.direction else ""))
    for line in aligned([[_cut(cell) for cell in row[:_SHOWN]] for row in ranking_rows(first, _MOST_ROWS)]):
        click.echo(f"  {line}")
    more = len(first.performances) + len(first.missing) - _MOST_ROWS
    if more > 0:
        click.echo(f"  and {more} more")
    names = [*(group.name for group in comparison.groups), *(run.name for run in comparison.runs)]
    ranked = [one for one in others if one.direction is not None and (one.verdict != "alone" or one.diverged)][:6]
    for line in verdicts([first, *ranked]):
        click.echo(_shortened(line, names))
    for line in recommendations(comparison):
        click.echo(f"- {_shortened(line, names)}")
    show_notes([_shortened(line, names) for line in comparison.notes], found)


def _cut(text: str) -> str:
    return shortened(text, _LONG)


def _shortened(line: str, names: Sequence[str]) -> str:
    """Return a sentence for the console: long names of runs and groups are cut, the files have all of them."""
    for name in sorted({name for name in names if len(name) > _LONG}, key=len, reverse=True):
        line = line.replace(name, _cut(name))
    return printable(line)


class ImpactRequest(RunsOfHistoryRequest, JobsRequest):
    """Whose hyper-parameters are looked at."""

    primary_metric: str | None = option(
        "The metric that counts.  [default: a validation metric]", "--metric", "--primary-metric", metavar="NAME"
    )
    output_dir: Path = option("Folder to write.", default=Path("impact_reports"), path={"file_okay": False})


def run_impact(request: ImpactRequest) -> int:
    """Show which hyper-parameters go with how runs end.

    RUN is a file, a folder, a quoted pattern or the name of a run. Rank correlations of numbers, anomaly rates of
    categories, permutation importance, each with its n; where there are too few runs it says so. Writes impact.html,
    impact.md, impact.csv and impact.json. Exit status: 0 done; 1 a run is not there; 2 wrong usage; 3 done, but some
    runs could not be read.
    """
    from exaid_evals.analysis.impact.report import findings, runs_phrase, write_impact
    from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer
    from exaid_evals.analysis.report.sentences import counted
    from exaid_evals.execution.choose import executor

    config = analysis_config_of(request)
    require_writable(request.output_dir)
    found = read_runs(request)
    workers = executor(request.jobs, request.cluster)
    analyzer = HyperparameterAnalyzer("", (), request.source, config, request.pool_code_versions, workers=workers)
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
    show_notes(impact.notes, found)
    click.echo(f"wrote {shown(write_impact(impact, request.output_dir))}")
    return exit_status_of(found)


impact = verb("impact", ImpactRequest, run_impact)


_ITEMS_SHOWN = 5


class CompareLogsRequest(Request):
    """Which logs are compared, and how."""

    a: Path = argument("A", default=None, required=True)
    b: Path = argument("B", default=None, required=True)
    system_a: str | None = option(
        "Model, provider or prompt of A, where it holds several.", default=None, metavar="NAME"
    )
    system_b: str | None = option("The same of B.", default=None, metavar="NAME")
    metric: tuple[str, ...] = option("Compare this metric alone; may be given again.", default=(), metavar="NAME")
    cluster: str | None = option(
        "What belongs together and is not an independent observation: a key of the items' metadata, `item` for the "
        "epochs of one item, or `none`. [default: item, where items have epochs]",
        default=None,
        metavar="KEY",
    )
    by_id: bool = flag("Align items by their ids, although their texts differ.")
    items: int = option("Items to read first, of each metric.", default=20, minimum=0)
    seed: int = option("Seed of the permutations.", default=42, minimum=0)
    json: bool = flag("Print the record as JSON.")
    out: Path | None = option("Folder to write.", default=None, path={"file_okay": False})


def run_logs(request: CompareLogsRequest) -> int:
    """Compare two logs of an evaluation item by item: is B better than A, how surely, and which items show it.

    Reads inspect-ai (.eval, .json), samples of lm-evaluation-harness, promptfoo's JSON, HELM's per-instance
    statistics, MLflow's evaluation tables, OpenAI Evals' records, DeepEval's test runs, Ragas' tables and
    val_predictions.csv; A and B are files or folders. Tests are McNemar's
    for right and wrong answers, else permutations, adjusted by Holm over tasks and metrics. With --out it writes
    log_comparison.json, .md and .csv, and items.csv. Exit status: 0 done; 1 a log is damaged or nothing is common;
    2 wrong usage.
    """
    from exaid_evals.item_scores.compare import Settings, align, compare
    from exaid_evals.item_scores.registry import read_side
    from exaid_evals.item_scores.write import Report, record, warnings_of, write

    a, b = read_side(request.a, request.system_a, "A"), read_side(request.b, request.system_b, "B")
    alignment, warnings = align(a, b, by_id_alone=request.by_id)
    settings = Settings(metrics=request.metric, cluster=request.cluster, seed=request.seed)
    comparisons = compare(alignment, settings)
    warnings += warnings_of(alignment, comparisons, settings)
    report = Report(a, b, alignment, comparisons, settings, request.items, warnings)
    if request.json:
        show_json(record(report))
    else:
        _show_logs(report)
    if request.out is not None:
        click.echo(f"wrote {shown(write(report, request.out))}", err=request.json)
    return 0


logs = verb("compare-logs", CompareLogsRequest, run_logs)


def _show_logs(report: Report) -> None:
    """Print the table, what follows, what to read first, and what kept items out."""
    from exaid_evals.item_scores.compare import read_first
    from exaid_evals.item_scores.write import kept_out, sentence, table

    for name, side in (("A", report.a), ("B", report.b)):
        click.echo(f"{name}: {_cut(side[0].system or side[0].file)}, {', '.join(sorted({log.format for log in side}))}")
    for line in aligned([[_cut(cell) for cell in row] for row in table(report)]):
        click.echo(line)
    for one in report.comparisons:
        click.echo(printable(sentence(one)))
    for one in report.comparisons:
        first = read_first(one, min(_ITEMS_SHOWN, report.most))
        if first:
            named = ", ".join(
                _cut(pair.a.id) + (f" of epoch {pair.a.epoch}" if pair.a.epoch > 1 else "") for pair, _ in first
            )
            click.echo(f"read first ({_cut(', '.join(filter(None, (one.task, one.metric))))}): {named}")
    for line in kept_out(report):
        click.echo(f"kept out: {printable(line)}")
    warn(report.warnings)

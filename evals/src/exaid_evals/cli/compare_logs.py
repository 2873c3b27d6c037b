"""`compare-logs`: two systems on the items of an evaluation, from the logs of the tool that made it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import aligned, printable, shortened, show_json, shown, warn
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import Request, argument, flag, option

if TYPE_CHECKING:
    from exaid_evals.item_scores.write import Report

_ITEMS_SHOWN = 5
_LONG = 60


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


def run(request: CompareLogsRequest) -> int:
    """Compare two logs of an evaluation item by item: is B better than A, how surely, and which items show it.

    Reads inspect-ai (.eval, .json), samples of lm-evaluation-harness, promptfoo's JSON, HELM's per-instance
    statistics, MLflow's evaluation tables and val_predictions.csv; A and B are files or folders. Tests are McNemar's
    for right and wrong answers, else permutations, adjusted by Holm over tasks and metrics. With --out it writes
    log_comparison.json, .md and .csv, and items.csv. Exit status: 0 done; 1 a log is damaged or nothing is common;
    2 wrong usage.
    """
    from exaid_evals.item_scores.compare import Settings, align, compare
    from exaid_evals.item_scores.registry import read_side
    from exaid_evals.item_scores.write import Report, record, warnings_of, write

    a, b = read_side(request.a, request.system_a, "A"), read_side(request.b, request.system_b, "B")
    aligned, warnings = align(a, b, by_id_alone=request.by_id)
    settings = Settings(metrics=request.metric, cluster=request.cluster, seed=request.seed)
    comparisons = compare(aligned, settings)
    warnings += warnings_of(aligned, comparisons, settings)
    report = Report(a, b, aligned, comparisons, settings, request.items, warnings)
    if request.json:
        show_json(record(report))
    else:
        _show(report)
    if request.out is not None:
        click.echo(f"wrote {shown(write(report, request.out))}", err=request.json)
    return 0


command = verb("compare-logs", CompareLogsRequest, run)


def _show(report: Report) -> None:
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


def _cut(text: str) -> str:
    return shortened(text, _LONG)

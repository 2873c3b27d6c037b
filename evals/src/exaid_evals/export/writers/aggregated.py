"""`aggregated_metrics.{csv,md,tex}` and `per_class_summary.{csv,md,tex}`: mean ± σ of each metric over runs."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.export.aggregate import aggregate_classes
from exaid_evals.export.grouping import FOLD, SEED, TRIAL
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import Sheet, displayed, undefined_note
from exaid_evals.runs.base import Run

_NAMED_AT_MOST = 6
_OVER = {SEED: "runs", FOLD: "folds", TRIAL: "trials"}


def sheet(export: Export, signature: str) -> Sheet:
    """Return the table: a row a metric, and of each group of runs where they are of several kinds."""
    over = _OVER.get(export.by, "runs")
    several = len(export.groups) > 1
    groups = [(group.name, group.aggregated) for group in export.groups] if several else [("", export.aggregated)]
    rows = tuple(
        (
            f"{name}: {metric}" if several else metric,
            (one, one.min, one.max, one.ci95_t_low, one.ci95_t_high, one.n, one.n_missing),
        )
        for name, aggregated in groups
        for metric, one in aggregated.items()
        if not several or one.n
    )
    shown = displayed(export.runs)
    labels = {
        f"{name}: {metric}" if several else metric: f"{name}: {shown(metric)}" if several else shown(metric)
        for name, aggregated in groups
        for metric in aggregated
    }
    together = (
        f"Mean ± σ over n = {len(export.runs)} {over}; σ is the population form (ddof 0). "
        if not several
        else f"Mean ± σ over the {over} of each of {len(groups)} groups, which differ in more than seed or fold "
        f"({', '.join(name for name, _ in groups[:_NAMED_AT_MOST])}{' …' if len(groups) > _NAMED_AT_MOST else ''}); "
        "σ is the population form (ddof 0). "
    )
    notes = (
        together + "The 95 % interval is mean ± t · s/√n with s of the sample (ddof 1) and Student's t; the CSV and "
        "JSON have that with 1.96 in place of t beside it.",
        *(() if several else undefined_note(export.aggregated, over, shown)),
    )
    columns = ("mean ± σ", "Min", "Max", "CI low", "CI high", "n", "Missing")
    return Sheet(
        "aggregated_metrics",
        f"Metrics over {over}",
        "Metric",
        columns,
        rows,
        notes,
        signature,
        stub=export.stub,
        best=export.primary_metric or "",
        warnings=export.warnings,
        labels=labels,
    )


def class_sheet(export: Export, signature: str) -> Sheet | None:
    """Return the table; None where no run has metrics per class."""
    if not export.per_class:
        return None
    several = len(export.groups) > 1
    metrics = tuple(next(iter(export.per_class.values())))
    rows = [
        (f"{name}: {of}" if several else of, (*(one.get(metric) for metric in metrics), _items(runs, of)))
        for name, runs, classes in (
            [(group.name, group.runs, aggregate_classes(group.runs)) for group in export.groups]
            if several
            else [("", export.runs, export.per_class)]
        )
        for of, one in classes.items()
    ]
    n = sum(bool(run.per_class) for run in export.runs)
    of_each = f", those of each of {len(export.groups)} groups together" if several else ""
    notes = (f"Mean ± σ over {n} runs{of_each}; σ is the population form (ddof 0). Items are those of all its runs.",)
    return Sheet(
        "per_class_summary",
        "Metrics per class over runs",
        "Class",
        (*metrics, "items"),
        tuple(rows),
        notes,
        signature,
        stub=export.stub,
    )


def _items(runs: Sequence[Run], of: str) -> int | None:
    """Return how many items are of a class, over the runs of which it is known which are.

    Of a run whose report names other classes than its predictions nothing says that.
    """
    counted = [
        run.predictions.support
        for run in runs
        if run.predictions and run.per_class.keys() <= run.predictions.support.keys()
    ]
    return sum(one.get(of, 0) for one in counted) or None

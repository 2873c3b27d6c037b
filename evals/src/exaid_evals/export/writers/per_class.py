"""`per_class_summary.{csv,md,tex}`: mean ± σ over runs of each class's metrics."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.export.aggregate import aggregate_classes
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import Sheet
from exaid_evals.runs.base import Run


def sheet(export: Export, signature: str) -> Sheet | None:
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

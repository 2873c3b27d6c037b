"""`per_class_summary.{csv,md,tex}`: mean ± σ over runs of each class's metrics."""

from __future__ import annotations

from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import Sheet


def sheet(export: Export, signature: str) -> Sheet | None:
    """Return the table; None where no run has metrics per class."""
    if not export.per_class:
        return None
    metrics = tuple(next(iter(export.per_class.values())))
    # Of a run whose report names other classes than its predictions nothing says which items are of which.
    counted = [
        run.predictions.support
        for run in export.runs
        if run.predictions and run.per_class.keys() <= run.predictions.support.keys()
    ]
    support = {of: sum(one.get(of, 0) for one in counted) for of in export.per_class}
    rows = tuple((of, (*(one[name] for name in metrics), support[of] or None)) for of, one in export.per_class.items())
    n = sum(bool(run.per_class) for run in export.runs)
    notes = (f"Mean ± σ over {n} runs; σ is the population form (ddof 0). Items are those of all runs together.",)
    return Sheet(
        "per_class_summary",
        "Metrics per class over runs",
        "Class",
        (*metrics, "items"),
        rows,
        notes,
        signature,
        stub=export.stub,
    )

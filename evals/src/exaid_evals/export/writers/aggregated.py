"""`aggregated_metrics.{csv,md,tex}`: mean ± σ of each metric over runs."""

from __future__ import annotations

from exaid_evals.export.grouping import FOLD, SEED, TRIAL
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import Sheet, undefined_note

_OVER = {SEED: "runs", FOLD: "folds", TRIAL: "trials"}


def sheet(export: Export, signature: str) -> Sheet:
    """Return the table."""
    over = _OVER.get(export.by, "runs")
    rows = tuple(
        (name, (one, one.min, one.max, one.ci95_low, one.ci95_high, one.n, one.n_missing))
        for name, one in export.aggregated.items()
    )
    notes = (
        f"Mean ± σ over n = {len(export.runs)} {over}; σ is the population form (ddof 0). "
        "The interval is mean ± 1.96 · s/√n with s of the sample (ddof 1), and too narrow for few runs.",
        *undefined_note(export.aggregated, over),
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
    )

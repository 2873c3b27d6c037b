"""`cv_summary.{json,csv,md,tex}`: cross-validations, each over its folds."""

from __future__ import annotations

from typing import Any

from exaid_evals.artifacts.schemas import header
from exaid_evals.export.aggregate import Aggregate
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import Sheet, displayed, records_of

NAME = "cv_summary"


def to_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the record: of each cross-validation its folds, and mean, σ, range and n of each metric."""
    return {
        **header("exaid.export"),
        "record_type": "cv_summary",
        "groups": {
            group.name: {
                "folds": [{"run": run.name, "fold": run.fold} for run in group.runs],
                "n_expected": group.n_expected,
                "failed": [{"run": one.run, "fold": int(one.number), "problem": one.problem} for one in group.failed],
                "metrics": {
                    name: {**record, "range": _range(group.aggregated[name])}
                    for name, record in records_of(group.aggregated).items()
                },
            }
            for group in export.folds
        },
        "signature": signature,
        "stub": export.stub,
    }


def sheet(export: Export, signature: str) -> Sheet:
    """Return the table: a row per cross-validation and metric."""
    several = len(export.folds) > 1
    rows = tuple(
        (
            f"{group.name}: {name}" if several else name,
            (one, one.min, one.max, _range(one), len(group.runs), one.n, one.n_missing),
        )
        for group in export.folds
        for name, one in group.aggregated.items()
    )
    folds = sum(len(group.runs) for group in export.folds)
    notes = (
        f"Mean ± σ over folds ({folds} in all); σ is the population form (ddof 0).",
        *(
            f"{len(group.failed)} of {group.n_expected} folds{f' of {group.name}' if several else ''} cannot be read "
            f"and {'is' if len(group.failed) == 1 else 'are'} left out: {', '.join(one.run for one in group.failed)}."
            for group in export.folds
            if group.failed
        ),
    )
    columns = ("mean ± σ", "Min", "Max", "Range", "Folds", "n", "Missing")
    title = "Cross-validation" if several else f"Cross-validation of {export.folds[0].name}"
    shown = displayed(export.runs)
    labels = {
        f"{group.name}: {name}" if several else name: f"{group.name}: {shown(name)}" if several else shown(name)
        for group in export.folds
        for name in group.aggregated
    }
    return Sheet(NAME, title, "Metric", columns, rows, notes, signature, stub=export.stub, labels=labels)


def _range(one: Aggregate) -> float | None:
    return None if one.max is None or one.min is None else one.max - one.min

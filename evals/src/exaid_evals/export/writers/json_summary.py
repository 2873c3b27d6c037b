"""`exported_summary.json`: runs, aggregates, best and worst run, warnings (`exaid.export`)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.artifacts.hashing import sha256_text, short
from exaid_evals.artifacts.schemas import header
from exaid_evals.export.base import ExportedRun
from exaid_evals.export.stage import Export
from exaid_evals.export.writers.sheet import records_of

NAME = "exported_summary.json"
SCHEMA = "exaid.export"

_ALWAYS = ("format", "metrics", "attributes", "signature", "stub")
_WHERE_THERE = ("per_class", "config", "seed", "fold", "trial", "group", "git_hash", "git_dirty")


def run_record(run: ExportedRun) -> dict[str, Any]:
    """Return a run as the summary has it; what a format does not have is left out."""
    record: dict[str, Any] = {"run": run.name, **{name: getattr(run, name) for name in _ALWAYS}}
    record |= {name: value for name in _WHERE_THERE if (value := getattr(run, name)) not in (None, {})}
    for name in ("predictions", "history"):
        part = getattr(run, name)
        if part is not None:  # `asdict` copies deeply, which shows in thousands of runs
            record[name] = {one: getattr(part, one) for one in part.__slots__}
    return record


def signature_of(export: Export, runs_csv: str) -> str:
    """Return how the export was made: of which runs, and what ranks them.

    Args:
        export: of which.
        runs_csv: its table of runs, which has every setting and metric of each, rounded.
    """
    stub = "yes" if export.stub else "no"
    primary = export.primary_metric or "none"
    return f"exaid-evals/{__version__}|runs:{short(sha256_text(runs_csv))}|by:{export.by}|primary:{primary}|stub:{stub}"


def to_record(export: Export, signature: str) -> dict[str, Any]:
    """Return the export's one record."""
    return {
        **header(SCHEMA),
        "record_type": "export_summary",
        "runs": [run_record(run) for run in export.runs],
        "failed_runs": [{"run": one.run, "problem": one.problem} for one in export.failures],
        "aggregated": records_of(export.aggregated),
        "per_class": {of: records_of(metrics) for of, metrics in export.per_class.items()},
        "best_run": asdict(export.best) if export.best else None,
        "worst_run": asdict(export.worst) if export.worst else None,
        "primary_metric": export.primary_metric,
        "primary_direction": None if export.lower is None else ("lower" if export.lower else "higher"),
        "group_by": export.by,
        "warnings": list(export.warnings),
        "signature": signature,
        "signatures": list(export.signatures),
        "stub": export.stub,
    }

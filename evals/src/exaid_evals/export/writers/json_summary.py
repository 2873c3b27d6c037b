"""`exported_summary.json`: runs, aggregates, best and worst run, warnings (`exaid.export`)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.schemas import header
from exaid_evals.export.stage import Export

NAME = "exported_summary.json"
SCHEMA = "exaid.export"


def to_record(export: Export) -> dict[str, Any]:
    """Return the export's one record."""
    return {
        **header(SCHEMA),
        "runs": [
            {
                "run": run.name,
                "format": run.format,
                "metrics": dict(run.metrics),
                "attributes": dict(run.attributes),
                "signature": run.signature,
                "stub": run.stub,
            }
            for run in export.runs
        ],
        "aggregated": {name: asdict(aggregate) for name, aggregate in export.aggregated.items()},
        "best_run": asdict(export.best) if export.best else None,
        "worst_run": asdict(export.worst) if export.worst else None,
        "primary_metric": export.primary_metric,
        "warnings": list(export.warnings),
        "signatures": list(export.signatures),
        "stub": export.stub,
    }


def render(export: Export) -> str:
    """Return the record as canonical JSON."""
    return canonical_json(to_record(export)) + "\n"

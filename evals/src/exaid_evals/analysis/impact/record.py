"""An impact analysis as data (`exaid.impact`)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.compare.digits import rounded_in
from exaid_evals.analysis.impact.sections import findings
from exaid_evals.analysis.impact.stage import Impact
from exaid_evals.analysis.report.record import numbers_in
from exaid_evals.artifacts.schemas import header, require_valid

SCHEMA = "exaid.impact"


def signature(impact: Impact) -> str:
    """Return the line that says how the numbers were made."""
    sources = "+".join(sorted({run.history.source for run in impact.runs}))
    pooled = "|code-versions:pooled" if impact.pooled else ""
    return f"exaid-evals/{__version__}|impact|source:{sources}|metric:{impact.metric}|n:{len(impact.runs)}{pooled}"


def impact_record(impact: Impact) -> dict[str, Any]:
    """Return the record; it is valid under its schema.

    Raises:
        DataError: it is not, which is a mistake of ours and not of the user's.
    """
    record = {
        **header(SCHEMA),
        "record_type": "impact",
        "signature": signature(impact),
        "metric": impact.metric,
        "direction": impact.direction,
        "code_versions_pooled": impact.pooled,
        "runs": [
            {"run": run.name, "level": level, "drop": drop, "anomalous": bad, "configuration": number + 1}
            for run, level, drop, bad, number in zip(
                impact.runs, impact.final_means, impact.drops, impact.anomalous, impact.configurations, strict=True
            )
        ],
        "parameters": [
            {"parameter": one.name, "numeric": one.numeric, "n_missing": one.n_missing}
            for one in impact.parameters.varying
        ],
        "constant": list(impact.parameters.constant),
        "unique": list(impact.parameters.unique),
        "correlations": [asdict(one) for one in impact.correlations],
        "rates": [asdict(one) for one in impact.rates],
        "importance": asdict(impact.importance),
        "findings": findings(impact),
        "notes": list(impact.notes),
    }
    found: dict[str, Any] = numbers_in(rounded_in(record))
    require_valid(found, "impact.json")
    return found

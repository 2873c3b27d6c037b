"""`impact.json`, and the other files of an impact analysis."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from exaid_evals import __version__
from exaid_evals.analysis.compare.record import csv_number, csv_text, rounded_in
from exaid_evals.analysis.impact.sections import findings, sections
from exaid_evals.analysis.impact.stage import Impact
from exaid_evals.analysis.report.record import numbers_in
from exaid_evals.analysis.report.write import write_files
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.report.document import Document
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.report.render import to_html, to_markdown

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


PAGE, REPORT, RECORD, TABLE = "impact.html", "impact.md", "impact.json", "impact.csv"


def write_impact(impact: Impact, out: Path) -> Path:
    """Write the record, the table of runs and the reports; return the page's path.

    Args:
        impact: of runs.
        out: folder, made where it is missing.
    """
    record = canonical_bytes(impact_record(impact)) + b"\n"
    report = Document(f"What goes with {impact.metric}", sections(impact), signature(impact), lead=True)
    files: dict[str, str | bytes] = {
        REPORT: to_markdown(report),
        TABLE: _csv(impact),
        RECORD: record,
        PAGE: to_html(report),
    }
    write_files(out, files)
    return out / PAGE


def _csv(impact: Impact) -> str:
    """Return a row a run: its outcomes and the parameters that vary."""
    parameters = impact.parameters.varying
    header = ["run", "level", "drop", "anomalous", *(csv_text(one.name) for one in parameters), "signature"]
    lines: list[list[object]] = []
    for at, run in enumerate(impact.runs):
        values = [one.values[at] for one in parameters]
        shown = [csv_text(value) if isinstance(value, str) else value for value in values]
        outcomes = [csv_number(impact.final_means[at]), csv_number(impact.drops[at]), impact.anomalous[at]]
        lines.append([csv_text(run.name), *outcomes, *shown, signature(impact)])
    return write_csv(header, lines)

"""The files of an impact analysis."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.analysis.compare.digits import csv_number
from exaid_evals.analysis.compare.write import csv_text
from exaid_evals.analysis.impact.record import impact_record, signature
from exaid_evals.analysis.impact.sections import sections
from exaid_evals.analysis.impact.stage import Impact
from exaid_evals.analysis.report.files import write_files
from exaid_evals.analysis.report.html_page import report_page
from exaid_evals.analysis.report.markdown import document
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.report.formats.csv_table import write_csv

PAGE, REPORT, RECORD, TABLE = "impact.html", "impact.md", "impact.json", "impact.csv"


def write_impact(impact: Impact, out: Path) -> Path:
    """Write the record, the table of runs and the reports; return the page's path.

    Args:
        impact: of runs.
        out: folder, made where it is missing.
    """
    record = canonical_bytes(impact_record(impact)) + b"\n"
    title = f"What goes with {impact.metric}"
    files: dict[str, str | bytes] = {
        REPORT: document(title, sections(impact), {}, signature(impact)),
        TABLE: _csv(impact),
        RECORD: record,
        PAGE: report_page(title, sections(impact), {}, signature(impact)),
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

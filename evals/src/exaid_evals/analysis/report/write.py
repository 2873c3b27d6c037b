"""All files of an analysis, in a folder of the run's name."""

from __future__ import annotations

import re
from pathlib import Path

from exaid_evals.analysis.report import html_page, markdown, request
from exaid_evals.analysis.report.files import plot_paths, write_files
from exaid_evals.analysis.report.plots import chosen_metrics, draw
from exaid_evals.analysis.report.record import summary_record
from exaid_evals.analysis.stage import Analysis
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure

REPORT_MD, REPORT_HTML, SUMMARY, REQUEST = "report.md", "report.html", "summary.json", "analysis_request.md"


def folder_name(run_name: str) -> str:
    """Return a run's name as a folder: what a path would obey is replaced, and then the name stays unique by its hash.

    >>> folder_name("resnet-50_a"), folder_name("../x")
    ('resnet-50_a', '_x-db8f7bad')
    """
    safe = re.sub(r"[^A-Za-z0-9._=-]+", "_", run_name).lstrip(".")[:80]
    if safe == run_name and safe:
        return safe
    return f"{safe or 'run'}-{sha256_structure(run_name).removeprefix('sha256:')[:8]}"


def write_report(analysis: Analysis, out: Path) -> Path:
    """Write the report and return its folder.

    Args:
        analysis: of a run.
        out: folder of reports; the run's own folder is made in it.
    """
    folder = out / folder_name(analysis.history.run_name)
    record = canonical_bytes(summary_record(analysis)) + b"\n"
    plots = {metric: draw(analysis, metric) for metric in chosen_metrics(analysis)}
    files: dict[str, str | bytes] = {
        REPORT_MD: markdown.render(analysis, plot_paths(plots)),
        REPORT_HTML: html_page.render(analysis, plots),
        REQUEST: request.render(analysis),
        SUMMARY: record,
    }
    write_files(folder, files, plots)
    return folder

"""Files of the format model_reports: `aggregate_reports/<input folder>/…`, tables and figures with their data."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.export import model_report_accuracy, model_report_latency, model_report_matrices
from exaid_evals.export.model_report_rows import by_folder, row_of, signature_of
from exaid_evals.export.model_report_table import NAME, render_csv, table
from exaid_evals.export.writers.sheet import forms
from exaid_evals.report.figures.canvas import style, to_pdf, to_png
from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.model_names import load_patterns

FOLDER = "aggregate_reports"
_FIGURES = (model_report_accuracy, model_report_latency, model_report_matrices)


def outputs(runs: Sequence[Run], settings: Settings) -> dict[str, bytes]:
    """Return path below the output folder → content, for every folder of models."""
    patterns = load_patterns(settings.patterns)
    files: dict[str, bytes] = {}
    for folder, group in by_folder(runs).items():
        signature = signature_of(group, patterns)
        place = f"{FOLDER}/{folder}"
        made = forms(table(group, folder, signature)) | {"csv": render_csv(group, signature)}
        files |= {f"{place}/{NAME}.{suffix}": text.encode() for suffix, text in made.items()}
        files |= _figures(group, f"{place}/figures", signature)
    return files


def _figures(runs: Sequence[Run], place: str, signature: str) -> dict[str, bytes]:
    """Return each figure as PDF and PNG, a file a page where there are more models than fit, and its data as CSV."""
    rows = [row_of(run) for run in runs]
    files: dict[str, bytes] = {}
    for module in _FIGURES:
        with style():
            pages = module.draw(rows, signature)
            for number, figure in enumerate(pages, start=1):
                name = module.NAME if len(pages) == 1 else f"{module.NAME}_{number}"
                files[f"{place}/{name}.pdf"] = to_pdf(figure, title=module.TITLE, signature=signature)
                files[f"{place}/{name}.png"] = to_png(figure, title=module.TITLE, signature=signature)
        if pages:
            files[f"{place}/{module.NAME}.csv"] = module.data(rows, signature).encode()
    return files

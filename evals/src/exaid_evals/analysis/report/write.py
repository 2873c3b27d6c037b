"""The files of an analysis: report, request, summary, plots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from exaid_evals.analysis.report.plots import chosen_metrics, draw
from exaid_evals.analysis.report.record import summary_record
from exaid_evals.analysis.report.sections import PLOTS, document, plot_paths
from exaid_evals.analysis.report.sentences import key_finding, number, questions, sentence
from exaid_evals.analysis.stage import Analysis, key_metric
from exaid_evals.artifacts.atomic import write_bytes, write_text
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.report.document import Block, Document, Items, Section
from exaid_evals.report.render import to_html, to_markdown

_OURS = re.compile(r"\d\d+\.png")


def write_files(folder: Path, files: Mapping[str, str | bytes], plots: Mapping[str, bytes] | None = None) -> None:
    """Write a report's files, each whole.

    Args:
        folder: made where it is missing.
        files: name → content, in order.
        plots: name of what is drawn → PNG; numbered pictures of an earlier report that are none of them are removed.
            None where the report has no plots at all.
    """
    if plots is not None:
        paths = plot_paths(plots)
        for name, data in plots.items():
            write_bytes(folder / paths[name], data)
        for path in sorted((folder / PLOTS).glob("*.png")):
            if _OURS.fullmatch(path.name) and f"{PLOTS}/{path.name}" not in paths.values():
                path.unlink()
    for name, content in files.items():
        if isinstance(content, str):
            write_text(folder / name, content)
        else:
            write_bytes(folder / name, content)


_MOST = 8


def render_request(analysis: Analysis) -> str:
    """Return the request in Markdown: context, technical details, questions by priority."""
    history = analysis.history
    steps = max((len(one.points) for one in history.series.values()), default=0)
    metric = key_metric(analysis)
    one = next((found for found in analysis.performance if found.metric == metric), None)
    context = [
        f"Run {history.run_name}, read from {history.source}: {len(history.series)} metrics over {steps} steps, "
        f"{len(history.batches)} batches.",
        f"What was seen: {key_finding(analysis)}",
    ]
    if one is not None and one.best is not None:
        at = "" if one.best_step is None else f" at step {one.best_step:g}"
        context.append(f"{one.metric}: best {number(one.best)}{at}, final {number(one.final)}.")
    details = [
        f"{sentence(incident)} ({incident.severity}, {len(incident.anomalies)} anomalies)"
        for incident in analysis.incidents[:_MOST]
    ]
    for hypothesis in analysis.diagnosis.hypotheses[:2] if analysis.diagnosis else ():
        details += [f"{hypothesis.family}: {part.text} ({part.weight:+.1f})" for part in hypothesis.evidence[:4]]
    settings = [f"{name}: {str(value)[:120]}" for name, value in list(history.config.items())[:30]]
    technical: list[Block] = [
        Items(details) if details else "No incident was found.",
        Section("Configuration", [Items(settings) if settings else "The source holds none."]),
    ]
    asked = Items([f"({priority}) {text}" for priority, text in questions(analysis)], numbered=True)
    parts = [
        Section("Context", context),
        Section("Technical details", technical),
        Section("Questions, the most pressing first", [asked]),
    ]
    return to_markdown(Document(f"Request for an analysis: {history.run_name}", parts))


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
    report = document(analysis, plots)
    files: dict[str, str | bytes] = {
        REPORT_MD: to_markdown(report),
        REPORT_HTML: to_html(report),
        REQUEST: render_request(analysis),
        SUMMARY: record,
    }
    write_files(folder, files, plots)
    return folder

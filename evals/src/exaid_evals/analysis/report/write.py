"""The files of an analysis, and its report in Markdown, also from plain data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exaid_evals.analysis.report.plots import chosen_metrics, draw
from exaid_evals.analysis.report.record import published_performance, summary_record
from exaid_evals.analysis.report.sections import PLOTS, document, plot_paths
from exaid_evals.analysis.report.sentences import counted, key_finding, number, questions, sentence
from exaid_evals.analysis.stage import Analysis, key_metric
from exaid_evals.artifacts.atomic import write_bytes, write_text
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.report.document import Block, Document, Grid, Items, Section
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
    metric = key_metric(analysis)
    one = next((found for found in analysis.performance if found.metric == metric), None)
    context = [
        f"Run {history.run_name}, read from {history.source}: {counted(len(history.series), 'metric')} over "
        f"{counted(history.n_steps, 'step')}, "
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
    """Write the report and return its folder."""
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


_UNKNOWN = "not given"


def generate_comprehensive_report(data: Mapping[str, Any]) -> str:
    """Return a report of one run in Markdown.

    Args:
        data: what summary.json holds; or `run_name`, `key_finding`, `recommendation`, `root_cause`, `evidence`, and for
            each metric `best_<name>`, `final_<name>`, `<name>_drop`. What is missing is said to be not given.
    """
    flat = _flat(data)
    parts = [
        Section("Executive Summary", [Items([
            f"Key Finding: {flat.get('key_finding', _UNKNOWN)}",
            f"Recommendation: {flat.get('recommendation', _UNKNOWN)}",
        ])]),
        Section("Performance Analysis", [_performance(flat)]),
        Section("Root Cause Analysis", [Items([
            f"Primary Cause: {flat.get('root_cause', _UNKNOWN)}", f"Evidence: {flat.get('evidence', _UNKNOWN)}",
        ])]),
    ]  # fmt: skip
    return to_markdown(Document(f"Experiment Analysis: {flat.get('run_name', _UNKNOWN)}", parts))


def _performance(flat: Mapping[str, Any]) -> Block:
    named = dict.fromkeys(
        match[1] or match[2]
        for key in flat
        if (match := re.fullmatch(r"(?:best|final)_(.+)|(.+)_drop", key)) and match[2] != "performance"
    )
    rows = [
        [name, *(_cell(flat.get(key)) for key in (f"best_{name}", f"final_{name}", f"{name}_drop"))] for name in named
    ]
    return Grid([["Metric", "Best", "Final", "Drop"], *rows]) if rows else "No metric is given."


def _cell(value: Any) -> str:
    if value is None:
        return number(None)
    return number(float(value)) if isinstance(value, int | float) else str(value)


def _flat(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a summary by their published names; data that has these already as it is."""
    flat = {str(key): value for key, value in data.items()}
    metrics = flat.pop("performance_metrics", None)
    if isinstance(metrics, Mapping):
        full = {name: one for name, one in metrics.items() if isinstance(one, Mapping)}
        flat |= published_performance(full) | {name: one for name, one in metrics.items() if name not in full}
    cause = flat.get("root_cause")
    if isinstance(cause, Mapping):
        best = cause["hypotheses"][0]
        known = cause["named"] != "unknown"
        flat["root_cause"] = best["claim"] if known else "not determined"
        texts = [part["text"] for part in best["evidence"] if part["weight"] > 0]
        flat["evidence"] = "; ".join(texts) if known and texts else "none of what was logged speaks for a known cause"
    elif cause is None and "root_cause" in flat:
        flat["root_cause"], flat["evidence"] = "no drop that needs one", "none"
    return flat

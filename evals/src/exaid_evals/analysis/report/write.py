"""The files of an analysis: report, request, summary, plots."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from exaid_evals.analysis.report import html_page, markdown
from exaid_evals.analysis.report.plots import chosen_metrics, draw
from exaid_evals.analysis.report.record import summary_record
from exaid_evals.analysis.report.sentences import key_finding, number, questions, sentence
from exaid_evals.analysis.stage import Analysis, key_metric
from exaid_evals.artifacts.atomic import write_bytes, write_text
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.formats.markdown import escape

PLOTS = "plots"
_OURS = re.compile(r"\d\d+\.png")


def plot_paths(names: Mapping[str, bytes]) -> dict[str, str]:
    """Return where each plot lies, relative to the report: numbered, since metrics' names are not files names.

    >>> plot_paths({"val/loss": b"", "acc": b""})
    {'val/loss': 'plots/01.png', 'acc': 'plots/02.png'}
    """
    return {name: f"{PLOTS}/{number:02d}.png" for number, name in enumerate(names, start=1)}


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
        f"Run {_text(history.run_name)}, read from {history.source}: {len(history.series)} metrics over {steps} steps, "
        f"{len(history.batches)} batches.",
        f"What was seen: {_text(key_finding(analysis))}",
    ]
    if one is not None and one.best is not None:
        at = "" if one.best_step is None else f" at step {one.best_step:g}"
        context.append(f"{_text(one.metric)}: best {number(one.best)}{at}, final {number(one.final)}.")
    details = [
        f"- {_text(sentence(one))} ({one.severity}, {len(one.anomalies)} anomalies)"
        for one in analysis.incidents[:_MOST]
    ]
    for hypothesis in analysis.diagnosis.hypotheses[:2] if analysis.diagnosis else ():
        details += [
            f"- {hypothesis.family}: {_text(part.text)} ({part.weight:+.1f})" for part in hypothesis.evidence[:4]
        ]
    settings = [f"- {_text(str(name))}: {_text(str(value)[:120])}" for name, value in list(history.config.items())[:30]]
    asked = [
        f"{number_}. ({priority}) {_text(text)}"
        for number_, (priority, text) in enumerate(questions(analysis), start=1)
    ]
    return (
        f"# Request for an analysis: {_text(history.run_name)}\n\n## Context\n\n"
        + "\n\n".join(context)
        + "\n\n## Technical details\n\n"
        + ("\n".join(details) or "No incident was found.")
        + "\n\n### Configuration\n\n"
        + ("\n".join(settings) or "The source holds none.")
        + "\n\n## Questions, the most pressing first\n\n"
        + "\n".join(asked)
        + "\n"
    )


def _text(text: str) -> str:
    return escape(printable(text)).replace("![", "!\\[")


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
        REQUEST: render_request(analysis),
        SUMMARY: record,
    }
    write_files(folder, files, plots)
    return folder

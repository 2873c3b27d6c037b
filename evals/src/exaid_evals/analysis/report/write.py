"""The report of an analysis: its sections, its files, and a report from plain data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from exaid_evals.analysis.images.audit import Audit
from exaid_evals.analysis.report.plots import chosen_metrics, draw
from exaid_evals.analysis.report.record import published_performance, signature, summary_record
from exaid_evals.analysis.report.sentences import (
    believed,
    counted,
    key_finding,
    number,
    percent,
    questions,
    recommendation,
    sentence,
)
from exaid_evals.analysis.stage import Analysis, BatchFindings, key_metric
from exaid_evals.anomalies.base import evidence_of
from exaid_evals.artifacts.atomic import write_bytes, write_text
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.report.document import Block, Document, Grid, Items, Picture, Pictures, Section, to_html, to_markdown

PLOTS = "plots"
_MOST_SETTINGS = 200
_MOST_ITEMS = 15
_MOST_INCIDENTS = 6


def document(analysis: Analysis, plots: Mapping[str, bytes]) -> Document:
    """Return the report of an analysis.

    Args:
        analysis: of a run.
        plots: metric → picture as PNG.
    """
    parts = sections(analysis)
    parts[2:2] = pictures(plots)
    return Document(f"Analysis of {analysis.history.run_name}", parts, signature(analysis), lead=True)


def pictures(plots: Mapping[str, bytes]) -> list[Section]:
    """Return the section of plots; nothing where there are none."""
    paths = plot_paths(plots)
    shown = [Picture(name, paths[name], data, f"{name} over the run") for name, data in plots.items()]
    return [Section("Plots", [Pictures(shown)])] if shown else []


def plot_paths(names: Iterable[str]) -> dict[str, str]:
    """Return where each plot lies, relative to the report: numbered, since metrics' names are not files names.

    >>> plot_paths(["val/loss", "acc"])
    {'val/loss': 'plots/01.png', 'acc': 'plots/02.png'}
    """
    return {name: f"{PLOTS}/{number:02d}.png" for number, name in enumerate(names, start=1)}


def sections(analysis: Analysis) -> list[Section]:
    """Return the report, in order."""
    found = [_summary(analysis), _performance(analysis), _incidents(analysis), _causes(analysis)]
    if analysis.batches is not None:
        found.append(_batches(analysis.batches))
    return [*found, _quality(analysis), _configuration(analysis)]


def _summary(analysis: Analysis) -> Section:
    return Section(
        "Executive summary",
        [f"Key finding: {key_finding(analysis)}", f"Recommendation: {recommendation(analysis)}"],
    )


def _performance(analysis: Analysis) -> Section:
    rows = [["metric", "better", "best", "at step", "final", "drop", "drop %", "points"]]
    for one in analysis.performance:
        share = percent(one.drop_relative)
        rows.append(
            [
                one.metric,
                one.direction or "not known",
                number(one.best),
                "–" if one.best_step is None else f"{one.best_step:g}",
                number(one.final),
                number(one.drop),
                share,
                str(one.n),
            ]
        )
    return Section("Metrics", [Grid(rows)])


def _incidents(analysis: Analysis) -> Section:
    """Return a handful of incidents; their anomalies one by one are in summary.json."""
    if not analysis.incidents:
        n = len(analysis.anomalies)
        none = f"None; summary.json has {n} slight anomalies." if n else "None."
        return Section("Incidents", [none])
    shown = analysis.incidents[:_MOST_INCIDENTS]
    rows = [["severity", "what", "began", "course", "anomalies", "evidence of the worst"]]
    for one in shown:
        low, high = one.onset
        began = f"{high:g}" if low == high else f"{low:g} – {high:g}"
        course = {"lasting": "lasts", "recovered": "came back", "repeated": f"{one.times} times"}[one.course]
        if one.course == "recovered" and one.recovered_at is not None:
            course += f" by {one.recovered_at:g}"
        rows.append([one.severity, f"{sentence(one)}.", began, course, str(len(one.anomalies)), evidence_of(one.lead)])
    more = len(analysis.incidents) - len(shown)
    lines = [
        f"Anomalies that belong together in time are one incident; summary.json has all {len(analysis.anomalies)}."
    ]
    lines += [f"{more} lesser incidents are not shown."] if more else []
    return Section("Incidents", [*lines, Grid(rows)])


def _causes(analysis: Analysis) -> Section:
    diagnosis = analysis.diagnosis
    if diagnosis is None:
        why = (
            "The steps of a campaign are cases, whose order means nothing: there is no before and after."
            if analysis.history.steps_are == "case"
            else "No incident for which a cause is looked for."
        )
        return Section("Root cause", [why])
    low, high = diagnosis.onset.interval
    blocks: list[Block] = [
        f"What is to be explained: {diagnosis.onset.anomaly.metric}, between steps {low:g} and {high:g}. "
        "Weights are added up per hypothesis; exp(score) over their sum is its share of the belief."
    ]
    for one, share in zip(diagnosis.hypotheses, diagnosis.shares, strict=True):
        lines = [
            f"{'for' if part.weight > 0 else 'against'} ({part.weight:+.1f}): {part.text}" for part in one.evidence
        ]
        lines += [f"not seen: {what}" for what in one.unseen]
        blocks.append(Section(f"{one.family}: {believed(share)}", [one.claim, f"If so: {one.remedy}", Items(lines)]))
    return Section("Root cause", blocks)


def _batches(found: BatchFindings) -> Section:
    blocks: list[Block] = [f"{found.n} batches were logged."]
    if found.worst:
        rows = [["step", "batch", "metrics", "items"]]
        for row in found.worst:
            metrics = ", ".join(f"{name} {number(value)}" for name, value in sorted(row.metrics.items()))
            rows.append([f"{row.step:g}", str(row.batch_idx), metrics, first_few(row.items, 4)])
        blocks.append(Section("The worst batches", [Grid(rows)]))
    held = found.concentration
    if held is not None and held.items:
        test = f"Spearman's ρ between halves of {held.n_batches} batches: p = {held.p:.2g}"
        text = f"The same items make batches bad ({test})."
        rows = [["item", "in bad batches", "in batches"]]
        rows += [[item, str(bad), str(n)] for item, bad, n in held.items[:_MOST_ITEMS]]
        blocks.append(Section("Items that stand mostly in bad batches", [text, Grid(rows)]))
    if found.correlations:
        rows = [["statistic of the batch", "Spearman's ρ with badness", "p (Holm)", "batches"]]
        for one in found.correlations:
            rows.append([one.name, number(one.rho), "–" if one.p is None else f"{one.p:.2g}", str(one.n)])
        blocks.append(Section("What goes with bad batches", [Grid(rows)]))
    if found.bad_items is not None:
        text = f"{len(found.bad_items)} of {found.n_images} images are bad."
        listed = [f"{item}: {why}" for item, why in list(found.bad_items.items())[:_MOST_ITEMS]]
        blocks.append(Section("Images", [text, Items(listed)]))
    return Section("Batches", blocks)


def _quality(analysis: Analysis) -> Section:
    odd = analysis.history.irregularities
    blocks: list[Block] = []
    if odd:
        rows = [["metric", "what", "count", "first at step"]]
        rows += [[one.metric, one.kind.replace("_", " "), str(one.count), f"{one.first_step:g}"] for one in odd]
        blocks.append(Grid(rows))
    if analysis.history.warnings:
        blocks.append(Items(analysis.history.warnings))
    if analysis.images is not None:
        blocks.append(_images(analysis.images))
    return Section("Data quality", blocks or ["Steps are complete and in order, values are finite."])


def _images(audit: Audit) -> Section:
    """State what an audit found of a folder whose images no batch names."""
    counts = Counter(one.check for found in audit.findings for one in found)
    bad = [(image.name, found) for image, found in zip(audit.images, audit.findings, strict=True) if found]
    lines = [
        f"Of {len(audit.images)} images {len(bad)} have something wrong. The run's batches name no items, so that "
        "nothing ties images to what the metrics did: log them with log_batch_metrics(…, items=[…])."
    ]
    rows = [["image", "what"], *([name, "; ".join(one.text for one in found)] for name, found in bad[:_MOST_ITEMS])]
    listed = [f"{check.replace('_', ' ')}: {count}" for check, count in counts.most_common()]
    return Section("Images", [*lines, Items(listed), Grid(rows if bad else ())])


def _configuration(analysis: Analysis) -> Section:
    config = list(analysis.history.config.items())
    if not config:
        return Section("Configuration", ["The source holds none."])
    rows = [["setting", "value"], *([name, str(value)[:200]] for name, value in config[:_MOST_SETTINGS])]
    more = len(config) - _MOST_SETTINGS
    notes = [f"{more} further settings are in summary.json."] if more > 0 else []
    return Section("Configuration", [*notes, Grid(rows)])


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
    return f"{safe or 'run'}-{short(sha256_structure(run_name))}"


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
        Section("Performance Analysis", [_table_of_metrics(flat)]),
        Section("Root Cause Analysis", [Items([
            f"Primary Cause: {flat.get('root_cause', _UNKNOWN)}", f"Evidence: {flat.get('evidence', _UNKNOWN)}",
        ])]),
    ]  # fmt: skip
    return to_markdown(Document(f"Experiment Analysis: {flat.get('run_name', _UNKNOWN)}", parts))


def _table_of_metrics(flat: Mapping[str, Any]) -> Block:
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

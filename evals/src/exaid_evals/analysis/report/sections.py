"""What a report says, apart from how it looks: sections of paragraphs, lists and tables, of plain text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from exaid_evals.analysis.images.audit import Audit
from exaid_evals.analysis.report.record import signature
from exaid_evals.analysis.report.sentences import (
    believed,
    key_finding,
    number,
    percent,
    recommendation,
    sentence,
)
from exaid_evals.analysis.stage import Analysis, BatchFindings
from exaid_evals.anomalies.base import evidence_of
from exaid_evals.report.document import Block, Document, Grid, Items, Picture, Pictures, Section

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
    told = [f"Anomalies that belong together in time are one incident; summary.json has all {len(analysis.anomalies)}."]
    told += [f"{more} lesser incidents are not shown."] if more else []
    return Section("Incidents", [*told, Grid(rows)])


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
            items = ", ".join(row.items[:4]) + (f" and {len(row.items) - 4} more" if len(row.items) > 4 else "")
            rows.append([f"{row.step:g}", str(row.batch_idx), metrics, items])
        blocks.append(Section("The worst batches", [Grid(rows)]))
    held = found.concentration
    if held is not None and held.items:
        test = f"Spearman's ρ between halves of {held.n_batches} batches: p = {held.p:.2g}"
        told = f"The same items make batches bad ({test})."
        rows = [["item", "in bad batches", "in batches"]]
        rows += [[item, str(bad), str(n)] for item, bad, n in held.items[:_MOST_ITEMS]]
        blocks.append(Section("Items that stand mostly in bad batches", [told, Grid(rows)]))
    if found.correlations:
        rows = [["statistic of the batch", "Spearman's ρ with badness", "p (Holm)", "batches"]]
        for one in found.correlations:
            rows.append([one.name, number(one.rho), "–" if one.p is None else f"{one.p:.2g}", str(one.n)])
        blocks.append(Section("What goes with bad batches", [Grid(rows)]))
    if found.bad_items is not None:
        told = f"{len(found.bad_items)} of {found.n_images} images are bad."
        listed = [f"{item}: {why}" for item, why in list(found.bad_items.items())[:_MOST_ITEMS]]
        blocks.append(Section("Images", [told, Items(listed)]))
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
    told = [
        f"Of {len(audit.images)} images {len(bad)} have something wrong. The run's batches name no items, so that "
        "nothing ties images to what the metrics did: log them with log_batch_metrics(…, items=[…])."
    ]
    rows = [["image", "what"], *([name, "; ".join(one.text for one in found)] for name, found in bad[:_MOST_ITEMS])]
    listed = [f"{check.replace('_', ' ')}: {count}" for check, count in counts.most_common()]
    return Section("Images", [*told, Items(listed), Grid(rows if bad else ())])


def _configuration(analysis: Analysis) -> Section:
    config = list(analysis.history.config.items())
    if not config:
        return Section("Configuration", ["The source holds none."])
    rows = [["setting", "value"], *([name, str(value)[:200]] for name, value in config[:_MOST_SETTINGS])]
    more = len(config) - _MOST_SETTINGS
    told = [f"{more} further settings are in summary.json."] if more > 0 else []
    return Section("Configuration", [*told, Grid(rows)])

"""The files of a comparison: its table, its plots, and the dashboard: runs to sort, filter and overlay in one page."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import setting_text
from exaid_evals.analysis.compare.divergence_point import common_grid, curves_of
from exaid_evals.analysis.compare.final_means import LEAST_POINTS, ends_diverged, run_final_mean
from exaid_evals.analysis.compare.performance import Ranking
from exaid_evals.analysis.compare.recommend import recommendations, verdict
from exaid_evals.analysis.compare.report import COUNTS_BY, comparison_record, csv_number, csv_text, sections, signature
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.plots import png_of, scale_to
from exaid_evals.analysis.report.write import pictures, write_files
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.redaction import clipped, printable
from exaid_evals.artifacts.written import note_written
from exaid_evals.report.document import Document, fill, page, to_markdown
from exaid_evals.report.figures.canvas import FAINT, LINE_STYLES
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.runs.history import CleanSeries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALL_POINTS = 400_000
"""Points of all histories together: about 6 MB of a page."""
MOST_DRAWN, LEAST_DRAWN = 400, 40
"""Of one history."""
MOST_METRICS, MOST_SETTINGS = 40, 60
_FIRST_CHOSEN = 6
_LONGEST = 300


def dashboard_data(comparison: Comparison) -> dict[str, Any]:
    """Return the data that the page's script works on, as JSON has it; text is made printable."""
    rankings = comparison.rankings[:MOST_METRICS]
    metrics = [one.metric for one in rankings]
    number = {group.name: index for index, group in enumerate(comparison.groups)}
    return {
        "metrics": [
            {"name": _text(one.metric), "direction": one.direction, "verdict": _text(verdict(one))} for one in rankings
        ],
        "settings": [_text(key) for key in comparison.grouping.differing[:MOST_SETTINGS]],
        "groups": _groups(comparison, rankings),
        "grouped": any(len(group.runs) > 1 for group in comparison.groups),
        "runs": _runs(comparison, metrics),
        "divergence_points": [
            {
                "metric": metrics.index(one.metric),
                "first": number[one.first],
                "second": number[one.second],
                "step": _rounded(one.step),
            }
            for one in comparison.divergence_points
            if one.step is not None and one.metric in metrics
        ],
        "primary": 0 if comparison.primary is not None else None,
        "chosen": _chosen(comparison),
    }


def _groups(comparison: Comparison, rankings: Sequence[Ranking]) -> list[dict[str, Any]]:
    """Return each group's name, and by the number of a metric how it does."""
    levels: dict[str, dict[int, Any]] = {group.name: {} for group in comparison.groups}
    for index, ranking in enumerate(rankings):
        for one in ranking.performances:
            bounds = {key: _rounded(getattr(one.level, key)) for key in ("value", "low", "high")}
            levels[one.group][index] = {**bounds, "basis": one.basis, "n": one.level.n}
    return [{"name": _text(name), "of": of} for name, of in levels.items()]


def _runs(comparison: Comparison, metrics: Sequence[str]) -> list[dict[str, Any]]:
    place = {run.name: at for at, group in enumerate(comparison.groups) for run in group.runs}
    steadiness = {one.run: one for one in comparison.stabilities}
    most = points_each(len(comparison.runs) * len(metrics))
    keys = comparison.grouping.differing[:MOST_SETTINGS]
    found = []
    for run in comparison.runs:
        steady, logged = steadiness[run.name], [run.history.series.get(metric) for metric in metrics]
        ways = [comparison.directions.get(metric) for metric in metrics]
        found.append(
            {
                "name": _text(run.name),
                "group": place[run.name],
                "seed": None if run.seed is None else _text(run.seed),
                "source": run.history.source,
                "values": [
                    None if one is None else _rounded(run_final_mean(one, comparison.statistic, way))
                    for one, way in zip(logged, ways, strict=True)
                ],
                "grave": steady.anomalies["high"] + steady.anomalies["critical"],
                "lost": sum(one.steps_to_recover is None for one in steady.recoveries),
                "settings": [_text(setting_text(run.settings, key)) for key in keys],
                "undefined": [at for at, one in enumerate(logged) if one is not None and ends_diverged(one)],
                "series": {
                    at: thinned(one.clean, most)
                    for at, one in enumerate(logged)
                    if one is not None and len(one.clean) and run.history.steps_are == "step"
                },
            }
        )
    return found


def points_each(n_series: int) -> int:
    """Return how many points a history may have, so that all together stay within bounds.

    >>> points_each(10), points_each(2000), points_each(100_000)
    (400, 200, 40)
    """
    return max(LEAST_DRAWN, min(MOST_DRAWN, ALL_POINTS // max(1, n_series)))


def thinned(clean: CleanSeries, most: int) -> list[list[float]]:
    """Return steps and values with at most so many points: of each stretch its least and its greatest value.

    Spikes stay, which a mean or every k-th point would lose. First and last point stay too.
    """
    steps, values = clean.steps, clean.values
    if len(values) > most:
        inner: NDArray[np.int64] = np.arange(1, len(values) - 1)
        kept = {0, len(values) - 1}
        for part in np.array_split(inner, (most - 2) // 2):
            kept |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
        at = sorted(kept)
        steps, values = steps[at], values[at]
    return [[_short(value) for value in steps.tolist()], [_short(value) for value in values.tolist()]]


def _chosen(comparison: Comparison) -> list[int]:
    """Return the runs that are drawn at first: the first of each of the best groups, or the first few runs."""
    index = {run.name: at for at, run in enumerate(comparison.runs)}
    groups = {group.name: group for group in comparison.groups}
    best = [groups[one.group].runs[0].name for one in comparison.rankings[0].performances[:_FIRST_CHOSEN]]
    return [index[name] for name in best]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.7g}")


def _short(value: float) -> float:
    """Return a number with as many digits as a line on a screen shows; a whole number without a fraction."""
    short = float(f"{value:.5g}") if abs(value) < 1e5 and value % 1 else value
    return int(short) if short == int(short) else short


def _text(value: str) -> str:
    return printable(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")


def render(comparison: Comparison) -> str:
    """Return the page."""
    groups = len(comparison.groups)
    title = f"Comparison of {len(comparison.runs)} runs"
    body = fill(
        "analysis/compare/dashboard/dashboard.html.jinja",
        title=title,
        made_of=f"{groups} configurations" if groups < len(comparison.runs) else "each of its own configuration",
        sources=", ".join(sorted({run.history.source for run in comparison.runs})),
        basis=f"a run counts by {COUNTS_BY[comparison.statistic]}",
        lead=verdict(comparison.rankings[0]),
        advice=recommendations(comparison),
        notes=comparison.notes,
    )
    data = json.dumps(dashboard_data(comparison), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    script = "(() => {\n'use strict';\n" + _file("chart.js") + _file("dashboard.js") + "})();\n"
    return page(title, body, signature(comparison), style=_file("dashboard.css"), script=script, data=data)


@cache
def _file(name: str) -> str:
    return (Path(__file__).with_name("dashboard") / name).read_text(encoding="utf-8")


_DPI = 120
_MOST_GROUPS = 7
_MOST_PLOTS = 6
_LONG = 34


def chosen_rankings(comparison: Comparison) -> list[Ranking]:
    """Return the metrics that are drawn: those that several groups have, those with a direction first."""
    shared = [one for one in comparison.rankings if len(one.performances) > 1]
    ordered = sorted(shared, key=lambda one: (one.metric != comparison.primary, one.direction is None))
    return ordered[:_MOST_PLOTS]


def draw(comparison: Comparison, ranking: Ranking) -> bytes:
    """Return the plot of a metric: histories at the left, levels with their intervals at the right."""
    n = min(_MOST_GROUPS, len(ranking.performances))
    return png_of(partial(_plot, comparison, ranking, n), max(2.6, 1.2 + 0.3 * n), _DPI, "constrained")


def _plot(comparison: Comparison, ranking: Ranking, n_shown: int, figure: Figure) -> None:
    grid = figure.add_gridspec(1, 2, width_ratios=[1.5, 1])
    left, right = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    _histories(left, comparison, ranking)
    _levels(right, ranking)
    n = len(ranking.performances)
    title = printable(ranking.metric)[:60] + (f" (the first {n_shown} of {n})" if n > n_shown else "")
    left.set_title(title, loc="left", fontsize=8.5)


def _histories(axes: Axes, comparison: Comparison, ranking: Ranking) -> None:
    groups = {group.name: group for group in comparison.groups}
    every: list[NDArray[np.float64]] = []
    for number, one in enumerate(ranking.performances[:_MOST_GROUPS]):
        look = LINE_STYLES[number]
        curves = curves_of(groups[one.group], ranking.metric)
        if groups[one.group].runs[0].history.steps_are == "case":
            continue
        why, steps = common_grid(curves)
        every += [clean.values for clean in curves]
        if len(curves) == 1 or why is not None:
            for clean in curves:
                marker = look.marker if len(clean) < LEAST_POINTS else ""
                axes.plot(clean.steps, clean.values, color=look.color, ls=look.dash, lw=1, marker=marker, ms=3)
            continue
        rows = np.array([np.interp(steps, clean.steps, clean.values) for clean in curves])
        axes.plot(steps, rows.mean(axis=0), color=look.color, ls=look.dash, lw=1.2)
        axes.fill_between(steps, rows.min(axis=0), rows.max(axis=0), color=look.color, alpha=0.13, lw=0)
    if every:
        scale_to(axes, np.concatenate(every))
    for one_divergence_point in comparison.divergence_points:
        if one_divergence_point.metric == ranking.metric and one_divergence_point.step is not None:
            axes.axvline(one_divergence_point.step, color=FAINT, lw=0.7, ls=(0, (4, 3)))
    axes.tick_params(labelsize=6.5)
    axes.set_xlabel("step; bands hold every run of a group, dashes are where histories part", fontsize=6.5)


def _levels(axes: Axes, ranking: Ranking) -> None:
    shown = ranking.performances[:_MOST_GROUPS]
    for number, one in enumerate(shown):
        look = LINE_STYLES[number]
        at = len(shown) - 1 - number
        if one.level.low is not None and one.level.high is not None:
            weak = one.basis == "within_run"
            axes.plot([one.level.low, one.level.high], [at, at], color=look.color, lw=0.9 if weak else 1.8)
        axes.plot([one.level.value], [at], look.marker, color=look.color, ms=4.5)
    names = [printable(one.group) for one in shown]
    axes.set_yticks(range(len(shown) - 1, -1, -1))
    axes.set_yticklabels([clipped(name, _LONG) for name in names], fontsize=6.5)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.tick_params(axis="x", labelsize=6.5)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("level, 95 % interval", fontsize=6.5)


DASHBOARD, REPORT, RECORD, TABLE = "dashboard.html", "comparison.md", "comparison.json", "comparison.csv"


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Write the record, the table, the report with its plots and the dashboard; return the dashboard's path.

    Args:
        comparison: of runs.
        out: folder, made where it is missing; files of an earlier comparison are replaced.
    """
    record = canonical_bytes(comparison_record(comparison)) + b"\n"
    plots = {one.metric: draw(comparison, one) for one in chosen_rankings(comparison)}
    parts = sections(comparison)
    parts[2:2] = pictures(plots)
    report = Document(f"Comparison of {len(comparison.runs)} runs", parts, signature(comparison))
    files: dict[str, str | bytes] = {
        REPORT: to_markdown(report),
        TABLE: _csv(comparison),
        RECORD: record,
        DASHBOARD: render(comparison),
    }
    write_files(out, files, plots)
    note_written(out, "compare", map(out.joinpath, files))
    return out / DASHBOARD


def _csv(comparison: Comparison) -> str:
    """Return a row a group and metric, numbers rounded as in the record."""
    keys = comparison.grouping.differing
    groups = {group.name: group for group in comparison.groups}
    header = ["metric", "direction", "rank", "group", "value", "ci95_low", "ci95_high", "sd", "n", "interval_of"]
    header += ["behind_first", "behind_low", "behind_high", "n_paired"]
    header += ["n_runs", "n_missing", "best", "best_run", "best_step", *(f"setting.{printable(key)}" for key in keys)]
    lines: list[list[object]] = []
    for ranking in comparison.rankings:
        for place, one in enumerate(ranking.performances, start=1):
            level = one.level
            numbers = [csv_number(value) for value in (level.value, level.low, level.high, level.sd)]
            value, run, step = one.best or (None, None, None)
            settings = [csv_text(setting_text(groups[one.group].settings, key)) for key in keys]
            ranked = place if ranking.direction else None
            head = [
                csv_text(ranking.metric),
                ranking.direction,
                ranked,
                csv_text(one.group),
                *numbers,
                level.n,
                one.basis,
            ]
            lead = ranking.leads.get(one.group)
            behind = (
                [None] * 4
                if lead is None
                else [csv_number(lead.value), csv_number(lead.low), csv_number(lead.high), lead.n]
            )
            known = len(one.values) - one.n_missing
            best = [csv_number(value), None if run is None else csv_text(run), csv_number(step)]
            lines.append([*head, *behind, known, one.n_missing, *best, *settings])
    return write_csv([*header, "signature"], [[*line, signature(comparison)] for line in lines])

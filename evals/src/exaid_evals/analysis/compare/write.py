"""The files of a comparison, and its plots."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import setting_text
from exaid_evals.analysis.compare.dashboard import page
from exaid_evals.analysis.compare.divergence_point import common_grid, curves_of
from exaid_evals.analysis.compare.final_means import LEAST_POINTS
from exaid_evals.analysis.compare.performance import Ranking
from exaid_evals.analysis.compare.report import comparison_record, csv_number, csv_text, sections, signature
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.analysis.report.plots import png_of, scale_to
from exaid_evals.analysis.report.sections import pictures
from exaid_evals.analysis.report.write import write_files
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.document import Document
from exaid_evals.report.figures.canvas import FAINT, LINE_STYLES
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.report.render import to_markdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_DPI = 120
_MOST_GROUPS = 7
_LONG = 34


def chosen_rankings(comparison: Comparison, most: int = 6) -> list[Ranking]:
    """Return the metrics that are drawn: those that several groups have, those with a direction first."""
    shared = [one for one in comparison.rankings if len(one.performances) > 1]
    ordered = sorted(shared, key=lambda one: (one.metric != comparison.primary, one.direction is None))
    return ordered[:most]


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
    for one_divergence_point in comparison.partings:
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
    axes.set_yticklabels([name if len(name) <= _LONG else f"{name[: _LONG - 1]}…" for name in names], fontsize=6.5)
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
        DASHBOARD: page.render(comparison),
    }
    write_files(out, files, plots)
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

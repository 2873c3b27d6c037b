"""The paper's main figure: what a clinician knows after reading so much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exaid_evals.metrics.records import COVERAGE_CURVE, Curve, VariantMetrics
from exaid_evals.report.base import parameters
from exaid_evals.report.figures.canvas import PAGE_IN, LineStyle, line_styles, new_canvas
from exaid_evals.report.figures.labels import label_ends, marker, weights
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.report.notes import cases_note, signatures_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "coverage_vs_budget"
TITLE = "Coverage of the conversation's concepts against reading budget"
CAPTION = "Share of the conversation's concepts that a clinician has read who stops after B CTU of updates."


@dataclass(frozen=True, slots=True)
class Line:
    """One variant's curve, with its coverage at the budgets of the tables."""

    variant: VariantMetrics
    curve: Curve
    style: LineStyle
    marks: tuple[tuple[float, float], ...]

    @property
    def end(self) -> float:
        """Return coverage at the largest budget; 0 where undefined."""
        return self.curve.mean[-1] or 0.0


def data_csv(variants: Sequence[VariantMetrics]) -> str:
    """Return what the figure shows: a row per variant and budget."""
    header = ["variant", "budget_ctu", "coverage_mean", "ci95_low", "ci95_high", "band_low", "band_high"]
    header += ["n_cases", "n_failed", "stub", "signature"]
    rows = []
    for one in variants:
        curve = one.curves.get(COVERAGE_CURVE)
        if curve is None:
            continue
        nothing = (None,) * len(curve.x)
        bands = (curve.band_low or nothing, curve.band_high or nothing)
        columns = (curve.x, curve.mean, curve.ci95_low, curve.ci95_high, *bands)
        made = (one.n_cases, one.n_failed, one.stub, one.signature)
        rows += [[one.variant_id, *point, *made] for point in zip(*columns, strict=True)]
    return write_csv(header, rows)


def draw(variants: Sequence[VariantMetrics], primary: str) -> Figure:
    """Draw the figure. Call it within `canvas.style`."""
    lines = _lines(variants)
    budgets = [float(budget) for budget in sorted(parameters(variants, "coverage_at_"), key=float)]
    paper = new_canvas(
        PAGE_IN,
        3.3,
        note=f"Mean over cases. {_band_note(lines)} {cases_note(variants)}",
        signatures=signatures_of(variants),
        stub=any(variant.stub for variant in variants),
    )
    axes = paper.axes(0.52, 0.42, PAGE_IN - 1.42, 2.8)
    _frame(axes, budgets, max((line.curve.x[-1] for line in lines), default=1.0))
    for order, line in enumerate(lines):
        _plot(axes, line, bold=line.variant.variant_id == primary, zorder=3 + order)
    label_ends(axes, [(line.variant.variant_id, line.end, line.style) for line in lines], primary=primary)
    return paper.finished()


def _lines(variants: Sequence[VariantMetrics]) -> list[Line]:
    lines = []
    looks = line_styles([variant.variant_id for variant in variants])
    for variant in variants:
        curve = variant.curves.get(COVERAGE_CURVE)
        if curve is None or all(value is None for value in curve.mean):
            continue
        marks = [
            (float(budget), estimate.mean)
            for budget in parameters([variant], "coverage_at_")
            if (estimate := variant.measures[f"coverage_at_{budget}"]).mean is not None
        ]
        lines.append(Line(variant, curve, looks[variant.variant_id], tuple(sorted(marks))))
    return lines


def _band_note(lines: Sequence[Line]) -> str:
    if lines and all(line.curve.has_band for line in lines):
        return "Bands: simultaneous 95 % bootstrap bands, each of which holds its whole curve."
    return "Bands: pointwise 95 % bootstrap intervals of the mean."


def _frame(axes: Axes, budgets: Sequence[float], largest: float) -> None:
    axes.set_xlim(0, largest)
    axes.set_ylim(0, 1.02)
    ticks = [0.0, *budgets]
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    heights = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_yticks(heights, [f"{height:.1f}" for height in heights])
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.5)
    for budget in budgets:
        axes.axvline(budget, color="#c4c4c4", linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    axes.set_xlabel("Reading budget B (CTU of output, 4 characters each)")
    axes.set_ylabel("Coverage of the conversation's concepts")


def _plot(axes: Axes, line: Line, *, bold: bool, zorder: int) -> None:
    curve, look = line.curve, line.style
    band = [
        (x, low, high)
        for x, low, high in zip(curve.x, *curve.drawn, strict=True)
        if low is not None and high is not None
    ]
    if band:
        x, low, high = zip(*band, strict=True)
        axes.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0, zorder=zorder - 0.5)
    means = [(x, mean) for x, mean in zip(curve.x, curve.mean, strict=True) if mean is not None]
    width = weights(bold=bold)[0]
    axes.plot(*zip(*means, strict=True), color=look.color, linestyle=look.dash, linewidth=width, zorder=zorder)
    if line.marks:
        style = marker(look, bold=bold)
        axes.plot(*zip(*line.marks, strict=True), linestyle="none", zorder=zorder + 10, clip_on=False, **style)

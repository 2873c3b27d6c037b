"""The paper's main figure: what a clinician has been told after reading so much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exaid_evals.metrics.records import COVERAGE_CURVE, Curve, VariantMetrics
from exaid_evals.report.base import cases_note, signature_lines
from exaid_evals.report.figures.canvas import FAINT, INK, LineStyle, line_styles, use_shipped_fonts
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.report.tables.pick import parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "coverage_vs_budget"
TITLE = "Coverage of the talk's concepts against reading budget"

_SIZE_IN = (6.3, 3.9)
_LABEL_GAP = 0.052
"""Least distance between two labels, in units of coverage."""


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
    header = [
        "variant",
        "budget_ctu",
        "coverage_mean",
        "ci95_low",
        "ci95_high",
        "n_cases",
        "n_failed",
        "stub",
        "signature",
    ]
    rows = [
        [one.variant_id, x, mean, low, high, one.n_cases, one.n_failed, one.stub, one.signature]
        for one in variants
        if (curve := one.curves.get(COVERAGE_CURVE))
        for x, mean, low, high in zip(curve.x, curve.mean, curve.ci95_low, curve.ci95_high, strict=True)
    ]
    return write_csv(header, rows)


def draw(variants: Sequence[VariantMetrics], primary: str) -> Figure:
    """Draw the figure. Call it within `canvas.style`."""
    from matplotlib.figure import Figure

    lines = _lines(variants)
    budgets = [float(budget) for budget in sorted(parameters(variants, "coverage_at_"), key=float)]
    figure = Figure(figsize=_SIZE_IN)
    axes = figure.add_axes((0.085, 0.215, 0.775, 0.745))
    largest = max((line.curve.x[-1] for line in lines), default=1.0)
    _frame(axes, budgets, largest)
    for order, line in enumerate(lines):
        _plot(axes, line, bold=line.variant.variant_id == primary, zorder=3 + order)
    _label(axes, lines, primary, largest)
    if any(line.variant.stub for line in lines):
        _mark_stub(axes)
    _small_print(figure, variants)
    use_shipped_fonts(figure)
    return figure


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


def _frame(axes: Axes, budgets: Sequence[float], largest: float) -> None:
    axes.set_xlim(0, largest)
    axes.set_ylim(0, 1.02)
    ticks = [0.0, *budgets]
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    heights = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_yticks(heights, [f"{height:.1f}" for height in heights])
    axes.tick_params(length=3, width=0.6)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.5)
    for budget in budgets:
        axes.axvline(budget, color="#c4c4c4", linewidth=0.6, linestyle=(0, (1, 2)), zorder=1)
    axes.set_axisbelow(True)
    axes.set_xlabel("Reading budget B (CTU of output, 4 characters each)")
    axes.set_ylabel("Coverage of the talk's concepts")


def _plot(axes: Axes, line: Line, *, bold: bool, zorder: int) -> None:
    curve, look = line.curve, line.style
    band = [
        (x, low, high)
        for x, low, high in zip(curve.x, curve.ci95_low, curve.ci95_high, strict=True)
        if low is not None and high is not None
    ]
    if band:
        x, low, high = zip(*band, strict=True)
        axes.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0, zorder=zorder - 0.5)
    means = [(x, mean) for x, mean in zip(curve.x, curve.mean, strict=True) if mean is not None]
    width, marker = _weights(bold=bold)
    axes.plot(*zip(*means, strict=True), color=look.color, linestyle=look.dash, linewidth=width, zorder=zorder)
    if line.marks:
        axes.plot(
            *zip(*line.marks, strict=True),
            color=look.color,
            linestyle="none",
            marker=look.marker,
            markersize=marker,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=zorder + 10,
            clip_on=False,
        )


def _label(axes: Axes, lines: Sequence[Line], primary: str, largest: float) -> None:
    """Write each variant's name behind its line's end, moved apart where ends are close."""
    heights = spread([line.end for line in lines], _LABEL_GAP)
    for line, height in zip(lines, heights, strict=True):
        look = line.style
        leader = [largest * x for x in (1.010, 1.025)]
        axes.plot(leader, [line.end, height], color=look.color, linewidth=0.6, clip_on=False)
        sample = [largest * x for x in (1.03, 1.0575, 1.085)]
        bold = line.variant.variant_id == primary
        width, marker = _weights(bold=bold)
        axes.plot(
            sample,
            [height] * 3,
            color=look.color,
            linestyle=look.dash,
            linewidth=width,
            marker=look.marker,
            markevery=[1],
            markersize=marker,
            markeredgecolor="white",
            markeredgewidth=0.6,
            clip_on=False,
        )
        axes.text(
            largest * 1.097,
            height,
            line.variant.variant_id,
            va="center_baseline",
            ha="left",
            color=INK,
            fontweight="bold" if bold else "normal",
            clip_on=False,
        )


def _weights(*, bold: bool) -> tuple[float, float]:
    """Return the width of a line and the size of its markers, in points."""
    return (1.9, 5.5) if bold else (1.3, 4.5)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart until neighbours are `gap` apart, keeping their order and, within 0 … 1, each crowd's middle.

    >>> [round(height, 2) for height in spread([0.5, 0.51, 0.9], 0.1)]
    [0.46, 0.55, 0.9]
    >>> [round(height, 2) for height in spread([1.0, 1.0], 0.1)]
    [0.9, 1.0]
    """
    crowds: list[list[int]] = []
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        crowds.append([index])
        # Two crowds that would overlap become one around their common middle, which may reach the one below.
        while len(crowds) > 1 and _foot(heights, crowds[-2], gap) + gap * len(crowds[-2]) > _foot(
            heights, crowds[-1], gap
        ):
            crowds[-2:] = [crowds[-2] + crowds[-1]]
    placed = list(heights)
    for crowd in crowds:
        for rank, index in enumerate(crowd):
            placed[index] = _foot(heights, crowd, gap) + rank * gap
    return placed


def _foot(heights: Sequence[float], crowd: Sequence[int], gap: float) -> float:
    """Return where the lowest label of a crowd stands."""
    middle = sum(heights[index] for index in crowd) / len(crowd)
    extent = gap * (len(crowd) - 1)
    return max(0.0, min(middle - extent / 2, 1.0 - extent))


def _mark_stub(axes: Axes) -> None:
    axes.text(
        0.985,
        0.035,
        "STUB DATA: simulated talk or model",
        transform=axes.transAxes,
        va="bottom",
        ha="right",
        fontsize=7,
        fontweight="bold",
        color=INK,
        bbox={"boxstyle": "square,pad=0.35", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6},
        zorder=40,
    )


def _small_print(figure: Figure, variants: Sequence[VariantMetrics]) -> None:
    signatures = signature_lines({variant.variant_id: variant.signature for variant in variants})
    note = f"Mean over cases; bands: pointwise 95 % bootstrap intervals of the mean. {cases_note(variants)}"
    figure.text(0.01, 0.065, note, fontsize=6, color=INK, va="bottom")
    figure.text(0.01, 0.052, "\n".join(signatures), fontsize=4.6, family="monospace", color=FAINT, va="top")

"""How late a clinician learns what the agents have said: the median concept, and one of the latest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.figures.canvas import COLUMN_IN, INK, LineStyle, line_styles, new_canvas
from exaid_evals.report.figures.labels import estimates_csv, marker
from exaid_evals.report.notes import cases_note, signatures_of, time_note, undefined_note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "concept_delay"
TITLE = "Delay of concepts, from first mention to first update"
CAPTION = (
    "Time from a concept's first mention in the conversation to its first appearance in an update: a case's median "
    "concept (filled) and its 95th percentile (hollow)."
)
_MEASURES = {"concept_delay_ms_p50": "median", "concept_delay_ms_p95": "95th percentile"}
_ROW_IN = 0.27


def data_csv(variants: Sequence[VariantMetrics]) -> str:
    """Return what the figure shows: a row per variant and measure, in ms."""
    return estimates_csv(variants, _MEASURES)


def draw(variants: Sequence[VariantMetrics], primary: str) -> Figure:
    """Draw the figure. Call it within `canvas.style`."""
    undefined = undefined_note(((heading, name) for name, heading in _MEASURES.items()), variants)
    parts = ["Mean over cases; bars: 95 % bootstrap intervals of the mean.", cases_note(variants), undefined]
    note = " ".join(filter(None, [*parts, time_note(variants)]))
    rows_in = _ROW_IN * max(3, len(variants))
    stub = any(variant.stub for variant in variants)
    paper = new_canvas(COLUMN_IN, rows_in + 0.72, note=note, signatures=signatures_of(variants), stub=stub)
    longest = max((len(variant.variant_id) for variant in variants), default=2)
    left = 0.2 + 0.085 * longest
    axes = paper.axes(left, 0.44, COLUMN_IN - left - 0.15, rows_in)
    looks = line_styles([variant.variant_id for variant in variants])
    for place, one in enumerate(variants):
        _row(axes, one, place, looks[one.variant_id], bold=one.variant_id == primary)
    _frame(axes, variants, primary)
    return paper.finished()


def _row(axes: Axes, one: VariantMetrics, place: int, look: LineStyle, *, bold: bool) -> None:
    found = [(name, one.measures[name]) for name in _MEASURES if name in one.measures]
    means = [estimate.mean / 1000 for _, estimate in found if estimate.mean is not None]
    axes.plot(means, [place] * len(means), color=look.color, linewidth=0.7, alpha=0.6, zorder=2)
    for number, (name, estimate) in enumerate(found):
        if estimate.mean is None:
            continue
        if estimate.ci95_low is not None and estimate.ci95_high is not None:
            ends = [estimate.ci95_low / 1000, estimate.ci95_high / 1000]
            axes.plot(ends, [place] * 2, color=look.color, linewidth=2.2, alpha=0.45, solid_capstyle="butt", zorder=3)
        hollow = name != next(iter(_MEASURES))
        axes.plot([estimate.mean / 1000], [place], zorder=4 + number, **marker(look, bold=bold, hollow=hollow))


def _frame(axes: Axes, variants: Sequence[VariantMetrics], primary: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    axes.set_ylim(max(3, len(variants)) - 0.5, -0.5)
    axes.set_yticks(range(len(variants)), [variant.variant_id for variant in variants])
    for label, variant in zip(axes.get_yticklabels(), variants, strict=True):
        label.set_fontweight("bold" if variant.variant_id == primary else "normal")
    axes.tick_params(axis="y", length=0)
    ends = [
        value / 1000
        for variant in variants
        for name in _MEASURES
        if (estimate := variant.measures.get(name)) is not None
        for value in (estimate.mean, estimate.ci95_low, estimate.ci95_high)
        if value is not None
    ]
    extent = max([*ends, 0.0]) - min([*ends, 0.0]) or 1.0
    axes.set_xlim(min([*ends, 0.0]) - 0.02 * extent, max([*ends, 0.0]) + 0.04 * extent)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.set_xlabel("Delay of a concept (s) ↓")
    handles = [
        Line2D([], [], linestyle="none", marker="o", markersize=4.5, markeredgecolor=INK, markerfacecolor=fill)
        for fill in (INK, "white")
    ]
    axes.legend(
        handles,
        [f"{heading} over a case's concepts" for heading in _MEASURES.values()],
        loc="lower left",
        bbox_to_anchor=(-0.13, 1.0),
        ncols=2,
        frameon=False,
        fontsize=6.0,
        handletextpad=0.0,
        columnspacing=0.6,
        borderaxespad=0.1,
    )

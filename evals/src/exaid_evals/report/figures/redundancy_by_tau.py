"""How often an update repeats the one before, by how alike two updates must be to count as a repetition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.base import parameters
from exaid_evals.report.figures.canvas import PAGE_IN, line_styles, new_canvas
from exaid_evals.report.figures.labels import estimates_csv, label_ends, marker
from exaid_evals.report.notes import cases_note, signatures_of, undefined_note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "redundancy_by_tau"
TITLE = "Share of updates that repeat the one before, by threshold of similarity"
CAPTION = "Share of consecutive updates whose similarity is at least τ, by concepts and by words."
_PANELS = (("redundancy_", "Concepts (Jaccard)"), ("redundancy_text_", "Words (cosine)"))
_LEAST_TOP = 0.05
"""Height of the axes where nearly nothing is redundant: noise should not look like a finding."""


def data_csv(variants: Sequence[VariantMetrics]) -> str:
    """Return what the figure shows: a row per variant and measure."""
    return estimates_csv(variants, [name for prefix, _ in _PANELS for name in _measures(variants, prefix)])


def draw(variants: Sequence[VariantMetrics], primary: str) -> Figure:
    """Draw the figure. Call it within `canvas.style`."""
    measures = [name for prefix, _ in _PANELS for name in _measures(variants, prefix)]
    # Whether it is defined depends on the number of updates alone, and not on τ or on what is compared.
    undefined = undefined_note((("redundancy, fewer than two updates", name) for name in measures[:1]), variants)
    note = f"Mean over cases; bars: 95 % bootstrap intervals of the mean. {cases_note(variants)} {undefined}".strip()
    stub = any(variant.stub for variant in variants)
    paper = new_canvas(PAGE_IN, 2.5, note=note, signatures=signatures_of(variants), stub=stub)
    top = _top(variants, measures)
    for number, (prefix, title) in enumerate(_PANELS):
        axes = paper.axes(0.66 + 2.42 * number, 0.42, 2.2, 1.85)
        _panel(axes, variants, prefix, primary, top)
        axes.set_title(title, fontsize=8.5, pad=4)
        if number == 0:
            axes.set_ylabel("Redundant updates (share)")
        else:
            axes.tick_params(labelleft=False)
    return paper.finished()


def _measures(variants: Sequence[VariantMetrics], prefix: str) -> list[str]:
    return [f"{prefix}{tau}" for tau in sorted(parameters(variants, prefix), key=float)]


def _top(variants: Sequence[VariantMetrics], measures: Sequence[str]) -> float:
    """Return the height of both panels, so that they can be compared."""
    highs = [
        value
        for one in variants
        for name in measures
        if (estimate := one.measures.get(name)) is not None
        for value in (estimate.mean, estimate.ci95_high)
        if value is not None
    ]
    return min(1.02, max(_LEAST_TOP, 1.12 * max(highs, default=0.0)))


def _panel(axes: Axes, variants: Sequence[VariantMetrics], prefix: str, primary: str, top: float) -> None:
    from matplotlib.ticker import MaxNLocator

    taus = sorted(parameters(variants, prefix), key=float)
    looks = line_styles([variant.variant_id for variant in variants])
    # Variants stand beside each other, so that equal ones do not hide each other.
    step = 0.5 / max(1, len(variants))
    ends = []
    for number, one in enumerate(variants):
        shift = (number - (len(variants) - 1) / 2) * step
        look, bold = looks[one.variant_id], one.variant_id == primary
        points = [
            (place + shift, estimate.mean, estimate)
            for place, tau in enumerate(taus)
            if (estimate := one.measures.get(f"{prefix}{tau}")) is not None and estimate.mean is not None
        ]
        for x, _, estimate in points:
            low, high = estimate.ci95_low, estimate.ci95_high
            if low is not None and high is not None:
                axes.plot([x, x], [low, high], color=look.color, linewidth=1.1, zorder=3 + number)
        if points:
            xs, ys, _ = zip(*points, strict=True)
            axes.plot(xs, ys, color=look.color, linestyle=look.dash, linewidth=0.8, alpha=0.7, zorder=2)
            axes.plot(xs, ys, linestyle="none", zorder=20 + number, clip_on=False, **marker(look, bold=bold))
            ends.append((one.variant_id, ys[-1], look))
    axes.set_xlim(-0.45, max(1, len(taus)) - 0.55)
    axes.set_xticks(range(len(taus)), taus)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.5)
    axes.set_xlabel("Threshold τ")
    if prefix == _PANELS[-1][0]:
        label_ends(axes, ends, primary=primary)

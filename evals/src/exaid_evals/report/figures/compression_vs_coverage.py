"""What brevity costs: coverage against compression, and which variants no other one beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exaid_evals.metrics.records import Estimate, VariantMetrics
from exaid_evals.report.figures.canvas import COLUMN_IN, FAINT, INK, LineStyle, line_styles, new_canvas
from exaid_evals.report.figures.labels import beside, estimates_csv, marker
from exaid_evals.report.notes import cases_note, signatures_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "compression_vs_coverage"
TITLE = "Coverage of the conversation's concepts against compression"
CAPTION = (
    "Coverage without a reading budget against compression, the output as a share of the conversation. "
    "On the Pareto front no variant is both shorter and more complete."
)
_TICKS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_COARSE = (0.01, 0.1, 1.0, 10.0)
_LABELS_FIT = 7


@dataclass(frozen=True, slots=True)
class Point:
    """A variant by its two means; both are defined, and compression is above 0."""

    name: str
    compression: Estimate
    coverage: Estimate
    style: LineStyle

    @property
    def at(self) -> tuple[float, float]:
        """Return compression and coverage."""
        assert self.compression.mean is not None  # noqa: S101 - only defined ones become points
        assert self.coverage.mean is not None  # noqa: S101
        return self.compression.mean, self.coverage.mean


def data_csv(variants: Sequence[VariantMetrics]) -> str:
    """Return what the figure shows: a row per variant and measure."""
    return estimates_csv(variants, ("compression", "coverage"))


def draw(variants: Sequence[VariantMetrics], primary: str) -> Figure:
    """Draw the figure. Call it within `canvas.style`."""
    points = _points(variants)
    note = f"Mean over cases; bars: 95 % bootstrap intervals of the mean. {cases_note(variants)}"
    stub = any(variant.stub for variant in variants)
    paper = new_canvas(COLUMN_IN, 2.75, note=note, signatures=signatures_of(variants), stub=stub)
    axes = paper.axes(0.66, 0.44, COLUMN_IN - 0.76, 2.25)
    axes.set_xlabel("Compression (output / conversation) ↓")
    axes.set_ylabel("Coverage of the conversation's concepts ↑")
    axes.grid(color="#e6e6e6", linewidth=0.5)
    if points:
        _frame(axes, points)
        _draw_front(axes, points)
        _draw_points(axes, points, primary)
        _name(axes, points, primary)
    return paper.finished()


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return which points no other beats: less x and not less y, or more y and not more x; by ascending x.

    >>> pareto_front([(0.2, 0.9), (0.1, 0.8), (0.3, 0.85), (0.2, 0.9)])
    [1, 0, 3]
    """

    def beaten(point: tuple[float, float]) -> bool:
        return any(x <= point[0] and y >= point[1] and (x, y) != point for x, y in points)

    on_front = [index for index, point in enumerate(points) if not beaten(point)]
    return sorted(on_front, key=lambda index: (points[index], index))


def _points(variants: Sequence[VariantMetrics]) -> list[Point]:
    looks = line_styles([variant.variant_id for variant in variants])
    found = []
    for one in variants:
        compression, coverage = one.measures.get("compression"), one.measures.get("coverage")
        if compression and coverage and compression.mean and coverage.mean is not None:
            found.append(Point(one.variant_id, compression, coverage, looks[one.variant_id]))
    return found


def _frame(axes: Axes, points: Sequence[Point]) -> None:
    """Set the limits: compression by its logarithm, coverage from where it begins."""
    from matplotlib.ticker import MaxNLocator

    xs = [value for point in points for value in _bounds(point.compression) if value > 0]
    ys = [value for point in points for value in _bounds(point.coverage)]
    axes.set_xscale("log")
    left, right = min(xs) / 1.3, max(xs) * 1.3
    axes.set_xlim(left, right)
    ticks = [tick for tick in _TICKS if left <= tick <= right]
    if len(ticks) > _LABELS_FIT:
        ticks = [tick for tick in ticks if tick in _COARSE]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    room = max(0.01, max(ys) - min(ys))
    axes.set_ylim(max(-0.02, min(ys) - 0.15 * room), max(ys) + 0.12 * room)


def _front(axes: Axes, points: Sequence[Point]) -> list[tuple[float, float]]:
    """Return the front's corners, drawn on to the right edge."""
    at = [point.at for point in points]
    front = [at[index] for index in pareto_front(at)]
    return [*front, (axes.get_xlim()[1], front[-1][1])]


def _draw_front(axes: Axes, points: Sequence[Point]) -> None:
    # What is beaten lies to the right of and below a step; a straight line would promise mixtures of variants.
    axes.step(
        *zip(*_front(axes, points), strict=True),
        where="post",
        color=FAINT,
        linewidth=0.9,
        linestyle=(0, (3, 2)),
        zorder=2,
        label="Pareto front of the means",
    )
    axes.legend(loc="lower right", frameon=False, fontsize=6.5, handlelength=2.2, borderaxespad=0.2)


def _draw_points(axes: Axes, points: Sequence[Point], primary: str) -> None:
    for order, point in enumerate(points):
        x, y = point.at
        (left, right), (low, high) = _bounds(point.compression), _bounds(point.coverage)
        bars: dict[str, Any] = {
            "color": point.style.color,
            "linewidth": 1.1,
            "zorder": 4 + order,
            "solid_capstyle": "butt",
        }
        axes.plot([left, right], [y, y], **bars)
        axes.plot([x, x], [low, high], **bars)
        axes.plot([x], [y], linestyle="none", zorder=20 + order, **marker(point.style, bold=point.name == primary))


def _name(axes: Axes, points: Sequence[Point], primary: str) -> None:
    """Write each variant's name where it covers least."""
    figure = axes.figure
    to_points = 72.0 / figure.dpi

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = axes.transData.transform((x, y))
        return float(across * to_points), float(up * to_points)

    taken = []
    for point in points:
        x, y = point.at
        (left, right), (low, high) = _bounds(point.compression), _bounds(point.coverage)
        for one, other in (((left, y), (right, y)), ((x, low), (x, high))):
            start, end = at(*one), at(*other)
            taken.append((start[0] - 1, start[1] - 1, end[0] + 1, end[1] + 1))
    for (x, y), (far, high) in pairwise(_front(axes, points)):
        start, corner, end = at(x, y), at(far, y), at(far, high)
        taken += [(start[0], start[1] - 1, corner[0], corner[1] + 1), (corner[0] - 1, corner[1], end[0] + 1, end[1])]
    box = axes.get_window_extent()
    left_edge, floor, right_edge, ceiling = (float(value * to_points) for value in (box.x0, box.y0, box.x1, box.y1))
    sizes = [(5.6 * len(point.name) + 1.0, 8.0) for point in points]
    placed = beside([at(*point.at) for point in points], sizes, (left_edge, floor, right_edge, ceiling), taken)
    for point, (left, low) in zip(points, placed, strict=True):
        axes.annotate(
            point.name,
            (left, low),
            xycoords="figure points",
            color=INK,
            fontweight="bold" if point.name == primary else "normal",
            zorder=30,
            va="bottom",
        )


def _bounds(estimate: Estimate) -> tuple[float, float]:
    """Return an estimate's interval; its mean twice where it has none."""
    mean = estimate.mean or 0.0
    low = mean if estimate.ci95_low is None else estimate.ci95_low
    return low, mean if estimate.ci95_high is None else estimate.ci95_high

"""Names beside what they name: labels that keep apart, in place of a legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from exaid_evals.metrics.records import VariantMetrics
from exaid_evals.report.figures.canvas import INK, LineStyle
from exaid_evals.report.formats.csv_table import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Box = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def weights(*, bold: bool) -> tuple[float, float]:
    """Return the width of a line and the size of its markers, in points."""
    return (1.9, 5.5) if bold else (1.3, 4.5)


def marker(look: LineStyle, *, bold: bool, hollow: bool = False) -> dict[str, Any]:
    """Return how a variant's marker looks, as arguments of `plot`."""
    return {
        "marker": look.marker,
        "markersize": weights(bold=bold)[1],
        "markerfacecolor": "white" if hollow else look.color,
        "markeredgecolor": look.color if hollow else "white",
        "markeredgewidth": 1.0 if hollow else 0.6,
    }


_GAP_PT = 11
"""Least distance of two names."""


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, LineStyle]], *, primary: str) -> None:
    """Write each line's name behind its end at the right frame, moved apart where ends are close.

    Args:
        axes: whose limits are final.
        ends: name, height of the end in data, style.
        primary: the name to set in bold.
    """
    low, high = axes.get_ylim()
    extent, per_point = axes.get_window_extent(), axes.figure.dpi / 72.0
    width_pt, height_pt = extent.width / per_point, extent.height / per_point
    at = [(height - low) / (high - low) for _, height, _ in ends]
    placed = spread(at, _GAP_PT / height_pt)
    here: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
    for (name, _, look), end, height in zip(ends, at, placed, strict=True):
        bold = name == primary
        leader, sample, text = ([1 + x / width_pt for x in points] for points in ((4, 10), (12, 21, 30), (34,)))
        axes.plot(leader, [end, height], color=look.color, linewidth=0.6, **here)
        axes.plot(
            sample,
            [height] * 3,
            color=look.color,
            linestyle=look.dash,
            linewidth=weights(bold=bold)[0],
            **marker(look, bold=bold) | {"markevery": [1]},
            **here,
        )
        weight = "bold" if bold else "normal"
        axes.text(text[0], height, name, va="center_baseline", ha="left", color=INK, fontweight=weight, **here)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart until neighbours are `gap` apart, keeping their order and, within 0 … 1, each crowd's middle.

    >>> [round(height, 2) for height in spread([0.5, 0.52, 0.9], 0.1)]
    [0.46, 0.56, 0.9]
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


def beside(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    taken: Sequence[Box],
) -> list[tuple[float, float]]:
    """Return where names may stand beside their points: lower left corners. All lengths are in pt.

    Each name tries the places around its point, further out each round, and takes the first that overlaps least of
    what is there: points, bars, other names, the frame's edge.

    Args:
        points: what is named.
        sizes: width and height of each name.
        frame: what the names should stay within.
        taken: what they should not cover.
    """
    boxes = [*taken, *((x - 3, y - 3, x + 3, y + 3) for x, y in points)]
    placed = []
    for (x, y), (width, height) in zip(points, sizes, strict=True):
        candidates = [
            (x + _offset(across, width, far), y + _offset(up, height, far))
            for far in _DISTANCES_PT
            for across, up in _AROUND
        ]
        costs = [_cost((left, low, left + width, low + height), boxes, frame) for left, low in candidates]
        best = candidates[costs.index(min(costs))]
        boxes.append((best[0], best[1], best[0] + width, best[1] + height))
        placed.append(best)
    return placed


_DISTANCES_PT = (5.0, 9.0, 15.0)
"""Of a name from its point: tried from the nearest outward."""
_AROUND = ((1, 1), (1, -1), (-1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))


def _offset(side: int, extent: float, far: float) -> float:
    return {1: far, 0: -extent / 2, -1: -far - extent}[side]


def _cost(box: Box, taken: Sequence[Box], frame: Box) -> float:
    overlap = sum(_overlap(box, other) for other in taken)
    area = (box[2] - box[0]) * (box[3] - box[1])
    return overlap + 10 * (area - _overlap(box, frame))


def _overlap(one: Box, other: Box) -> float:
    across, up = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    return max(0.0, across) * max(0.0, up)


_STATISTICS = ("mean", "ci95_low", "ci95_high", "n", "n_undefined")


def estimates_csv(variants: Sequence[VariantMetrics], measures: Iterable[str]) -> str:
    """Return a row per variant and measure that it has; values in the records' units, empty where undefined."""
    rows = [
        [
            one.variant_id,
            measure,
            *(getattr(one.measures[measure], statistic) for statistic in _STATISTICS),
            one.stub,
            one.signature,
        ]
        for measure in measures
        for one in variants
        if measure in one.measures
    ]
    return write_csv(["variant", "measure", *_STATISTICS, "stub", "signature"], rows)

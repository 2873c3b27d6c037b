"""Figure: latency against accuracy, with the models that no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.export.model_report_rows import ReportRow, legend, legend_height, looks, shown
from exaid_evals.export.writers.sheet import cell
from exaid_evals.report.figures.canvas import FAINT, INK, PAGE_IN, new_canvas
from exaid_evals.report.figures.labels import beside
from exaid_evals.report.formats.csv_table import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "latency_against_accuracy"
TITLE = "Latency against accuracy"

_HEIGHT_IN, _LEFT_IN, _AXIS_IN, _RIGHT_IN = 3.3, 0.55, 0.45, 0.15
_LABEL_PT = 6.0
_MOST_LABELS = 14


def draw(rows: Sequence[ReportRow], signature: str) -> list[Figure]:
    """Draw the figure; nothing where no report has both numbers. Call it within `canvas.style`."""
    points = _points(rows)
    if not points:
        return []
    styles = looks(points)
    head = legend_height(styles, 1)
    page = new_canvas(
        PAGE_IN, _AXIS_IN + _HEIGHT_IN + head, note=_note(rows, points), signatures=[signature], stub=False
    )
    axes = page.axes(_LEFT_IN, _AXIS_IN, PAGE_IN - _LEFT_IN - _RIGHT_IN, _HEIGHT_IN)
    best = front(points)
    for row in points:
        look, on_front = styles[row.prompt], row in best
        axes.plot(
            [row.latency_s or 0.0],
            [row.accuracy or 0.0],
            linestyle="none",
            marker=look.marker,
            markersize=6.0 if on_front else 4.2,
            color=look.color,
            alpha=1.0 if on_front else 0.55,
            markeredgecolor="white",
            markeredgewidth=0.4,
            zorder=4 if on_front else 2,
            clip_on=False,
        )
    _limits(axes, points)
    _front_line(axes, best)
    _labels(axes, best, points)
    axes.set_xlabel(f"Mean latency (s, {_axis_name(points)}, logarithmic)")
    axes.set_ylabel("Accuracy")
    axes.grid(color="#e6e6e6", linewidth=0.5)
    legend(page.figure, styles, 1.0, others=[_front_handle()])
    return [page.finished()]


def data(rows: Sequence[ReportRow], signature: str) -> str:
    """Return what the figure shows."""
    points = _points(rows)
    best = front(points)
    lines = [
        [
            *(cell(value) for value in (row.model, row.prompt, row.parameters_b, row.latency_s, row.latency_of)),
            cell(row.accuracy),
            row in best,
            signature,
        ]
        for row in points
    ]
    header = ["model", "prompt_type", "parameters_b", "latency_s", "latency_of", "accuracy", "on_front", "signature"]
    return write_csv(header, lines)


def front(points: Sequence[ReportRow]) -> list[ReportRow]:
    """Return the points that no other beats: none is as fast and more accurate, or faster and as accurate."""
    found: list[ReportRow] = []
    for row in sorted(points, key=lambda row: (row.latency_s or 0.0, -(row.accuracy or 0.0), row.model, row.prompt)):
        if not found or (row.accuracy or 0.0) > (found[-1].accuracy or 0.0):
            found.append(row)
    return found


def _points(rows: Sequence[ReportRow]) -> list[ReportRow]:
    return [row for row in rows if row.accuracy is not None and row.latency_s]


def _axis_name(points: Sequence[ReportRow]) -> str:
    kinds = sorted({row.latency_of or "" for row in points})
    return " or ".join(kind.replace("_", " ") for kind in kinds)


def _note(rows: Sequence[ReportRow], points: Sequence[ReportRow]) -> str:
    note = "Each mark is a report: a model under a prompt. On the front, which is named, none is beaten in both."
    kinds = {row.latency_of for row in points}
    if len(kinds) > 1:
        note += " Some latencies are of whole attempts and others of the model's calls alone: compare with care."
    missing = len(rows) - len(points)
    return note + (f" {missing} reports without latency or accuracy are left out." if missing else "")


def _limits(axes: Axes, points: Sequence[ReportRow]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    latencies = [row.latency_s for row in points if row.latency_s]
    accuracies = [row.accuracy for row in points if row.accuracy is not None]
    axes.set_xscale("log")
    axes.set_xlim(min(latencies) / 1.35, max(latencies) * 1.35)
    axes.set_ylim(max(-0.02, min(accuracies) - 0.06), min(1.02, max(accuracies) + 0.08))
    # A range within one power of ten has no major tick of its own: the numbers between get labels too.
    within = max(latencies) / min(latencies) < 30
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0) if within else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _front_line(axes: Axes, best: Sequence[ReportRow]) -> None:
    """Draw what is reached within a latency: a step up at each point of the front."""
    x = [row.latency_s or 0.0 for row in best]
    y = [row.accuracy or 0.0 for row in best]
    axes.step(
        [*x, axes.get_xlim()[1]], [*y, y[-1]], where="post", color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1
    )


def _front_handle() -> object:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=FAINT, linewidth=0.8, linestyle=(0, (3, 2)), label="best within a latency")


def _labels(axes: Axes, best: Sequence[ReportRow], points: Sequence[ReportRow]) -> None:
    """Name the front's points where they cover least; of a long front, those spread evenly over it."""
    step = max(1, -(-len(best) // _MOST_LABELS))
    named = [row for number, row in enumerate(best) if number % step == 0 or row is best[-1]]
    figure = axes.figure
    to_points = 72.0 / figure.dpi

    def place(row: ReportRow) -> tuple[float, float]:
        x, y = axes.transData.transform((row.latency_s or 0.0, row.accuracy or 0.0))
        return float(x) * to_points, float(y) * to_points

    box = axes.bbox
    frame = (box.x0 * to_points, box.y0 * to_points, box.x1 * to_points, box.y1 * to_points)
    texts = [shown(row.model, 30) for row in named]
    sizes = [(len(text) * _LABEL_PT * 0.58, _LABEL_PT * 1.25) for text in texts]
    others = [place(row) for row in points]
    taken = [(x - 2.0, y - 2.0, x + 2.0, y + 2.0) for x, y in others]
    corners = beside([place(row) for row in named], sizes, frame, taken)
    for row, text, (x, y) in zip(named, texts, corners, strict=True):
        own_x, own_y = place(row)
        label = axes.annotate(
            text,
            (row.latency_s or 0.0, row.accuracy or 0.0),
            xytext=(x - own_x, y - own_y),
            textcoords="offset points",
            fontsize=_LABEL_PT,
            color=INK,
            ha="left",
            va="bottom",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": FAINT, "shrinkA": 0, "shrinkB": 3},
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.85},
            zorder=6,
        )
        label.set_parse_math(False)

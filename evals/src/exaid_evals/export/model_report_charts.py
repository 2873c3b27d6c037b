"""Figures of model reports, each mark a report: accuracy by model and prompt, and latency against accuracy.

Models stand by their best accuracy; on the front are the reports that no other beats in both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from exaid_evals.artifacts.redaction import printable
from exaid_evals.export.export_table import cell
from exaid_evals.report.figures.canvas import FAINT, INK, LINE_STYLES, PAGE_IN, LineStyle, font_path, new_canvas
from exaid_evals.report.figures.labels import beside
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.runs.base import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One pair, for a figure.

    Attributes:
        model, prompt: what was asked how.
        accuracy: share; None where unknown.
        latency_s: mean time of an attempt in seconds, else of a call; None where neither is known.
        latency_of: which of the two, `execution_time` or `total_duration`.
        parameters_b: size in billions; None where the name does not say.
        counts: tp, tn, fp, fn; None without a confusion matrix.
    """

    model: str
    prompt: str
    accuracy: float | None
    latency_s: float | None
    latency_of: str | None
    parameters_b: float | None
    counts: tuple[int, int, int, int] | None


def row_of(run: Run) -> ReportRow:
    """Return what figures need of a run."""
    latency, of = run.metrics.get("execution_time_mean_s"), "execution_time"
    if latency is None and (call := run.metrics.get("total_duration_mean_ns")) is not None:
        latency, of = call / NS_PER_S, "total_duration"
    counts = [run.attributes.get(name) for name in ("tp", "tn", "fp", "fn")]
    whole = [count for count in counts if isinstance(count, int)]
    size = run.attributes.get("parameters_b")
    return ReportRow(
        str(run.attributes["model"]),
        str(run.attributes["prompt_type"]),
        run.metrics.get("accuracy"),
        latency,
        None if latency is None else of,
        float(size) if isinstance(size, int | float) else None,
        (whole[0], whole[1], whole[2], whole[3]) if len(whole) == 4 else None,
    )


class Chart(NamedTuple):
    """A figure of model reports.

    Attributes:
        name: of its files.
        title: of it.
        draw: rows, signature → a figure a page; none where there is nothing to show. Called within `canvas.style`.
        data: rows, signature → what the figure shows, as CSV.
    """

    name: str
    title: str
    draw: Callable[[Sequence[ReportRow], str], list[Figure]]
    data: Callable[[Sequence[ReportRow], str], str]


_MARKERS = "os^DvPX<>*ph"


def looks(rows: Sequence[ReportRow]) -> dict[str, LineStyle]:
    """Return how each prompt's marks look; colour and form repeat at different lengths, so that pairs differ."""
    prompts = sorted({row.prompt for row in rows})
    colors = [look.color for look in LINE_STYLES]
    return {
        prompt: LineStyle(colors[number % len(colors)], "solid", _MARKERS[number % len(_MARKERS)])
        for number, prompt in enumerate(prompts)
    }


def _mark(look: LineStyle, size: float) -> dict[str, Any]:
    """Return how matplotlib draws a mark without a line."""
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.4}
    return {"linestyle": "none", "marker": look.marker, "markersize": size, "color": look.color, **edge}


def shown(name: str, most: int = 44) -> str:
    r"""Return a name as a figure bears it: short enough, and only characters that the shipped typeface has.

    >>> shown("a" * 50, 10), shown("x\ny")
    ('aaaaaa…aaa', 'x\\ny')
    """
    known = _characters()
    text = "".join(one if ord(one) in known else f"[U+{ord(one):04X}]" for one in printable(name))
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1]}…{text[-tail:]}"


def legend(figure: Figure, styles: dict[str, LineStyle], top: float, *, others: Iterable[object] = ()) -> None:
    """Write above the plot area which mark stands for which prompt.

    Args:
        figure: where.
        styles: of the prompts.
        top: where the legend's upper edge stands, as a share of the figure's height.
        others: further handles, after the prompts.
    """
    from matplotlib.lines import Line2D

    handles: list[object] = [
        Line2D([], [], label=shown(prompt, 26), **_mark(look, 5)) for prompt, look in styles.items()
    ]
    made = figure.legend(
        handles=[*handles, *others],
        loc="upper center",
        bbox_to_anchor=(0.5, top),
        ncols=legend_columns(styles),
        frameon=False,
        fontsize=7,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    for text in made.get_texts():
        text.set_parse_math(False)


def legend_columns(styles: dict[str, LineStyle]) -> int:
    """Return in how many columns the legend stands, by its longest name."""
    longest = max((len(shown(prompt, 26)) for prompt in styles), default=1)
    return max(1, min(len(styles) + 1, int(90 / (longest + 5))))


def legend_height(styles: dict[str, LineStyle], n_others: int = 0) -> float:
    """Return the height that the legend needs, in inches."""
    lines = -(-(len(styles) + n_others) // legend_columns(styles))
    return 0.1 + 0.16 * lines


@cache
def _characters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font_path())).get_charmap())


ROWS_PER_PAGE = 64
_ROW_IN, _NAMES_IN, _ACCURACY_AXIS_IN, _VALUE_IN = 0.125, 2.05, 0.42, 0.42
_ACCURACY_NOTE = (
    "Each mark is a report: a model under a prompt. Models stand in the order of their best accuracy, which the number "
    "at the right says."
)


def draw_accuracy(rows: Sequence[ReportRow], signature: str) -> list[Figure]:
    """Draw the figure, a page for every 64 models; nothing where no accuracy is known. Call it within `style`."""
    models = _ordered(rows)
    if not models:
        return []
    styles = looks([row for row in rows if row.accuracy is not None])
    names = list(models)
    # From 0, unless all accuracies lie in the upper half.
    low = 0.5 if min(row.accuracy for row in rows if row.accuracy is not None) >= 0.5 else 0.0
    pages = [names[start : start + ROWS_PER_PAGE] for start in range(0, len(names), ROWS_PER_PAGE)]
    missing = len({row.model for row in rows}) - len(names)
    note = _ACCURACY_NOTE + (f" {missing} models without a known accuracy are left out." if missing else "")
    return [_page({name: models[name] for name in page}, styles, low, note, signature) for page in pages]


def accuracy_data(rows: Sequence[ReportRow], signature: str) -> str:
    """Return what the figure shows, in its order."""
    lines = [
        [rank, cell(row.model), cell(row.prompt), cell(row.accuracy), signature]
        for rank, group in enumerate(_ordered(rows).values(), start=1)
        for row in group
    ]
    return write_csv(["rank", "model", "prompt_type", "accuracy", "signature"], lines)


def _ordered(rows: Sequence[ReportRow]) -> dict[str, list[ReportRow]]:
    groups: dict[str, list[ReportRow]] = defaultdict(list)
    for row in rows:
        if row.accuracy is not None:
            groups[row.model].append(row)
    best = {model: max(row.accuracy or 0.0 for row in group) for model, group in groups.items()}
    return {model: groups[model] for model in sorted(groups, key=lambda model: (-best[model], model))}


def _page(
    models: dict[str, list[ReportRow]], styles: dict[str, LineStyle], low: float, note: str, signature: str
) -> Figure:
    head = legend_height(styles)
    height = _ROW_IN * len(models)
    page = new_canvas(PAGE_IN, _ACCURACY_AXIS_IN + height + head, note=note, signatures=[signature], stub=False)
    axes = page.axes(_NAMES_IN, _ACCURACY_AXIS_IN, PAGE_IN - _NAMES_IN - _VALUE_IN, height)
    _rows(axes, models, styles)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.set_xlim(low - 0.01, 1.01)
    axes.set_xlabel("Accuracy")
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=6.3)
    legend(page.figure, styles, 1.0)
    return page.finished()


def _rows(axes: Axes, models: dict[str, list[ReportRow]], styles: dict[str, LineStyle]) -> None:
    for place, group in enumerate(models.values()):
        values = [row.accuracy for row in group if row.accuracy is not None]
        axes.plot([min(values), max(values)], [place, place], color="#cccccc", linewidth=1.0, zorder=1)
        for row in group:
            axes.plot([row.accuracy or 0.0], [place], zorder=3, clip_on=False, **_mark(styles[row.prompt], 4.2))
        axes.text(
            1.02,
            place,
            f"{max(values):.3f}",
            transform=axes.get_yaxis_transform(),
            va="center",
            ha="left",
            fontsize=6.0,
            color=INK if place == 0 else FAINT,
        )
    axes.set_yticks(range(len(models)), [shown(model, 38) for model in models])
    for label in axes.get_yticklabels():
        label.set_parse_math(False)


_HEIGHT_IN, _LEFT_IN, _AXIS_IN, _RIGHT_IN = 3.3, 0.55, 0.45, 0.15
_LABEL_PT = 6.0
_MOST_LABELS = 14


def draw_latency(rows: Sequence[ReportRow], signature: str) -> list[Figure]:
    """Draw the figure; nothing where no report has both numbers. Call it within `canvas.style`."""
    points = _points(rows)
    if not points:
        return []
    styles = looks(points)
    head = legend_height(styles, 1)
    page = new_canvas(
        PAGE_IN, _AXIS_IN + _HEIGHT_IN + head, note=_latency_note(rows, points), signatures=[signature], stub=False
    )
    axes = page.axes(_LEFT_IN, _AXIS_IN, PAGE_IN - _LEFT_IN - _RIGHT_IN, _HEIGHT_IN)
    best = front(points)
    for row in points:
        size, alpha, order = (6.0, 1.0, 4) if row in best else (4.2, 0.55, 2)
        look = _mark(styles[row.prompt], size)
        axes.plot([row.latency_s or 0.0], [row.accuracy or 0.0], alpha=alpha, zorder=order, clip_on=False, **look)
    _limits(axes, points)
    _front_line(axes, best)
    _labels(axes, best, points)
    kinds = " or ".join(sorted({(row.latency_of or "").replace("_", " ") for row in points}))
    axes.set_xlabel(f"Mean latency (s, {kinds}, logarithmic)")
    axes.set_ylabel("Accuracy")
    axes.grid(color="#e6e6e6", linewidth=0.5)
    legend(page.figure, styles, 1.0, others=[_front_handle()])
    return [page.finished()]


def latency_data(rows: Sequence[ReportRow], signature: str) -> str:
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


def _latency_note(rows: Sequence[ReportRow], points: Sequence[ReportRow]) -> str:
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


ACCURACY = Chart("accuracy_by_model", "Accuracy by model and prompt", draw_accuracy, accuracy_data)
LATENCY = Chart("latency_against_accuracy", "Latency against accuracy", draw_latency, latency_data)

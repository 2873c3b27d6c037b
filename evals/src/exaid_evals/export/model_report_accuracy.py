"""Figure: accuracy by model and prompt, best models first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.export.model_report_rows import ReportRow, legend, legend_height, looks, shown
from exaid_evals.export.writers.sheet import cell
from exaid_evals.report.figures.canvas import FAINT, INK, PAGE_IN, LineStyle, new_canvas
from exaid_evals.report.formats.csv_table import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "accuracy_by_model"
TITLE = "Accuracy by model and prompt"

ROWS_PER_PAGE = 64
_ROW_IN, _NAMES_IN, _AXIS_IN, _VALUE_IN = 0.125, 2.05, 0.42, 0.42
_NOTE = (
    "Each mark is a report: a model under a prompt. Models stand in the order of their best accuracy, which the number "
    "at the right says."
)


def draw(rows: Sequence[ReportRow], signature: str) -> list[Figure]:
    """Draw the figure, a page for every 64 models; nothing where no accuracy is known. Call it within `style`."""
    models = _ordered(rows)
    if not models:
        return []
    styles = looks([row for row in rows if row.accuracy is not None])
    names = list(models)
    low = _low(rows)
    pages = [names[start : start + ROWS_PER_PAGE] for start in range(0, len(names), ROWS_PER_PAGE)]
    missing = len({row.model for row in rows}) - len(names)
    note = _NOTE + (f" {missing} models without a known accuracy are left out." if missing else "")
    return [_page({name: models[name] for name in page}, styles, low, note, signature) for page in pages]


def data(rows: Sequence[ReportRow], signature: str) -> str:
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


def _low(rows: Sequence[ReportRow]) -> float:
    """Return where the axis begins: at 0, unless all accuracies lie in its upper half."""
    least = min(row.accuracy for row in rows if row.accuracy is not None)
    return 0.5 if least >= 0.5 else 0.0


def _page(
    models: dict[str, list[ReportRow]], styles: dict[str, LineStyle], low: float, note: str, signature: str
) -> Figure:
    head = legend_height(styles)
    height = _ROW_IN * len(models)
    page = new_canvas(PAGE_IN, _AXIS_IN + height + head, note=note, signatures=[signature], stub=False)
    axes = page.axes(_NAMES_IN, _AXIS_IN, PAGE_IN - _NAMES_IN - _VALUE_IN, height)
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
            look = styles[row.prompt]
            axes.plot(
                [row.accuracy or 0.0],
                [place],
                linestyle="none",
                marker=look.marker,
                markersize=4.2,
                color=look.color,
                markeredgecolor="white",
                markeredgewidth=0.4,
                zorder=3,
                clip_on=False,
            )
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

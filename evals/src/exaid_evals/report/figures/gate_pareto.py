"""The calibration's figure: what each policy of the token gate trades off, and which one was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from exaid_evals.calibration.simulate import Policy
from exaid_evals.calibration.stage import Calibration
from exaid_evals.report.figures.canvas import FAINT, INK, use_shipped_fonts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "gate_pareto"
TITLE = "Policies of the token gate: promptness against interruptions and context"

_SIZE_IN = (6.3, 3.6)
_REFUSED, _SURVIVOR, _FRONT, _CHOSEN, _CURRENT = "#c9c9c9", "#7fb2d6", "#0072B2", "#D55E00", "#000000"
_PANELS = (
    (0.085, "flushes_per_case", "Flushes per case ↓"),
    (0.585, "chunk_words_p50", "Median chunk in words ↑"),
)
_FIRST = {
    "time_to_first_flush_ms": "First flush of the conversation ↓ (s, mean over cases)",
    "turn_to_first_flush_ms": "First flush of a turn ↓ (s, mean over turns)",
}


def draw(calibration: Calibration, current: Policy | None = None) -> Figure:
    """Draw the figure. Call it within `canvas.style`.

    Args:
        calibration: what came out.
        current: the policy in force until now; drawn where it is in the grid.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_IN)
    for left, measure, label in _PANELS:
        axes = figure.add_axes((left, 0.27, 0.405, 0.6))
        _panel(axes, calibration, current, measure)
        axes.set_ylabel(label)
    _legend(figure, calibration, current)
    _small_print(figure, calibration)
    use_shipped_fonts(figure)
    return figure


def _panel(axes: Axes, calibration: Calibration, current: Policy | None, measure: str) -> None:
    from matplotlib.ticker import MaxNLocator

    choice, tried = calibration.choice, calibration.sweep
    first = choice.objectives[0].measure
    x, y = choice.measures[first] / 1000.0, choice.measures[measure]
    groups = (
        (~choice.survivors, _REFUSED, "o", 7),
        (choice.survivors & ~choice.front, _SURVIVOR, "o", 11),
        (choice.front, _FRONT, "o", 15),
    )
    for zorder, (chosen, color, marker, size) in enumerate(groups, start=2):
        axes.scatter(
            x[chosen], y[chosen], s=size, c=color, marker=marker, linewidths=0.3, edgecolors="white", zorder=zorder
        )
    if current is not None and current in tried.policies:
        index = tried.policies.index(current)
        axes.scatter(x[index], y[index], s=34, c="white", marker="D", linewidths=1.0, edgecolors=_CURRENT, zorder=8)
    axes.scatter(
        x[choice.index], y[choice.index], s=120, c=_CHOSEN, marker="*", linewidths=0.5, edgecolors="white", zorder=9
    )
    axes.set_xlabel(_FIRST[first])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(length=3, width=0.6)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.margins(0.06)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _legend(figure: Figure, calibration: Calibration, current: Policy | None) -> None:
    from matplotlib.lines import Line2D

    choice = calibration.choice
    refused, survivors, front = (int(np.sum(group)) for group in (~choice.survivors, choice.survivors, choice.front))
    entries = [
        ("*", _CHOSEN, _CHOSEN, 9.0, f"chosen: {calibration.chosen.label}"),
        ("o", _FRONT, _FRONT, 4.0, f"Pareto front ({front} policies)"),
        ("o", _SURVIVOR, _SURVIVOR, 4.0, f"keep the constraints ({survivors - front} more)"),
        ("o", _REFUSED, _REFUSED, 4.0, f"break a constraint ({refused})"),
    ]
    if current is not None and current in calibration.sweep.policies:
        entries.insert(1, ("D", "white", _CURRENT, 4.5, f"until now: {current.label}"))
    handles = [
        Line2D([], [], linestyle="none", marker=marker, markerfacecolor=fill, markeredgecolor=edge, markersize=size)
        for marker, fill, edge, size, _ in entries
    ]
    figure.legend(
        handles,
        [label for *_, label in entries],
        loc="upper center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        frameon=False,
        fontsize=6.8,
        handletextpad=0.2,
        columnspacing=1.6,
    )


def _small_print(figure: Figure, calibration: Calibration) -> None:
    plan, tried = calibration.plan, calibration.sweep
    note = (
        f"Each point a policy over {tried.n_cases} cases that are not evaluated; policies may coincide. "
        "Labels: min_words/max_words/silence_ms/max_wait_ms."
    )
    figure.text(0.01, 0.085, note, fontsize=6, color=INK, va="bottom")
    if plan.manifest.stub:
        figure.text(
            0.01, 0.042, "STUB DATA: simulated conversation", fontsize=6.5, fontweight="bold", color=INK, va="bottom"
        )
    figure.text(0.01, 0.03, str(plan.signature), fontsize=4.6, family="monospace", color=FAINT, va="top")

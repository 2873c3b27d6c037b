"""A metric over the run, with its anomalies, as PNG: the picture that the reports embed."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.incidents import Incident
from exaid_evals.analysis.stage import Analysis, key_metric
from exaid_evals.anomalies.base import WHAT
from exaid_evals.artifacts.redaction import printable
from exaid_evals.report.figures.canvas import FAINT, INK, LINE_STYLES, style, use_shipped_fonts
from exaid_evals.runs.metric_names import counterpart, is_validation, role_of_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_DPI = 110
_DROP, _SHIFT = LINE_STYLES[3].color, LINE_STYLES[4].color
_MOST_POINTS = 1500
_MOST_INCIDENTS = _MOST_METRICS = 4
_MARGIN = 0.02


def chosen_metrics(analysis: Analysis) -> list[str]:
    """Return the metrics that are drawn: the one that counts and its counterpart, then those with the worst anomalies.

    What evidence speaks of (a rate, a norm, memory) is drawn too: the eye checks a claim faster than a table does.
    """
    first = key_metric(analysis)
    names = [] if first is None else [first]
    if first is not None and is_validation(first):
        names += [found] if (found := counterpart(first, analysis.history.series)) else []
    if analysis.diagnosis is not None:
        texts = " ".join(
            part.text for one in analysis.diagnosis.hypotheses[:2] for part in one.evidence if part.weight > 0
        )
        every = [*analysis.history.series, *analysis.history.system]
        names += [name for name in every if name in texts]
    names += [metric for one in analysis.incidents for metric in one.metrics]
    names += [one.metric for one in analysis.performance if one.direction is not None]
    names += [one.metric for one in analysis.performance if role_of_column(one.metric) == "contested"]
    return list(dict.fromkeys(names))[:_MOST_METRICS]


def png_of(
    draw: Callable[[Figure], None], height: float, dpi: int, layout: Literal["constrained"] | None = None
) -> bytes:
    """Return a figure 7.2 inches wide as PNG, in the style and the fonts of all reports.

    Args:
        draw: draws on it.
        height: in inches.
        dpi: dots an inch.
        layout: None leaves margins to `draw`.
    """
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, height), layout=layout)
        draw(figure)
        use_shipped_fonts(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()


def draw(analysis: Analysis, metric: str) -> bytes:
    """Return the plot of a metric as PNG: its values, their running median, and the incidents that it shows."""
    return png_of(partial(_plot, analysis, metric), 2.5, _DPI)


def _plot(analysis: Analysis, metric: str, figure: Figure) -> None:
    history = analysis.history
    series = history.series.get(metric) or history.system[metric]
    clean = series.clean
    figure.subplots_adjust(left=0.09, right=0.985, top=0.88, bottom=0.2)
    axes = figure.add_subplot()
    _curve(axes, clean.steps, clean.values)
    scale_to(axes, clean.values)
    undefined = [point.step for point in series.points if isinstance(point.value, float) and not point.finite]
    if undefined:
        axes.plot(
            undefined, [0.03] * len(undefined), "|", color=_DROP, transform=axes.get_xaxis_transform(),
            label="NaN or infinite",
        )  # fmt: skip
    first, last = _span(analysis)
    axes.set_xlim(first - _MARGIN * (last - first), last + _MARGIN * (last - first) or 1.0)
    _incidents(axes, [one for one in analysis.incidents if metric in one.metrics], analysis, last)
    axes.set_xlabel("step" if history.steps_are == "step" else "case")
    axes.set_title(printable(metric)[:80], loc="left", fontsize=8.5)
    axes.legend(fontsize=6.5, loc="best", framealpha=0.8)


def _curve(axes: Axes, steps: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Draw values and, of many, their running median; of very many, the least and greatest of each stretch."""
    from exaid_evals.anomalies.robust import rolling_around

    many = len(values) > 60
    drawn = np.arange(len(values))
    if len(values) > _MOST_POINTS:
        parts = np.array_split(drawn, _MOST_POINTS // 2)
        drawn = np.unique([at for part in parts for at in (part[values[part].argmin()], part[values[part].argmax()])])
    marker = "" if many else "."
    axes.plot(steps[drawn], values[drawn], color=FAINT, lw=0.7, marker=marker, ms=3, alpha=0.8, label="values")
    if many:
        some = np.unique(np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS)).astype(int))
        median, _ = rolling_around(values[some], 15)
        axes.plot(steps[some], median, color=INK, lw=1.2, label="running median")


def _span(analysis: Analysis) -> tuple[float, float]:
    """Return the first and last step of the run, which all its plots have in common."""
    ends = [(one.clean.steps[0], one.clean.steps[-1]) for one in analysis.history.series.values() if len(one.clean)]
    return float(min(first for first, _ in ends)), float(max(last for _, last in ends))


def _incidents(axes: Axes, incidents: Sequence[Incident], analysis: Analysis, right: float) -> None:
    """Mark the incidents of a metric by their number in the report: onset as a line, course as a band at the foot."""
    numbers = {id(one): number for number, one in enumerate(analysis.incidents, start=1)}
    for one in incidents[:_MOST_INCIDENTS]:
        low, high = one.onset
        color = _DROP if one.severity in ("high", "critical") else _SHIFT
        label = f"incident {numbers[id(one)]}: {WHAT[one.lead.kind].split(':')[0]} ({one.severity})"
        axes.axvline(high, color=color, lw=0.9, ls=(0, (4, 3)), label=printable(label))
        if low < high:
            axes.axvspan(low, high, color=color, alpha=0.18, lw=0)
        end = right if one.recovered_at is None else one.recovered_at
        axes.axvspan(high, end, ymin=0, ymax=0.025, color=color, alpha=0.5, lw=0)


def scale_to(axes: Axes, values: NDArray[np.float64]) -> None:
    """Keep the picture readable where a few values are thousands of times the others: by a scale of powers of ten."""
    if len(values) and values.min() > 0 and values.max() > 200 * np.median(values):
        from matplotlib.ticker import FuncFormatter, NullFormatter

        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _at: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())

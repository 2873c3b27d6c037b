"""A metric over the run, with its anomalies, as PNG: the picture that the reports embed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from exaid_evals.analysis.anomalies.base import Anomaly
from exaid_evals.analysis.stage import Analysis, key_metric
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.figures.canvas import FAINT, INK, LINE_STYLES, style, use_shipped_fonts
from exaid_evals.runs.metric_names import counterpart, is_validation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 120
_DROP, _SHIFT, _POINT = LINE_STYLES[3].color, LINE_STYLES[4].color, LINE_STYLES[1].color
_MOST_LABELS = 4


def chosen_metrics(analysis: Analysis, most: int = 6) -> list[str]:
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
    names += [one.metric for one in analysis.anomalies if one.severity in ("high", "critical")]
    names += [one.metric for one in analysis.performance if one.direction is not None]
    return list(dict.fromkeys(names))[:most]


def draw(analysis: Analysis, metric: str) -> bytes:
    """Return the plot of a metric as PNG: points, running median, anomalies, and the interval of the onset."""
    import numpy as np

    from exaid_evals.analysis.anomalies.robust import rolling_around

    history = analysis.history
    series = history.series.get(metric) or history.system[metric]
    clean = series.clean
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 2.5), layout="constrained")
        axes = figure.add_subplot()
        many = len(clean) > 60
        axes.plot(clean.steps, clean.values, color=FAINT, lw=0.7, marker="" if many else ".", ms=3, alpha=0.8)
        if many:
            median, _ = rolling_around(clean.values, 15)
            axes.plot(clean.steps, median, color=INK, lw=1.2)
        undefined = [point.step for point in series.points if isinstance(point.value, float) and not point.finite]
        if undefined:
            axes.plot(undefined, np.full(len(undefined), 0.02), "|", color=_DROP, transform=axes.get_xaxis_transform())
        _limit(axes, clean.values)
        if analysis.diagnosis is not None:
            low, high = analysis.diagnosis.incident.interval
            axes.axvspan(low, max(high, low), color=_DROP, alpha=0.18, lw=0)
            axes.axvline(high, color=_DROP, lw=0.6, ls=(0, (4, 3)))
        _annotate(axes, [one for one in analysis.anomalies if one.metric == metric])
        axes.set_xlabel("step" if history.steps_are == "step" else "case")
        axes.set_title(printable(metric)[:80], loc="left", fontsize=8.5)
        use_shipped_fonts(figure)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()


def _annotate(axes: Axes, anomalies: list[Anomaly]) -> None:
    """Mark anomalies; only the worst few are named, for names of many would lie upon each other."""
    named = 0
    used: list[float] = []
    left, right = axes.get_xlim()
    for one in anomalies:
        if one.kind == "outlier":
            axes.plot([one.step], [one.evidence["value"]], "o", mfc="none", mec=_POINT, ms=5, clip_on=True)
        elif one.kind in ("sudden_drop", "change_point"):
            axes.axvline(one.step, color=_DROP if one.kind == "sudden_drop" else _SHIFT, lw=0.9)
        elif one.end_step is not None and one.kind != "not_finite":
            axes.axvspan(one.step, one.end_step, ymin=0, ymax=0.03, color=_SHIFT, alpha=0.5, lw=0)
        far = all(abs(one.step - other) > 0.12 * (right - left) for other in used)
        if one.kind != "outlier" and named < _MOST_LABELS and far:
            on_left = one.step > left + 0.75 * (right - left)
            text = f"{one.kind.replace('_', ' ')}, {one.severity}"
            axes.annotate(
                text,
                (one.step, 1.0),
                xytext=(-3 if on_left else 3, -3),
                xycoords=axes.get_xaxis_transform(),
                textcoords="offset points",
                va="top",
                ha="right" if on_left else "left",
                fontsize=7,
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
            )
            named += 1
            used.append(one.step)


def _limit(axes: Axes, values: object) -> None:
    """Keep the picture readable where a few values are thousands of times the others."""
    import numpy as np

    array = np.asarray(values, dtype=np.float64)
    if len(array) and array.min() > 0 and array.max() > 200 * np.median(array):
        axes.set_yscale("log")

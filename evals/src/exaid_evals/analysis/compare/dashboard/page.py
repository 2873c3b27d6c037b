"""The dashboard: runs to sort, filter and overlay, in one page without a server."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import setting_text
from exaid_evals.analysis.compare.final_means import ends_diverged, run_final_mean
from exaid_evals.analysis.compare.performance import Ranking
from exaid_evals.analysis.compare.recommend import recommendations, verdict
from exaid_evals.analysis.compare.report import signature
from exaid_evals.analysis.compare.stage import Comparison
from exaid_evals.artifacts.printable import printable
from exaid_evals.report.render import fill, page
from exaid_evals.runs.history import CleanSeries

ALL_POINTS = 400_000
"""Points of all histories together: about 6 MB of a page."""
MOST_POINTS, LEAST_POINTS = 400, 40
"""Of one history."""
MOST_METRICS, MOST_SETTINGS = 40, 60
_FIRST_CHOSEN = 6
_LONG = 300


def dashboard_data(comparison: Comparison) -> dict[str, Any]:
    """Return the data that the page's script works on, as JSON has it; text is made printable."""
    rankings = comparison.rankings[:MOST_METRICS]
    metrics = [one.metric for one in rankings]
    number = {group.name: index for index, group in enumerate(comparison.groups)}
    return {
        "metrics": [
            {"name": _text(one.metric), "direction": one.direction, "told": _text(verdict(one))} for one in rankings
        ],
        "settings": [_text(key) for key in comparison.grouping.differing[:MOST_SETTINGS]],
        "groups": _groups(comparison, rankings),
        "grouped": any(len(group.runs) > 1 for group in comparison.groups),
        "runs": _runs(comparison, metrics),
        "partings": [
            {
                "metric": metrics.index(one.metric),
                "first": number[one.first],
                "second": number[one.second],
                "step": _rounded(one.step),
            }
            for one in comparison.partings
            if one.step is not None and one.metric in metrics
        ],
        "primary": 0 if comparison.primary is not None else None,
        "chosen": _chosen(comparison),
    }


def _groups(comparison: Comparison, rankings: Sequence[Ranking]) -> list[dict[str, Any]]:
    """Return each group's name, and by the number of a metric how it does."""
    levels: dict[str, dict[int, Any]] = {group.name: {} for group in comparison.groups}
    for index, ranking in enumerate(rankings):
        for one in ranking.performances:
            bounds = {key: _rounded(getattr(one.level, key)) for key in ("value", "low", "high")}
            levels[one.group][index] = {**bounds, "basis": one.basis, "n": one.level.n}
    return [{"name": _text(name), "of": of} for name, of in levels.items()]


def _runs(comparison: Comparison, metrics: Sequence[str]) -> list[dict[str, Any]]:
    place = {run.name: at for at, group in enumerate(comparison.groups) for run in group.runs}
    steadiness = {one.run: one for one in comparison.stabilities}
    most = points_each(len(comparison.runs) * len(metrics))
    keys = comparison.grouping.differing[:MOST_SETTINGS]
    found = []
    for run in comparison.runs:
        steady, logged = steadiness[run.name], [run.history.series.get(metric) for metric in metrics]
        ways = [comparison.directions.get(metric) for metric in metrics]
        found.append(
            {
                "name": _text(run.name),
                "group": place[run.name],
                "seed": None if run.seed is None else _text(run.seed),
                "source": run.history.source,
                "values": [
                    None if one is None else _rounded(run_final_mean(one, comparison.statistic, way))
                    for one, way in zip(logged, ways, strict=True)
                ],
                "grave": steady.anomalies["high"] + steady.anomalies["critical"],
                "lost": sum(one.steps_to_recover is None for one in steady.recoveries),
                "settings": [_text(setting_text(run.settings, key)) for key in keys],
                "undefined": [at for at, one in enumerate(logged) if one is not None and ends_diverged(one)],
                "series": {
                    at: thinned(one.clean, most)
                    for at, one in enumerate(logged)
                    if one is not None and len(one.clean) and run.history.steps_are == "step"
                },
            }
        )
    return found


def points_each(n_series: int) -> int:
    """Return how many points a history may have, so that all together stay within bounds.

    >>> points_each(10), points_each(2000), points_each(100_000)
    (400, 200, 40)
    """
    return max(LEAST_POINTS, min(MOST_POINTS, ALL_POINTS // max(1, n_series)))


def thinned(clean: CleanSeries, most: int) -> list[list[float]]:
    """Return steps and values with at most so many points: of each stretch its least and its greatest value.

    Spikes stay, which a mean or every k-th point would lose. First and last point stay too.
    """
    steps, values = clean.steps, clean.values
    if len(values) > most:
        inner: NDArray[np.int64] = np.arange(1, len(values) - 1)
        kept = {0, len(values) - 1}
        for part in np.array_split(inner, (most - 2) // 2):
            kept |= {int(part[values[part].argmin()]), int(part[values[part].argmax()])}
        at = sorted(kept)
        steps, values = steps[at], values[at]
    return [[_short(value) for value in steps.tolist()], [_short(value) for value in values.tolist()]]


def _chosen(comparison: Comparison) -> list[int]:
    """Return the runs that are drawn at first: the first of each of the best groups, or the first few runs."""
    index = {run.name: at for at, run in enumerate(comparison.runs)}
    groups = {group.name: group for group in comparison.groups}
    best = [groups[one.group].runs[0].name for one in comparison.rankings[0].performances[:_FIRST_CHOSEN]]
    return [index[name] for name in best]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.7g}")


def _short(value: float) -> float:
    """Return a number with as many digits as a line on a screen shows; a whole number without a fraction."""
    short = float(f"{value:.5g}") if abs(value) < 1e5 and value % 1 else value
    return int(short) if short == int(short) else short


def _text(value: str) -> str:
    return printable(value if len(value) <= _LONG else f"{value[:_LONG]}…")


def render(comparison: Comparison) -> str:
    """Return the page."""
    groups = len(comparison.groups)
    title = f"Comparison of {len(comparison.runs)} runs"
    body = fill(
        "analysis/compare/dashboard/dashboard.html.jinja",
        title=title,
        made_of=f"{groups} configurations" if groups < len(comparison.runs) else "each of its own configuration",
        sources=", ".join(sorted({run.history.source for run in comparison.runs})),
        basis=_basis(comparison),
        lead=verdict(comparison.rankings[0]),
        advice=recommendations(comparison),
        notes=comparison.notes,
    )
    data = json.dumps(dashboard_data(comparison), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    script = "(() => {\n'use strict';\n" + _file("chart.js") + _file("dashboard.js") + "})();\n"
    return page(title, body, signature(comparison), style=_file("dashboard.css"), script=script, data=data)


def _basis(comparison: Comparison) -> str:
    of = {"level": "the mean of its last fifth", "best": "its best value", "final": "its last value"}
    return f"a run counts by {of[comparison.statistic]}"


@cache
def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")

"""All anomalies of a history: what the monitor would have reported, and what the whole run shows besides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from exaid_evals.anomalies.at_worst import AtWorst
from exaid_evals.anomalies.base import SEVERITIES, Anomaly, AnomalySettings, DetectionSettings, Severity
from exaid_evals.anomalies.change_point import ChangePoint, LostProgress
from exaid_evals.anomalies.lost_gain import LostGain
from exaid_evals.anomalies.retrospective import (
    NoProgress,
    Oscillation,
    OverfittingGap,
    UnscaledStart,
    lost_balances,
)
from exaid_evals.anomalies.robust import difference_sigma, rolling_around
from exaid_evals.anomalies.watches import Restarts, Watches
from exaid_evals.runs.history import LARGEST, History, Series
from exaid_evals.runs.metric_names import Direction, direction_of, is_validation, names_phase, role_of_column

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LONG = 20_000
"""Points of a metric from which on groups of points are watched by their medians: each more takes time, and tells no
more."""


def directions_in(history: History, config: AnomalySettings) -> dict[str, Direction]:
    """Return metric → direction of those metrics whose direction the user, the source or the name tells.

    A time, a throughput and the like have none here: a training is not judged by them.
    """
    said = {**config.anomaly_detection.directions, **config.directions}
    known = {**history.directions, **said}
    found = {
        metric: direction_of(metric, known)
        for metric in history.series
        if metric in said or role_of_column(metric) != "system"
    }
    return {metric: direction for metric, direction in found.items() if direction is not None}


def find_anomalies(
    history: History, config: AnomalySettings, directions: Mapping[str, Direction] | None = None
) -> Sequence[Anomaly]:
    """Return all anomalies of a history's metrics, the worst first, then by step and metric.

    The steps of a campaign are cases, whose order means nothing: there only single cases that stand out are looked for.
    """
    ways = directions_in(history, config) if directions is None else directions
    if history.steps_are == "case":
        found = _case_outliers(history.series, ways, config.anomaly_detection)
    else:
        found = list(streamed(history.series, config.anomaly_detection, ways))
        restarts = _restarts(history)
        for metric, series in history.series.items():
            for one in ChangePoint(config.change_point).find(series, ways.get(metric)):
                # What the validation loses for good with a new phase is lost, as by forgetting.
                phases = [] if is_validation(metric) else restarts.phase_spans
                excused = any(low <= one.step <= high for low, high in [*restarts.spans, *phases])
                evidence = {**one.evidence, "restart": True}
                found.append(replace(one, severity="low", evidence=evidence) if excused else one)
            found += LostProgress().find(series, ways.get(metric))
            found += Oscillation(config.oscillation).find(series, ways.get(metric))
        found = lost_balances(found, history.series)
        found += OverfittingGap(config.overfitting).find_in(history.series, ways)
        found += NoProgress().find_in(history.series, ways)
        found += LostGain().find_in(history.series, ways, found, [*restarts.spans, *restarts.phase_spans])
        found += AtWorst().find_in(history.series, ways)
        found += UnscaledStart().find_in(history.series, ways)
    return sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.step, one.metric, one.kind))


def _case_outliers(
    series: Mapping[str, Series], directions: Mapping[str, Direction], settings: DetectionSettings
) -> list[Anomaly]:
    """Return cases that stand far from the median of their metric; what is worse, where a direction is known.

    Args:
        series: metric → series, whose steps are cases.
        directions: metric → how it improves.
        settings: threshold, in units of 1.4826 · MAD.
    """
    import numpy as np

    found = []
    for metric, one in series.items():
        values = one.clean.values
        if len(values) < 5:
            continue
        direction = directions.get(metric)
        median, spread = rolling_around(values, settings.outlier_window)
        sigma = np.maximum(spread, difference_sigma(values))
        scores = np.where(sigma > 0, (values - median) / np.where(sigma > 0, sigma, 1.0), 0.0)
        bad = scores < 0 if direction == "higher" else scores > 0 if direction == "lower" else scores != 0
        for at in map(int, np.flatnonzero((np.abs(scores) >= settings.outlier_threshold) & bad)):
            evidence = {
                "value": float(values[at]),
                "median": float(median[at]),
                "z": float(scores[at]),
                "threshold": settings.outlier_threshold,
            }
            severity: Severity = "low" if direction is None else "medium"
            size = float(values[at] - median[at])
            found.append(Anomaly(metric, "outlier", float(one.clean.steps[at]), size, severity, "outlier", evidence))
    return found


def _restarts(history: History) -> Restarts:
    """Return what is known of restarts of a learning rate, and of phases, at the end of a run."""
    restarts = Restarts()
    for metric, one in history.series.items():
        if role_of_column(metric) == "schedule" or names_phase(metric):
            for step, value in zip(one.clean.steps.tolist(), one.clean.values.tolist(), strict=True):
                restarts.update(step, {metric: value})
    return restarts


def streamed(
    series: Mapping[str, Series], settings: DetectionSettings, directions: Mapping[str, Direction]
) -> Iterator[Anomaly]:
    """Yield what a monitor would have reported, in order: the series are fed to its detectors step by step.

    Args:
        series: metric → its series.
        settings: of the detectors.
        directions: metric → how it improves.
    """
    watches = Watches(settings, directions=directions)
    for step, row in _rows(series):
        yield from watches.update(step, row, lambda _what: None)
    yield from watches.finish()


def _rows(series: Mapping[str, Series]) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield the numbers of each step, in ascending order of steps; of a step that comes twice, the last."""
    rows: dict[float, dict[str, float]] = {}
    for metric, one in series.items():
        steps, values = _thinned(one.logged.steps, one.logged.values)
        for step, value in zip(steps, values, strict=True):
            rows.setdefault(step, {})[metric] = value if abs(value) <= LARGEST or math.isnan(value) else math.inf
    for step in sorted(rows):
        yield step, rows[step]


def _thinned(steps: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Return at most `_LONG` points: of equal groups the median, at the step of the first; NaN where most are."""
    if len(steps) <= _LONG:
        return steps.tolist(), values.tolist()
    import numpy as np

    group = -(-len(steps) // _LONG)
    whole = len(steps) // group * group
    parts = values[:whole].reshape(-1, group)
    bad = ~(np.abs(parts) <= LARGEST)
    medians = np.median(np.where(bad, np.inf, parts), axis=1)
    medians = np.where(bad.sum(axis=1) > group // 2, np.nan, medians)
    return steps[:whole:group].tolist(), medians.tolist()

"""Falls that come again and again and pass: what a training does by its method, and what grows with each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.runs.history import History
from exaid_evals.runs.metric_names import Direction, metric_named

STEP_LIKE = ("sudden_drop", "change_point", "divergence")
_FALLS = ("sudden_drop", "change_point")
_REGULAR, _APART = 0.12, 0.02
_AGAIN, _OFTEN = 3, 5
_GROWS, _OUTGROWN, _MOSTLY = 2.0, 3.0, 0.8
"""Times the first fall, from which on the later ones are growing, and have grown; pairs that grow."""

Back = Mapping[int, float | None]
"""Id of an anomaly → step from which on its metric is back, or None; see `incidents.recovered_at`."""


def is_regular(metric: str, anomalies: Sequence[Anomaly], back: Back, history: History) -> bool:
    """Return whether the falls of a metric come at regular distances and all pass: the n-th at n times the first."""
    falls = _falls_of(metric, anomalies)
    steps: list[float] = []
    spacing = _APART * span_of(history)
    for one in falls:
        if not steps or one.step - steps[-1] > spacing:
            steps.append(one.step)
    if len(steps) < 2 or any(back.get(id(one)) is None and not is_late(one, history) for one in falls):
        return False
    gaps = [later - earlier for earlier, later in itertools.pairwise(steps)]
    usual = min(gaps)
    if len(steps) == 2 and abs(steps[0] - usual) > _REGULAR * usual:
        return False  # two events have one distance: it must be that from the start, too
    return all(abs(gap / usual - round(gap / usual)) <= _REGULAR for gap in gaps)


def cycles_of(anomalies: Sequence[Anomaly], back: Back, history: History) -> list[float]:
    """Return the steps at which metrics fall again and again, and are back each time: as with each of several tasks.

    Three falls and more that do not grow are how the training goes; a policy whose reward collapses has trouble.
    """
    found: list[float] = []
    for metric in history.series:
        falls = _falls_of(metric, anomalies)
        entry = metric_named(metric)
        passed = all(back.get(id(one)) is not None or is_late(one, history) for one in falls)
        steps, sizes = _apart_from(falls, back, _APART * span_of(history))
        if passed and len(steps) >= _AGAIN and not (entry and entry.name == "reward"):
            found += steps if sizes[-1] <= _GROWS * sizes[0] else []
    return found


def growing(
    anomalies: Sequence[Anomaly], back: Back, history: History, directions: Mapping[str, Direction]
) -> set[int]:
    """Return the ids of a loss's falls that have become far larger than the first ones: each is worse than the last.

    A training that is stable has spikes of one kind all along; steps that are a little too large throw it further and
    further.
    """
    found: set[int] = set()
    for metric in history.series:
        falls = _falls_of(metric, anomalies) if directions.get(metric) == "lower" else []
        _, sizes = _apart_from(falls, back, _APART * span_of(history))
        pairs = [later >= earlier for earlier, later in itertools.combinations(sizes, 2)]
        if len(sizes) >= _OFTEN and sizes[-1] >= _OUTGROWN * sizes[0] and sum(pairs) >= _MOSTLY * len(pairs):
            found |= {id(one) for one in falls if abs(one.magnitude or 0.0) >= _GROWS * sizes[0]}
    return found


def _falls_of(metric: str, anomalies: Sequence[Anomaly]) -> list[Anomaly]:
    """Return the falls of a metric in order of steps."""
    return sorted((one for one in anomalies if one.metric == metric and one.kind in _FALLS), key=lambda one: one.step)


def _apart_from(falls: Sequence[Anomaly], back: Back, spacing: float) -> tuple[list[float], list[float]]:
    """Return the steps of falls, one for all that begin before the first of them is over, and the largest size each."""
    steps: list[float] = []
    sizes: list[float] = []
    over = -math.inf
    for one in falls:
        size = abs(one.magnitude or 0.0)
        if one.step <= over:
            sizes[-1] = max(sizes[-1], size)
        else:
            steps.append(one.step)
            sizes.append(size)
        over = max(over, one.step + spacing, back.get(id(one)) or -math.inf)
    return steps, sizes


def is_of_cycle(one: Anomaly, cycles: Sequence[float], back: Back, history: History) -> bool:
    """Return whether a fall that passed began where those of a cycle do."""
    near = any(abs(one.step - step) <= _APART * span_of(history) for step in cycles)
    return near and one.kind in STEP_LIKE and (back.get(id(one)) is not None or is_late(one, history))


def is_late(one: Anomaly, history: History) -> bool:
    """Return whether a fall is so near the end that it could not have come back."""
    return one.step > 0.85 * span_of(history)


def span_of(history: History) -> float:
    """Return the length of the run in steps."""
    return history.last_step or 1.0

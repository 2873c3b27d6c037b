"""Whether a training fell back to where it once was and learnt the same again, as from an old checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaid_evals.anomalies.robust import worsening
from exaid_evals.runs.history import CleanSeries, History
from exaid_evals.runs.metric_names import Direction, is_validation, metric_named

_GROUPS = 100
"""Medians that a course is looked at by, at most."""
_CLEAR = 6.0
_PACES = (0.4, 0.47, 0.55, 0.65, 0.75, 0.87, 1.0, 1.15, 1.33)
"""Speeds of the second course against the first: an optimiser that starts anew is a little slower or quicker, one that
keeps the averages of its gradients, or a rate that has fallen since, up to twice as slow."""
_CLOSE, _FAR = 0.1, 0.3
"""Of the fall: by how much the courses may differ in the median, and anywhere."""
_FEW, _MANY = 4, 10
_REGAINED, _LEARNT = 0.3, 0.5
_AGREE = 0.1


class Relearning(NamedTuple):
    """A course that was gone through twice.

    Attributes:
        since: step at which the metrics were where they fell back to.
        metrics: that show it.
    """

    since: float
    metrics: tuple[str, ...]


def relearnt(history: History, directions: Mapping[str, Direction], step: float) -> Relearning | None:
    """Return from where on the metrics went the same way again after a step; None where they did not.

    Weights that were damaged come back on a way of their own; those of an old checkpoint on the one that led on from
    it. Two metrics must agree on the place, to a tenth of the run, or one show it with ten points and more; a metric of
    the validation that was back within a few values agrees where these fit the place. If the validation was logged
    often enough, it must be among them, for what is new in the training data is learnt as quickly as the first was.
    Rewards are left out: a policy that collapsed climbs as it did before.

    Args:
        history: of the run.
        directions: metric → how it improves.
        step: first at which a metric had fallen.
    """
    logged = {
        metric: (history.series[metric].clean, direction)
        for metric, direction in directions.items()
        if metric in history.series and not ((entry := metric_named(metric)) and entry.name == "reward")
    }
    found = {metric: again for metric, one in logged.items() if (again := _again(*one, step)) is not None}
    if not found:
        return None
    since = float(np.median([place for place, _ in found.values()]))
    agreed = [metric for metric, (place, _) in found.items() if abs(place - since) <= _AGREE * step]
    validated = {name: one for name, one in logged.items() if is_validation(name)}
    agreed += [name for name, one in validated.items() if name not in found and _goes_along(*one, step, since)]
    evaluated = any((one.steps >= step).sum() > _MANY for one, _ in validated.values())
    if evaluated and not any(map(is_validation, agreed)):
        return None
    if len(agreed) >= 2 or (len(found) == 1 and found[agreed[0]][1] >= _MANY):
        return Relearning(since, tuple(agreed))
    return None


def _again(clean: CleanSeries, direction: Direction, step: float) -> tuple[float, int] | None:
    """Return the step before a fall from which on the values are as after it, and on how many points that is seen."""
    values = worsening(clean.values, direction)
    at, group = int(np.searchsorted(clean.steps, step)), max(1, len(values) // _GROUPS)
    while True:
        before, after = _medians(values[at % group : at], group), _medians(values[at:], group)
        if len(before) <= _FEW or len(after) < _FEW:
            return None
        level, changes = float(np.median(before[-3:])), np.diff(before)
        fall = float(after[:2].max()) - level
        if fall <= _CLEAR * float(np.median(np.abs(changes - np.median(changes)))):
            return None
        back = np.flatnonzero(after <= level + _REGAINED * fall)
        found = _same_way(before, after, fall, back)
        if found is not None:
            return float(clean.steps[at % group + found[0] * group]), found[1]
        finer = group * (int(back[0]) + 1) // (_MANY + 2) if len(back) and back[0] < _MANY else 0
        if not 0 < finer < group:
            return None
        group = finer


def _same_way(
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    fall: float,
    back: NDArray[np.intp],
) -> tuple[int, int] | None:
    """Return the place from which the values before go as those after, and on how many points; None where none does."""
    rest = after[int(back[0]) :] if len(back) else after[:0]
    if any(float((part - np.minimum.accumulate(part)).max(initial=0)) >= _LEARNT * fall for part in (before, rest)):
        return None  # it fell before or falls again: a cycle
    after = after[: max(int(back[0]) + 1, _FEW)] if len(back) else after
    best: tuple[float, int, int] | None = None
    for pace in _PACES:
        for first in range(-_FEW + 1, len(before) - _FEW):  # a checkpoint may be older than the first value
            places = first + pace * np.arange(len(after))
            logged = (places >= 0) & (places <= len(before) - 1)
            if logged.sum() < _FEW:
                continue
            earlier = np.interp(places[logged], np.arange(len(before)), before)
            differ, n = np.abs(earlier - after[logged]) / fall, len(earlier)
            later, half = after[logged], n // 2
            # What is new in the data is learnt as quickly at first, and then no further.
            goes_on = later[half] - later[-1] >= _LEARNT * (earlier[half] - earlier[-1])
            learnt = earlier[0] - earlier[-1] >= _LEARNT * fall and goes_on
            error = float(np.median(differ))
            if learnt and error <= _CLOSE and differ.max() <= _FAR and (best is None or error < best[0]):
                best = (error, first, n)
    return None if best is None else (max(best[1], 0), best[2])


def _goes_along(clean: CleanSeries, direction: Direction, step: float, since: float) -> bool:
    """Return whether a metric that was back within a few values had, as long after a step, what it has after a fall."""
    values = worsening(clean.values, direction)
    at = int(np.searchsorted(clean.steps, step))
    before, after = values[:at], values[at : at + _FEW]
    if len(before) < _FEW or len(after) < _FEW - 1:
        return False
    level, noise = float(np.median(before[-_FEW:])), float(np.median(np.abs(np.diff(before))))
    fall = float(after[:2].max()) - level
    if fall <= _CLEAR * noise or after[-1] > level + _REGAINED * fall:
        return False
    for pace in _PACES:
        places = since + pace * (clean.steps[at : at + _FEW] - step)
        logged = places >= clean.steps[0]
        differ = np.abs(np.interp(places, clean.steps[:at], before) - after)[logged] / fall
        if len(differ) >= 2 and np.median(differ) <= _FAR and differ.max() <= _LEARNT:
            return True
    return False


def _medians(values: NDArray[np.float64], group: int) -> NDArray[np.float64]:
    """Return the medians of equal groups; what is left over at the end is not in one."""
    medians: NDArray[np.float64] = np.median(values[: len(values) // group * group].reshape(-1, group), axis=1)
    return medians

"""Anomalies that belong together in time and direction, as one incident: its onset, its course, its recovery."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from exaid_evals.analysis.cycles import STEP_LIKE, cycles_of, growing, is_late, is_of_cycle, is_regular, span_of
from exaid_evals.analysis.relearning import relearnt
from exaid_evals.anomalies.base import SEVERITIES, Anomaly, Severity, by_relative_size
from exaid_evals.anomalies.robust import difference_sigma, worsening
from exaid_evals.runs.history import CleanSeries, History
from exaid_evals.runs.metric_names import Direction, counterpart, is_validation, metric_named

Course = Literal["lasting", "recovered", "repeated"]
_COLLAPSE = 0.75
"""Of what was gained: who loses more has lost what was learnt, however soon it comes back."""
_EXPLOSION, _CLEAR = 3.0, 4.0
"""Times what was gained, of a loss; times the noise."""
_BACK = 0.25
"""Of a fall, that may be left where it is over, and by which it may differ where it is found twice."""
_TOGETHER = 0.05
"""Of the run: anomalies that begin so close to each other, or while the other lasts, are one incident."""
_LONG = 20
_MANY_LOST = 5
_SURE = 15.0
_HUGE = 1e6
"""A loss that stays above it was thrown there, and may well have learnt before."""
_THROWN = 1e2
"""Times the largest that a loss was, untrained included: what comes back from there starts anew."""
_FEW_EVALUATIONS, _KEPT = 3, 0.05


@dataclass(frozen=True, slots=True)
class Incident:
    """What happened.

    Attributes:
        lead: the anomaly that says it best: the worst, validation metrics first, then the earliest.
        anomalies: all of them, in order of steps.
        metrics: that show it, the lead's first.
        severity: the worst of the anomalies.
        onset: the last step before it, and the first at which it shows.
        course: whether it lasts to the end, came back once, or came more than once.
        recovered_at: step from which on the lead's metric is back; None where it is not.
        times: how often it came.
    """

    lead: Anomaly
    anomalies: tuple[Anomaly, ...]
    metrics: tuple[str, ...]
    severity: Severity
    onset: tuple[float, float]
    course: Course
    recovered_at: float | None
    times: int


def settled(history: History, anomalies: Sequence[Anomaly], directions: Mapping[str, Direction]) -> tuple[Anomaly, ...]:
    """Return the anomalies with what only the end of the run tells: how bad those were that came back.

    A fall after which the metric came back to where it was is medium at most, unless it lost most of what had been
    gained for longer than a value or two; falls that come back at regular distances belong to the method (warm
    restarts, epochs), and are low; so is what falls where the loss never left that of guessing. A loss that falls at
    the end as it did before, and came back from, is medium. What came back on the very way that it had taken before was
    lost with the weights, and is high. A metric of the training that shifts while that of the validation stays does so
    with the data it is taken on (a curriculum, stronger augmentation), and is medium.

    Args:
        history: of the run.
        anomalies: as detectors found them.
        directions: metric → how it improves.
    """
    back = {id(one): recovered_at(history, one, directions) for one in anomalies if one.kind in STEP_LIKE}
    nothing_learnt = any(
        one.kind == "no_progress" and (one.evidence["at_chance"] or one.evidence["last"] < _HUGE) for one in anomalies
    )
    cycles = cycles_of(anomalies, back, history)
    outgrown = growing(anomalies, back, history, directions)
    regular = {metric for metric in history.series if is_regular(metric, anomalies, back, history)}
    found = []
    severity: Severity
    for logged in anomalies:
        one = _uncapped(history, logged, back)
        if nothing_learnt and one.kind in STEP_LIKE and directions.get(one.metric) == "higher":
            found.append(replace(one, severity="low", evidence={**one.evidence, "nothing_learnt": True}))
        elif "steps_back" in one.evidence:
            found.append(one)  # it is back because the run did the same again
        elif id(one) in outgrown and one.severity != "critical":
            found.append(replace(one, severity="high", evidence={**one.evidence, "outgrown": True}))
        elif is_of_cycle(one, cycles, back, history):
            severity = min(one.severity, "medium", key=SEVERITIES.index)
            found.append(replace(one, severity=severity, evidence={**one.evidence, "recovered": True, "regular": True}))
        elif back.get(id(one)) is not None and one.severity in ("high", "critical", "medium"):
            again = None if one.metric in regular else relearnt(history, directions, one.step)
            severity = "critical" if one.severity == "critical" else "high"
            if again is not None:
                evidence = {**one.evidence, "recovered": True, "relearnt_since": again.since}
                found.append(replace(one, severity=severity, evidence=evidence))
            elif (times := _times_untrained(history, one, directions)) >= _THROWN:
                evidence = {**one.evidence, "recovered": True, "times_untrained": times}
                found.append(replace(one, severity=severity, evidence=evidence))
            elif _is_collapse(history, one, directions) and not _is_glitch(history, one, back[id(one)], directions):
                found.append(replace(one, evidence={**one.evidence, "recovered": True}))
            elif one.metric in regular:
                found.append(replace(one, severity="low", evidence={**one.evidence, "regular": True}))
            else:
                found.append(replace(one, severity="medium", evidence={**one.evidence, "recovered": True}))
        elif _is_harder_data(history, one, directions):
            found.append(replace(one, severity="medium", evidence={**one.evidence, "validation_kept": True}))
        elif _as_before(one, anomalies, back, history, directions):
            found.append(replace(one, severity="medium", evidence={**one.evidence, "as_before": True}))
        else:
            found.append(one)
    return tuple(sorted(found, key=lambda one: (-SEVERITIES.index(one.severity), one.step, one.metric, one.kind)))


def recovered_at(history: History, one: Anomaly, directions: Mapping[str, Direction]) -> float | None:
    """Return the step from which on a metric that fell is back where it was, to within a quarter of the fall.

    It is back where the median of the points after is, a twentieth of all (three at least, fifty at most): single good
    batches are no recovery. None where it never is.
    """
    direction = directions.get(one.metric)
    before = one.evidence.get("before", one.evidence.get("best"))
    if direction is None or before is None or not one.magnitude:
        return None
    clean = history.series[one.metric].clean
    worse = worsening(clean.values, direction)
    level = float(before) if direction == "lower" else -float(before)
    first = int(np.searchsorted(clean.steps, one.step))
    goal = level + _BACK * abs(one.magnitude)
    after = worse[first + 1 :]
    window = max(3, min(50, len(worse) // 20))
    if len(after) >= window:
        medians = np.median(np.lib.stride_tricks.sliding_window_view(after, window), axis=1)
        hits = np.flatnonzero((medians <= goal) & (after[: len(medians)] <= goal))
        if len(hits):
            return float(clean.steps[first + 1 + int(hits[0])])
    return None


def _times_untrained(history: History, one: Anomaly, directions: Mapping[str, Direction]) -> float:
    """Return how many times the largest value until then, that of the untrained model among them, a loss rose by."""
    clean = history.series[one.metric].clean
    largest = float(np.abs(clean.values[clean.steps < one.step]).max(initial=0.0))
    if directions[one.metric] != "lower" or largest <= 0:
        return 0.0
    return abs(one.magnitude or 0.0) / largest


def _is_collapse(history: History, one: Anomaly, directions: Mapping[str, Direction]) -> bool:
    """Return whether a fall lost most of what had been gained by then, as far as that stands above the noise.

    A loss has to have lost several times as much: it goes up and comes back with the learning rate, or after a batch.
    """
    clean = history.series[one.metric].clean
    worse = worsening(clean.values, directions[one.metric])
    at = int(np.searchsorted(clean.steps, one.step))
    ahead = worse[:at]
    if len(ahead) < 3:
        return False
    n = max(1, min(5, len(ahead) // 3))
    gained = float(np.median(ahead[:n]) - np.median(ahead[-n:]))
    lost = abs(one.magnitude or 0.0) / (_COLLAPSE if directions[one.metric] == "higher" else _EXPLOSION)
    return lost >= gained > _CLEAR * difference_sigma(ahead)


def _is_glitch(history: History, one: Anomaly, back: float | None, directions: Mapping[str, Direction]) -> bool:
    """Return whether a fall was over after two values at most of a longer series: no model learns anew so quickly.

    Where other metrics are logged more often, it was over in those as well.
    """
    steps = history.series[one.metric].clean.steps
    until = one.step if back is None else back
    lasted = int(((steps >= one.step) & (steps < until)).sum())
    if len(steps) < _LONG or lasted > 2:
        return False
    since = float(max(steps[steps < one.step], default=one.step))
    others = [name for name in directions if name != one.metric and name in history.series]
    lost = (_n_lost(history.series[name].clean, directions[name], since, until) for name in others)
    return all(n < _MANY_LOST for n in lost)


def _n_lost(clean: CleanSeries, direction: Direction, since: float, until: float) -> int:
    """Return how many values between two steps have lost half and more of what had been gained until the first."""
    worse = worsening(clean.values, direction)
    ahead, during = worse[clean.steps <= since], worse[(clean.steps > since) & (clean.steps < until)]
    if len(ahead) < 2 * _MANY_LOST:
        return 0
    level = float(np.median(ahead[-_MANY_LOST:]))
    gained = float(np.median(ahead[:_MANY_LOST])) - level
    return int((during > level + gained / 2).sum()) if gained > _CLEAR * difference_sigma(ahead) else 0


def _is_harder_data(history: History, one: Anomaly, directions: Mapping[str, Direction]) -> bool:
    """Return whether a training metric got worse for good while its validation metric kept all but a little."""
    if one.kind not in STEP_LIKE or one.severity not in ("high", "critical") or is_validation(one.metric):
        return False
    beside = [name for name in directions if is_validation(name) and counterpart(name, history.series) == one.metric]
    return any(_is_kept(history.series[name].clean, directions[name], one) for name in beside)


def _is_kept(clean: CleanSeries, direction: Direction, one: Anomaly) -> bool:
    """Return whether no value since an anomaly is worse than those just before by much of what was gained, or lost."""
    worse = worsening(clean.values, direction)
    ahead, since = worse[clean.steps < one.step], worse[clean.steps >= one.step]
    if min(len(ahead), len(since)) < _FEW_EVALUATIONS:
        return False
    level = float(np.median(ahead[-_FEW_EVALUATIONS:]))
    most = max(_KEPT * (float(ahead[0]) - level), _BACK * abs(one.magnitude or 0.0), 2 * difference_sigma(ahead))
    return float(since.max()) - level <= most


def _as_before(
    one: Anomaly,
    anomalies: Sequence[Anomaly],
    back: Mapping[int, float | None],
    history: History,
    directions: Mapping[str, Direction],
) -> bool:
    """Return whether a loss rose as it did before, when it came back within twice the time that is left."""
    if one.kind not in STEP_LIKE or one.severity not in ("high", "critical") or directions.get(one.metric) != "lower":
        return False
    left, size = span_of(history) - one.step, abs(one.magnitude or 0.0)
    return any(
        (end := back.get(id(other))) is not None
        and 2 * (end - other.step) >= left
        and 1.5 * abs(other.magnitude or 0.0) >= size
        for other in anomalies
        if other.metric == one.metric and other.step < one.step
    )


def _uncapped(history: History, one: Anomaly, back: dict[int, float | None]) -> Anomaly:
    """Return a fall of a training metric as bad as its size says, where it lasted to the end, far above its noise.

    While it goes on nobody knows that: batches are worse for a time, and come back.
    """
    after = history.series[one.metric].clean.steps if one.metric in history.series else np.array([])
    entry = metric_named(one.metric)
    if (
        one.kind != "sudden_drop"
        or one.severity != "medium"
        or is_validation(one.metric)
        or (entry is not None and entry.name == "reward")
        or back.get(id(one), 0.0) is not None
        or is_late(one, history)
        or one.evidence.get("z", 0.0) < _SURE
        or int((after >= one.step).sum()) < _LONG
    ):
        return one
    made = replace(one, severity=by_relative_size(float(one.evidence["relative"])))
    back[id(made)] = None
    return made


def incidents_of(
    history: History, anomalies: Sequence[Anomaly], directions: Mapping[str, Direction]
) -> tuple[Incident, ...]:
    """Return the incidents of anomalies that are medium or worse, the most important first.

    Args:
        history: of the run.
        anomalies: settled.
        directions: metric → how it improves.
    """
    together = _TOGETHER * span_of(history)
    groups: list[list[Anomaly]] = []
    ends: list[float] = []
    for one in sorted((one for one in anomalies if one.severity != "low"), key=lambda one: (one.step, one.metric)):
        end = _end(history, one, directions)
        at = next((at for at in range(len(groups) - 1, -1, -1) if _joins(groups[at], ends[at], one, together)), None)
        if at is None:
            groups.append([one])
            ends.append(end)
        else:
            groups[at].append(one)
            ends[at] = max(ends[at], end)
    found = [_incident(history, group, directions) for group in groups]
    merged = _repeats(found)
    return tuple(sorted(merged, key=lambda one: (-SEVERITIES.index(one.severity), one.onset[1])))


def _joins(group: Sequence[Anomaly], end: float, one: Anomaly, together: float) -> bool:
    """Return whether an anomaly belongs to a group: it begins with it, or soon after in a metric not back yet."""
    if _apart(group, one):
        return False
    late = max((other.step for other in group if other.metric == one.metric), default=None)
    if one.kind == "not_finite" and late is not None and one.evidence["in_a_row"] > 1:
        return True  # the row that the group reports already
    again = late is not None and one.step <= min(end, late + 2 * together)
    return again or one.step <= group[-1].step + together or (one.step <= end and _is_echo(group, one))


def _is_echo(group: Sequence[Anomaly], one: Anomaly) -> bool:
    """Return whether a divergence is an earlier shift of its metric, which is found again once it has lasted."""
    return one.kind == "divergence" and any(
        other.metric == one.metric
        and other.step < one.step
        and abs(other.evidence.get("after", math.inf) - one.evidence["now"]) <= _BACK * abs(one.magnitude or 0.0)
        for other in group
    )


def _apart(group: Sequence[Anomaly], one: Anomaly) -> bool:
    """Return whether an anomaly is another story than a group: overfitting is slow, and begins where all is well."""
    slow = ("overfitting_gap", "no_progress", "unscaled_start", "plateau", "oscillation")
    return (one.kind in slow) != (group[0].kind in slow)


def _end(history: History, one: Anomaly, directions: Mapping[str, Direction]) -> float:
    if one.kind in STEP_LIKE:
        back = recovered_at(history, one, directions)
        return span_of(history) if back is None else back
    if one.kind == "not_finite":
        later = [point.step for point in history.series[one.metric].points if point.step > one.step and point.finite]
        return min(later, default=span_of(history))
    return one.step if one.end_step is None else one.end_step


def _incident(history: History, group: Sequence[Anomaly], directions: Mapping[str, Direction]) -> Incident:
    severity = max((one.severity for one in group), key=SEVERITIES.index)
    no_echoes = [one for one in group if not _is_echo(group, one)]
    lead = min(no_echoes, key=lambda one: (-SEVERITIES.index(one.severity), -_weight(one), one.step))
    worst = [one for one in no_echoes if one.severity == lead.severity]
    interval = min((one.interval for one in worst if one.interval), key=lambda one: one[1], default=None)
    first = min(one.step for one in worst)
    onset = interval if interval is not None and interval[1] <= first else (first, first)
    back = recovered_at(history, lead, directions) if lead.kind in STEP_LIKE else None
    metrics = tuple(dict.fromkeys([lead.metric, *(one.metric for one in group)]))
    course: Course = "lasting" if back is None else "recovered"
    return Incident(lead, tuple(group), metrics, severity, onset, course, back, 1)


def _weight(one: Anomaly) -> float:
    """Return how much an anomaly says: what is not finite first, validation and sudden falls before others."""
    kind = {"not_finite": 4.0, "no_progress": 2.0, "overfitting_gap": 2.0, "sudden_drop": 1.5, "divergence": 1.0}
    return kind.get(one.kind, 0.5) + (1.0 if is_validation(one.metric) else 0.0)


def _repeats(found: Sequence[Incident]) -> list[Incident]:
    """Return the incidents with those made one that are the same again: of one metric and kind, back in between."""
    kept: list[Incident] = []
    for one in found:
        for at, other in enumerate(kept):
            if other.lead.metric == one.lead.metric and other.lead.kind == one.lead.kind and other.recovered_at:
                worst = min((other, one), key=lambda each: -SEVERITIES.index(each.severity))
                kept[at] = replace(
                    other,
                    lead=worst.lead,
                    anomalies=(*other.anomalies, *one.anomalies),
                    metrics=tuple(dict.fromkeys([*other.metrics, *one.metrics])),
                    severity=worst.severity,
                    course="repeated",
                    recovered_at=one.recovered_at,
                    times=other.times + one.times,
                )
                break
        else:
            kept.append(one)
    return kept

"""Which drop is to be explained, and when exactly it began: the training's own metrics are logged more often."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.causes.base import Onset, Reaction
from exaid_evals.anomalies.base import SEVERITIES, Anomaly
from exaid_evals.anomalies.robust import difference_sigma, worsening
from exaid_evals.runs.history import History, Point, Series
from exaid_evals.runs.metric_names import Direction, counterpart, is_ambiguous, is_validation

_DROPS = ("sudden_drop", "change_point", "not_finite", "divergence")
_TRAIN_Z = 9.0
"""A shift of a training metric alone is believed from here on: losses of batches have heavy tails."""
_PASSED_Z = 6.0
_BATCH_LOSS = "batch metrics"
_STRAY_AMONG, _STRAY_Z, _STRAY_SHARE = 120, 6.0, 0.06
_FEW, _SMALL_PART = 3, 0.25
_LEAP, _LEAP_Z, _EASED, _EASED_Z = 0.4, 3.0, 0.75, 2.0
_JUMP = 0.3
_MOST, _BESIDE = 6, 10


def onsets(
    history: History,
    anomalies: Sequence[Anomaly],
    directions: Mapping[str, Direction],
    primary: str | None = None,
) -> list[Onset]:
    """Return the drops that a cause may be looked for, the most telling first.

    Args:
        history: of the run.
        anomalies: of its metrics.
        directions: metric → how it improves.
        primary: the metric that counts; None takes validation metrics before others.
    """
    drops = [one for one in anomalies if _is_drop(one) and one.metric in directions and _sure(one, primary)]
    gaps = {one.metric: one for one in anomalies if one.kind == "overfitting_gap"}
    drops = [one for one in drops if one.metric not in gaps or not _is_part(history, one, gaps[one.metric])]
    if primary is not None:
        drops = [one for one in drops if one.metric == primary]
    if not drops:
        return []
    worst = max(drops, key=lambda one: (_rank(one, primary), -one.step))
    # Of drops that are nearly as bad the first is what the others follow from.
    peers = [
        one for one in drops if _rank(one, primary)[:2] == _rank(worst, primary)[:2] and _z(one) >= 0.5 * _z(worst)
    ]
    first = min(peers, key=lambda one: (one.step, -_z(one)))
    order = {one: at for at, one in enumerate(reversed(SEVERITIES))}
    rest = sorted((one for one in drops if one is not first), key=lambda one: (order[one.severity], -_z(one), one.step))
    return [_onset(history, anomalies, directions, one) for one in [first, *rest][:_MOST]]


def _is_drop(one: Anomaly) -> bool:
    """Return whether an anomaly has a moment at which something went wrong."""
    return one.kind in _DROPS or (one.kind == "no_progress" and "times_untrained" in one.evidence)


def _is_part(history: History, one: Anomaly, gap: Anomaly) -> bool:
    """Return whether a fall is one step of an overfitting that had begun before, or as gradual as that."""
    if one.step < gap.step:
        return False
    begun = (one.interval or (one.step, one.step))[0] > gap.step
    return is_gradual(history, one) or (begun and abs(one.magnitude or 0.0) < abs(gap.magnitude or 0.0) / 2)


def is_gradual(history: History, one: Anomaly) -> bool:
    """Return whether a metric nowhere moved by much of a fall at once."""
    clean = history.series[one.metric].clean
    at = int(np.searchsorted(clean.steps, one.step))
    jumps = np.abs(np.diff(clean.values[max(0, at - 2) : at + 3]))
    return bool(one.magnitude and len(jumps) and float(jumps.max()) < _JUMP * abs(one.magnitude))


def _onset(history: History, anomalies: Sequence[Anomaly], directions: Mapping[str, Direction], drop: Anomaly) -> Onset:
    interval = _narrowest(anomalies, drop)
    if "steps_back" in drop.evidence:  # by order of steps nothing is left of what was there before
        return Onset(drop, interval, Reaction(drop.metric, _z(drop), float(drop.evidence["relative"]), interval))
    train = training_reaction(history, anomalies, directions, drop, interval)
    if train is not None and train.z >= 5 and drop.metric != train.metric:
        interval = train.interval
    return Onset(drop, interval, train)


def _narrowest(anomalies: Sequence[Anomaly], drop: Anomaly) -> tuple[float, float]:
    """Return the narrowest interval, within its own, in which a detector found the fall of the metric."""
    low, high = drop.interval or (drop.step, drop.step)
    found = [one.interval for one in anomalies if one.metric == drop.metric and one.interval is not None]
    within = [(first, last) for first, last in found if low <= first <= last <= high]
    return min(within, key=lambda one: one[1] - one[0], default=(low, high))


def _sure(one: Anomaly, primary: str | None) -> bool:
    """Return whether an anomaly is a drop that a cause is looked for.

    A validation metric drifts, for it is taken on the same items every time: what comes suddenly counts, or is high. A
    training metric has heavy tails, for it is taken on other items every time: what lasts counts, or is high.
    """
    if one.severity in ("high", "critical"):
        return True
    if one.kind == "not_finite" or one.evidence.get("regular") or one.evidence.get("restart"):
        return False
    if one.severity == "low":  # an episode that passed: a process that died and came back leaves no more than that
        return one.kind == "change_point" and _z(one) >= _PASSED_Z
    if is_validation(one.metric) or one.metric == primary:
        return one.kind == "sudden_drop"
    return one.kind in ("change_point", "sudden_drop") and _z(one) >= _TRAIN_Z


def _rank(one: Anomaly, primary: str | None) -> tuple[int, bool, float]:
    undefined = one.kind == "not_finite" and one.severity == "critical"  # what follows from NaN explains nothing
    thrown = one.kind == "no_progress"
    preferred = 3 if one.metric == primary else 2 if undefined or thrown else int(is_validation(one.metric))
    passed = bool(one.evidence.get("recovered")) and "relearnt_since" not in one.evidence
    return preferred - 4 * passed, one.severity in ("high", "critical"), _z(one)


def _z(one: Anomaly) -> float:
    return float(one.evidence.get("z", 10.0))


def training_reaction(
    history: History,
    anomalies: Sequence[Anomaly],
    directions: Mapping[str, Direction],
    drop: Anomaly,
    interval: tuple[float, float],
) -> Reaction | None:
    """Return how the training reacted around a drop; None where nothing of it was logged.

    What is learnt again within an epoch or two leaves the level as it was; that it fell is known all the same.
    """
    fell = {
        one.metric: one
        for one in anomalies
        if one.kind == "sudden_drop" and one.severity != "low" and one.interval == interval
    }
    found = []
    beside = counterpart(drop.metric, history.series) if is_validation(drop.metric) else None
    for metric, series, direction in _training_series(history, directions):
        if metric != drop.metric:
            # The same metric on the training's own data would have lost about as much, had the model been harmed.
            like = drop.magnitude if metric == beside else None
            reaction = _reaction(series, direction, interval, abs(like or 0.0))
            own = fell.get(metric)
            if reaction is not None and own is not None and reaction.z < _PASSED_Z <= _z(own):
                reaction = replace(reaction, z=_z(own), relative=float(own.evidence["relative"]), quiet=False)
            if reaction is not None:
                found.append(reaction)
    worst = max(found, key=lambda one: (one.z >= 5, one.stray, one.z), default=None)
    leapt, eased = any(one.leapt for one in found), any(one.eased for one in found)
    return worst and replace(worst, leapt=leapt, eased=eased)


def _training_series(history: History, directions: Mapping[str, Direction]) -> list[tuple[str, Series, Direction]]:
    chosen = [
        (metric, series, directions[metric])
        for metric, series in history.series.items()
        if metric in directions
        and not is_validation(metric)
        and not is_ambiguous(metric, history.series)
        and _moves(series)
    ]
    points = [
        Point(row.step, row.metrics["loss"])
        for row in history.batches
        if row.phase == "train" and row.metrics.get("loss") is not None
    ]
    if points and not chosen:
        chosen.append((_BATCH_LOSS, Series(_BATCH_LOSS, tuple(points)), "lower"))
    return chosen


def _moves(series: Series) -> bool:
    """Return whether a metric is ever another: what is constant, such as a 0 throughout, shows nothing of the model."""
    return len(series.points) > len(series.clean) or bool(len(series.clean) and np.ptp(series.clean.values) > 0)


def _reaction(series: Series, direction: Direction, interval: tuple[float, float], expected: float) -> Reaction | None:
    steps, values = series.clean.steps, worsening(series.clean.values, direction)
    low, high = interval
    lost = _undefined_from(series, interval)
    if lost is not None:
        return Reaction(series.metric, 1e6, 1.0, lost, undefined=True)
    spacing = max(high - low, float(np.median(np.diff(steps))) if len(steps) > 1 else 1.0)
    n_around = 20
    before = np.flatnonzero(steps <= low - 3 * spacing)[-2 * n_around :]
    middle = np.flatnonzero((steps > low - 3 * spacing) & (steps <= high))
    after = np.flatnonzero(steps > high)[:n_around]
    if len(before) < 5 or len(after) + len(middle) < 3:
        return _as_ever(series, values, interval)
    at = _split(values, before, np.concatenate([middle, after]), len(middle))
    level = float(np.median(values[before]))
    # What stands at its best leaves that now and then, by one item of a batch at least.
    away = np.abs(values[before] - level)
    noise = max(_noise(values[before]), float(min(away[away > 0], default=0.0)))
    # The reaction may come with some delay, or pass before the evaluation that shows it.
    shifts = [
        float(np.median(values[start : start + 6])) - level for start in (at, int((after if len(after) else middle)[0]))
    ]
    shift = max(shifts)
    relative = shift / max(abs(level), 1e-12)
    if noise == 0:
        z = 0.0 if shift == 0 else float(np.copysign(1e6, shift))
    else:
        z = shift / (noise * float(np.sqrt(1 / 5 + np.pi / (2 * len(before)))))
    exact = (float(steps[at - 1]), float(steps[at])) if at else interval
    stray = _stray(values[steps <= low], values[steps > low])
    quiet = z < 5 and len(after) >= _FEW and _is_quiet(values[before], values[after], expected)
    fell = direction == "lower" and z < 5 and len(after) >= _FEW
    error = _error(values[before], len(after)) if fell else 0.0
    gone_on = _gone_on(steps[before], steps[after], values[before]) if fell else 1.0
    leapt = fell and _has_leapt(values[before], values[after], _LEAP * gone_on, _LEAP_Z * error)
    places = range(int([*middle, *after][0]), int(after[0]) + 1) if leapt else ()
    leapt = any(_is_another_scale(values[max(0, at - _BESIDE) : at], values[at : at + _BESIDE]) for at in places)
    eased = fell and _has_leapt(values[before], values[after] + _EASED_Z * error, _EASED * gone_on)
    return Reaction(
        series.metric, z, relative, exact if z >= 5 else interval, stray=stray, quiet=quiet, leapt=leapt, eased=eased
    )


def _has_leapt(before: NDArray[np.float64], after: NDArray[np.float64], most: float, least: float = 0.0) -> bool:
    """Return whether a loss fell to less than a part of what it was, and by at least so much."""
    late, now = float(np.median(np.array_split(before, 2)[1])), float(np.median(after))
    return 0 <= now < most * late and late - now >= least


def _gone_on(steps: NDArray[np.float64], later: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """Return the part of itself to which a loss would have fallen by later steps, had it gone on as it did."""
    (early, late), (first, last) = (
        [float(np.median(part)) for part in np.array_split(one, 2)] for one in (before, steps)
    )
    if not 0 < late < early:
        return 1.0 if late > 0 else 0.0
    return float((late / early) ** ((np.median(later) - last) / max(last - first, 1e-12)))


def _is_another_scale(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    """Return whether a loss is a small part of what it was just before, beyond noise of factors as it has near 0."""
    early, late = np.log(before[before > 0]), np.log(after[after > 0])
    if min(len(early), len(late)) < _FEW:
        return True
    fell = float(np.median(early) - np.median(late))
    return fell >= max(-math.log(_LEAP), _LEAP_Z * _error(early, len(late)))


def _error(before: NDArray[np.float64], n_after: int) -> float:
    """Return the standard error of the difference of the medians before and after."""
    return _noise(before) * float(np.sqrt(np.pi / 2 * (1 / len(before) + 1 / n_after)))


def _is_quiet(before: NDArray[np.float64], after: NDArray[np.float64], expected: float) -> bool:
    """Return whether all points after, as a whole, are as before, or worse by little of what was to be expected."""
    error = _error(before, len(after))
    shift = float(np.median(after) - np.median(before))
    return shift < 3 * error or shift + 3 * error < _SMALL_PART * expected


def _as_ever(series: Series, values: NDArray[np.float64], interval: tuple[float, float]) -> Reaction | None:
    """Return the reaction of a metric with too few points for a noise: that it did not get worse; None where it did."""
    early, late = values[series.clean.steps <= interval[0]][-5:], values[series.clean.steps > interval[0]][:5]
    if len(early) < _FEW or len(late) < 2 or float(late.max()) > float(early[-_FEW:].max()):
        return None
    shift = float(np.median(late) - np.median(early[-_FEW:]))
    return Reaction(series.metric, 0.0, shift / max(abs(float(np.median(early))), 1e-12), interval, quiet=True)


def _stray(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Return the share of values after that lie as far above the level as next to none before; 0.0 where few do."""
    before, after = before[-_STRAY_AMONG:], after[:_STRAY_AMONG]
    if len(before) < _STRAY_AMONG // 4 or len(after) < _STRAY_AMONG // 4:
        return 0.0
    level, noise = float(np.median(before)), _noise(before)
    far = level + max(_STRAY_Z * noise, 0.1 * abs(level))
    bad = after > far
    share, usual = float(bad.mean()), float((before > far).mean())
    # Bad batches are scattered from the first on; steps that get bad one after the other are a course. Three standard
    # deviations of what chance does with counts.
    early, late = (float(part.sum()) for part in np.array_split(bad, 2))
    in_a_row, by_chance = float((bad[1:] & bad[:-1]).sum()), share * float(bad.sum())
    scattered = in_a_row <= by_chance + 3 * by_chance**0.5 + 1 and late - early <= 3 * (late + early) ** 0.5
    return share if share >= _STRAY_SHARE + 3 * usual and scattered else 0.0


def _undefined_from(series: Series, interval: tuple[float, float]) -> tuple[float, float] | None:
    """Return last good and first bad step of a metric that is NaN or infinite at a drop, three times or to the end."""
    low, high = interval
    last_good, first_bad, run = low, high, 0
    for point in series.points:
        if not isinstance(point.value, float | int) or point.step < low - (high - low):
            continue
        if point.finite:
            if point.step > high:
                return None
            last_good, run = point.step, 0
            continue
        if run == 0:
            first_bad = point.step
        run += 1
        if run >= 3 or point is series.points[-1]:
            return last_good, first_bad
    return None


def _split(values: NDArray[np.float64], before: NDArray[np.int64], rest: NDArray[np.int64], n_middle: int) -> int:
    """Return the index from which on the values are another level than before: the split with the least deviations."""
    first = int(rest[0])
    level = float(np.median(values[before]))
    best, best_gain = first + max(n_middle - 1, 0), 0.0
    for at in range(first, first + n_middle + 1):
        window = values[at : at + 6]
        if len(window) == 0:
            break
        # As many points on either side: a level that holds up to here, and another one after.
        ahead = values[max(first - 1, at - 6) : at]
        gain = float(np.median(window)) - level - abs(float(np.median(ahead)) - level if len(ahead) else 0.0)
        if values[at] - level < min(3 * _noise(values[before]), 0.5 * (float(np.median(window)) - level)):
            continue
        if gain > best_gain:
            best, best_gain = at, gain
    # Medians pass over a point or two of the other level: the deviations from both levels say where those belong.
    there, passed = float(np.median(values[best : best + 6])), values[first:best]
    saved = np.abs(passed - level) - np.abs(passed - there)
    return best - int(np.argmax(np.cumsum([0.0, *saved[::-1]])))


def _noise(values: NDArray[np.float64]) -> float:
    return max(difference_sigma(values), 1.4826 * float(np.median(np.abs(values - np.median(values)))))

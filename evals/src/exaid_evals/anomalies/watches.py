"""All metrics of a training, each with those who watch it: what the monitor and the analysis both look through."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from exaid_evals.anomalies.base import Anomaly, DetectionSettings
from exaid_evals.anomalies.robust import MAD_TO_SIGMA, Stream
from exaid_evals.anomalies.streaming import NotFinite, StreamDetector, SuddenDrop
from exaid_evals.config.plugins import Kind
from exaid_evals.runs.history import LARGEST
from exaid_evals.runs.metric_names import (
    Direction,
    direction_of,
    is_validation,
    metric_named,
    names_phase,
    role_of_column,
    words_of,
)

MOST_METRICS = 10_000
"""Each takes some ten kilobytes. Names that hold a step or an item never end."""
_SURE_ALONE = 10.0
_SUPPORT = 2.0
_EXPLODES = 100.0
"""Chosen on the development half of the simulated runs of bench_monitor.py, where 7 of 240 clean runs are left with an
alarm, rather than 19, and no cause is lost."""


_BUILT_IN = "exaid_evals.anomalies.streaming"
DETECTORS = Kind(
    "detector",
    "exaid_evals.detectors",
    {
        "sudden_drop": f"{_BUILT_IN}:SuddenDrop",  # before the outlier that it would be
        "outlier": f"{_BUILT_IN}:Outlier",
        "divergence": f"{_BUILT_IN}:Divergence",
        "plateau": f"{_BUILT_IN}:Plateau",
    },
)
"""Each part is a class of the settings; see `streaming.StreamDetector`. Its anomalies are of a kind that there is."""


@cache
def _classes(others: tuple[str, ...]) -> tuple[Callable[[DetectionSettings], StreamDetector], ...]:
    return tuple(DETECTORS.find(name) for name in (*DETECTORS, *others))


def detectors(config: DetectionSettings) -> tuple[StreamDetector, ...]:
    """Return new detectors of finite values, for one metric.

    Raises:
        ConfigError: the settings name one that cannot be had.
    """
    return tuple(found(config) for found in _classes(config.detectors))


class Watch(NamedTuple):
    """One metric and those who watch it."""

    stream: Stream
    not_finite: NotFinite
    detectors: tuple[StreamDetector, ...]

    def update(self, step: float, value: float) -> list[Anomaly]:
        """Take the next value, finite or not, and return what it makes certain."""
        found = self.look(step, value)
        self.take(step, value)
        return found

    def look(self, step: float, value: float) -> list[Anomaly]:
        """Return what the next value makes certain, before it is taken."""
        stream = self.stream
        if abs(value) > LARGEST:
            value = math.inf
        found = self.not_finite.update(stream, step, value)
        if not math.isfinite(value):
            return [found] if found is not None else []
        worse = stream.sign * value
        anomalies: list[Anomaly] = []
        for detector in self.detectors:
            one = detector.update(stream, step, worse)
            if one is not None and not (one.kind == "outlier" and anomalies):
                anomalies.append(one)
                if one.kind == "sudden_drop":
                    # From here on the metric has another level, from which its outliers are reported.
                    stream.around.clear()
        return anomalies

    def take(self, step: float, value: float) -> None:
        """Take a value that was looked at."""
        if abs(value) <= LARGEST:  # false for NaN
            self.stream.add(step, self.stream.sign * value)

    def finish(self) -> list[Anomaly]:
        """Return what the end of the series makes certain."""
        drop = self.detectors[0]
        ended = [self.not_finite.finish(self.stream)]
        if isinstance(drop, SuddenDrop):
            ended.append(drop.finish(self.stream))
        return [one for one in ended if one is not None]


def watch(metric: str, config: DetectionSettings, known: Mapping[str, Direction] | None = None) -> Watch:
    """Begin to watch a metric.

    Args:
        metric: its name.
        config: settings.
        known: metric → direction; None takes those of the settings and of the name. A time or a throughput has a
            direction, and is none of the metrics that a training is judged by.
    """
    direction = direction_of(metric, config.directions if known is None else known)
    if role_of_column(metric) == "system" and metric not in config.directions:
        direction = None
    return Watch(Stream(metric, direction, config), NotFinite(), detectors(config))


class Watches:
    """Begins to watch a metric with its first value."""

    def __init__(
        self,
        config: DetectionSettings,
        *,
        metrics: Iterable[str] | None = None,
        directions: Mapping[str, Direction] | None = None,
    ) -> None:
        """Prepare.

        Args:
            config: settings.
            metrics: those that are watched; None watches all.
            directions: metric → direction, as the source or the user says; None takes those of the settings.

        Raises:
            ConfigError: the settings name a detector that cannot be had.
        """
        _classes(config.detectors)  # now, rather than when the first value comes
        self._config = config
        self._directions = directions
        self._chosen = frozenset(metrics or ())
        self._watches: dict[str, Watch | None] = {}
        self._restarts = Restarts()
        self._first = self._last = math.nan

    def update(self, step: float, row: Mapping[str, float], problem: Callable[[str], None]) -> list[Anomaly]:
        """Take the values of a step, and return what they make certain.

        Args:
            step: of the training.
            row: metric → value, finite or not.
            problem: called with metrics that are not watched since there are too many.
        """
        found = self._begun_again(step)
        looked: list[tuple[Watch, float]] = []
        watches = self._watches
        excused = self._restarts.update(step, row)
        for name, value in row.items():
            if name in watches:
                one = watches[name]
            elif len(watches) >= MOST_METRICS:
                problem(f"metrics beyond {MOST_METRICS} are not watched")
                continue
            else:
                wanted = not self._chosen or name in self._chosen
                one = watches[name] = watch(name, self._config, self._directions) if wanted else None
            if one is not None:
                one.stream.excused = excused
                found += one.look(step, value)
                looked.append((one, value))
        if found:
            beside = [(one.stream, one.stream.sign * value) for one, value in looked if math.isfinite(value)]
            found = [weighed(one, beside) for one in found]
            if any(is_reward(name) for name in row):
                found = [_of_policy(one) for one in found]
        for one, value in looked:  # last, since what stands beside a drop is held against what was before it too
            one.take(step, value)
        return found

    def _begun_again(self, step: float) -> list[Anomaly]:
        """Forget a training whose steps go back to the very first, as from fold to fold; return what its end tells."""
        ended: list[Anomaly] = []
        if step <= self._first < self._last:
            ended = self.finish()
            self._watches.clear()
            self._restarts = Restarts()
            self._first = step
        elif self._first != self._first:
            self._first = step
        self._last = step
        return ended

    def finish(self) -> list[Anomaly]:
        """Return what the end of the training makes certain."""
        return [found for one in self._watches.values() if one is not None for found in one.finish()]


_UNSEEN = 1.05
"""Times the highest rate until then, above which a rate is new."""
_CLIMB = 0.2
"""Of the cycle before: how long a rate may rise after its restart, as in a new warm-up."""


class Restarts:
    """Knows until which step what gets worse does so because the learning rate was restarted, or another phase begun.

    A warm restart raises the loss on purpose (Loshchilov and Hutter, 2017); a rate that the training has not seen
    before is not a restart. So does the next task of several, or a harder part of a curriculum, where a column says
    when it begins; what does not come back then is still reported for the validation.
    """

    def __init__(self) -> None:
        # last, highest, step of the last restart, the highest until then
        self._rates: dict[str, tuple[float, float, float, float]] = {}
        self._climbs: dict[str, float] = {}  # step until which the rate may rise
        self._until = -math.inf
        self.spans: list[tuple[float, float]] = []
        """Steps from and until which each restart excuses what gets worse."""
        self._phases: dict[str, tuple[float, float]] = {}  # value, step of its first
        self.phase_spans: list[tuple[float, float]] = []
        """Steps from and until which each new phase excuses what gets worse in the training."""

    def update(self, step: float, row: Mapping[str, float]) -> float:
        """Take the rates and phases of a step, and return until which step a drop is excused."""
        for name, value in row.items():
            if names_phase(name) and math.isfinite(value):
                self._phase(name, step, value)
                continue
            if name not in self._rates:
                entry = metric_named(name) if len(self._rates) < MOST_METRICS else None
                if entry is None or entry.name != "learning_rate":
                    continue
            last, highest, began, peak = self._rates.get(name, (value, value, step, math.inf))
            if value <= last:
                self._climbs.pop(name, None)
            climbs = step > self._climbs.get(name, math.inf)
            if (value > _UNSEEN * peak or climbs) and step < self._until:
                # It goes on to where the training never was, or rises as slowly as it fell: no more is excused.
                self._until = step
                self.spans = [(low, min(high, step)) for low, high in self.spans]
            if last > 0 and value >= 2 * last and value <= _UNSEEN * highest and not climbs:
                self._climbs.setdefault(name, step + _CLIMB * (step - began))
                # As long as the cycle before: in a cycle of the same or greater length the loss comes down again.
                self._until = max(self._until, step + 0.7 * (step - began))
                self.spans.append((step, self._until))
                began, peak = step, highest
            self._rates[name] = (value, max(highest, value), began, peak)
        return self._until

    def _phase(self, name: str, step: float, value: float) -> None:
        """Excuse what follows a new value of a phase, for half as long as the one before it lasted."""
        last, began = self._phases.setdefault(name, (value, step))
        if value != last:
            self._phases[name] = (value, step)
            self._until = max(self._until, step + 0.5 * (step - began))
            self.phase_spans.append((step, step + 0.5 * (step - began)))
            if "fold" in words_of(name):  # whose model is another
                self.spans.append(self.phase_spans[-1])


def is_reward(metric: str) -> bool:
    """Return whether a metric is what a policy is trained for."""
    entry = metric_named(metric)
    return entry is not None and entry.name == "reward"


def _of_policy(one: Anomaly) -> Anomaly:
    """Return what a loss beside a reward does as medium at most, unless it explodes.

    It is taken on what the policy meets, which is harder and worth more as the policy gets better.
    """
    before = one.evidence.get("best", one.evidence.get("before"))
    size = abs(one.magnitude or 0.0)
    if (
        one.kind not in ("divergence", "sudden_drop")
        or one.severity not in ("high", "critical")
        or before is None
        or is_reward(one.metric)
        or is_validation(one.metric)
        or direction_of(one.metric) != "lower"
        or size >= _EXPLODES * abs(before)
    ):
        return one
    return replace(one, severity="medium", evidence={**one.evidence, "beside_reward": True})


def weighed(drop: Anomaly, beside: Iterable[tuple[Stream, float]]) -> Anomaly:
    """Return a drop of severity high as a medium one, where nothing else of its phase got worse at its step.

    A loss has long tails: two bad batches, or one evaluation that is sure of a wrong answer, move it by five times its
    noise while the accuracy of the same batches stays. Damage moves both. What stands ten times above the noise is sure
    by itself, and so is what has nothing beside it.

    Args:
        drop: a sudden drop.
        beside: the metrics that were logged at the same step, its own among them: each as it was before, and its value,
            such that larger is worse.
    """
    z = drop.evidence.get("z")
    if drop.kind != "sudden_drop" or drop.severity != "high" or z is None or z >= _SURE_ALONE:
        return drop
    mine = _phase(drop.metric)
    others = [
        departure
        for stream, worse in beside
        if stream.metric != drop.metric
        and _phase(stream.metric) == mine
        and (departure := _departure(stream, worse)) is not None
    ]
    if not others or max(others) >= _SUPPORT:
        return drop
    return replace(drop, severity="medium", evidence={**drop.evidence, "z_beside": max(others)})


def _phase(metric: str) -> str:
    """Return the first word of a name of several: `train` of train_loss and train/acc, nothing of loss."""
    first, *more = re.split(r"[_/. -]+", metric)
    return first if more else ""


def _departure(stream: Stream, worse: float) -> float | None:
    """Return how much worse a value is than those before, in units of the noise; None where that means nothing."""
    if stream.direction is None or not stream.level.full:
        return None
    level = stream.level.median
    sigma = max(stream.noise, MAD_TO_SIGMA * stream.level.deviation(level))
    return (worse - level) / sigma if sigma > 0 else None

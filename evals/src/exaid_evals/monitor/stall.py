"""What only a training that goes on has: stalls, and values that its user will not have."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections.abc import Callable, Mapping

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.anomalies.robust import RunningMedian
from exaid_evals.config.base import load_config
from exaid_evals.config.request import Override
from exaid_evals.monitor.settings import AnomalyDetectionConfig, MonitoringConfig
from exaid_evals.runs.metric_names import direction_of

STEPS = "steps"
"""Stands for the metric of a stall."""
_LEAST_INTERVALS, _WINDOW = 5, 31
_LONGER, _MOST_LONGER = 1.5, 10.0
"""How much longer than the longest pause so far is a stall. A pause of over ten times the usual limit (a machine that
slept for a night) says nothing about the next one."""


class StallWatch:
    """Knows the usual time between steps, and whether the last one is too long ago.

    `check` may be called by anybody; `start` lets a daemon thread call it, which holds no training up at its end.
    A stall is reported once; the next step ends it.
    """

    def __init__(
        self,
        config: AnomalyDetectionConfig,
        clock: Callable[[], float],
        listener: Callable[[], Callable[[Anomaly], object] | None],
    ) -> None:
        """Make a watch.

        Args:
            config: `stall_factor`, `stall_min_seconds`.
            clock: seconds, monotonic.
            listener: returns what is called with a stall, by the watching thread; None where nobody is left. A weak
                reference, so that a monitor which is forgotten and not closed reports no stall after its training.
        """
        self._factor, self._least = config.stall_factor, config.stall_min_seconds
        self._clock, self._listener = clock, listener
        self._intervals = RunningMedian(_WINDOW)
        self._last: tuple[float, float] | None = None  # when, which step
        self._longest = 0.0
        self._stalled = False
        self._begin()

    def _begin(self) -> None:
        """Make what a forked process cannot take over: it has no thread, and a lock may be held for ever there."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self, step: float) -> None:
        """Note that a step was made."""
        if self._pid != os.getpid():
            self._begin()
        now = self._clock()
        with self._lock:
            if self._last is not None:
                waited = now - self._last[0]
                usual = self._usual()
                if usual is not None and waited <= _MOST_LONGER * usual:
                    self._longest = max(self._longest, waited)
                if not self._stalled:
                    self._intervals.add(waited)
            self._last, self._stalled = (now, step), False

    def check(self) -> Anomaly | None:
        """Return the stall that has begun, once."""
        now = self._clock()
        with self._lock:
            limit = self._limit()
            if limit is None or self._last is None or self._stalled:
                return None
            waited = now - self._last[0]
            if waited <= limit:
                return None
            self._stalled = True
            evidence = {"seconds_without_a_step": waited, "usual_seconds": self._intervals.median, "threshold": limit}
            return Anomaly(STEPS, "stall", self._last[1], waited, "high", "stall", evidence)

    def start(self, every: float | None = None) -> None:
        """Begin to watch in the background.

        Args:
            every: seconds between two looks; None takes a quarter of the least time of a stall, a second at most.
        """
        if self._thread is None:
            pause = every if every is not None else min(1.0, max(0.01, self._least / 4))
            self._thread = threading.Thread(
                target=_watch, args=(weakref.ref(self), self._stop, pause), name="exaid-stall-watch", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End the watching thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
            self._thread = None

    def _usual(self) -> float | None:
        if len(self._intervals) < _LEAST_INTERVALS:
            return None
        return max(self._factor * self._intervals.median, self._least)

    def _limit(self) -> float | None:
        usual = self._usual()
        # A pause that ended by itself, such as an evaluation, is not a stall when it comes again.
        return None if usual is None else max(usual, _LONGER * self._longest)

    def look(self) -> None:
        """Report a stall that has begun."""
        found, listener = self.check(), self._listener()
        if found is not None and listener is not None:
            listener(found)


def _watch(watch: weakref.ref[StallWatch], stop: threading.Event, pause: float) -> None:
    """Look now and then, until the watch is stopped or nobody has it any more."""
    while not stop.wait(pause):
        one = watch()
        if one is None:
            return
        one.look()
        del one


class Thresholds:
    """Reports each value that is worse than its metric may be."""

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._limits = {
            name: (limit, 1.0 if direction_of(name, config.directions) == "lower" else -1.0)
            for name, limit in config.alert_thresholds.items()
        }

    def beyond(self, step: float, row: Mapping[str, float]) -> list[Anomaly]:
        """Return an anomaly for each value beyond its threshold; what is not finite is reported elsewhere."""
        found = []
        for name, (limit, sign) in self._limits.items():
            value = row.get(name)
            if value is not None and math.isfinite(value) and sign * value > sign * limit:
                evidence = {"value": value, "threshold": limit}
                found.append(Anomaly(name, "threshold", step, value - limit, "high", "alert_threshold", evidence))
        return found


def with_thresholds(config: MonitoringConfig, thresholds: Mapping[str, float]) -> MonitoringConfig:
    """Return a configuration with further thresholds.

    Raises:
        ConfigError: one is not a number, or it is not known how its metric improves.
    """
    detection = config.anomaly_detection
    every = {**detection.alert_thresholds, **{str(name): limit for name, limit in thresholds.items()}}
    given = {**detection.model_dump(exclude_defaults=True), "alert_thresholds": every}
    where = "TrainingMonitor"
    checked = load_config(AnomalyDetectionConfig, None, {key: Override(value, where) for key, value in given.items()})
    return config.model_copy(update={"anomaly_detection": checked.value})

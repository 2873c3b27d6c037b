"""Watching a history that another process writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.monitor.stall import StallWatch
from exaid_evals.monitor.training_monitor import TrainingMonitor
from exaid_evals.runs.following import Follower, Row


@dataclass
class Watched:
    """What was seen.

    Attributes:
        on_anomaly: is called with each anomaly at once.
        n_steps: times that the step changed.
        metrics: their names, as keys in order of their first values.
        anomalies: all of them.
        interrupted: whether following was ended by hand, which is how it mostly ends.
        last_step: of the last row.
    """

    on_anomaly: Callable[[Anomaly], None]
    n_steps: int = 0
    metrics: dict[str, None] = field(default_factory=dict)
    anomalies: list[Anomaly] = field(default_factory=list)
    interrupted: bool = False
    last_step: float | None = None

    def take(self, rows: Sequence[Row], monitor: TrainingMonitor) -> None:
        """Feed rows of a history to a monitor."""
        for step, metrics in rows:
            self.n_steps += step != self.last_step
            self.last_step = step
            self.metrics.update(dict.fromkeys(metrics))
            self.note(monitor.log_step(step, metrics))

    def note(self, anomalies: Sequence[Anomaly]) -> None:
        """Keep anomalies, and pass each on."""
        for one in anomalies:
            self.anomalies.append(one)
            self.on_anomaly(one)


def watch(
    follower: Follower,
    monitor: TrainingMonitor,
    on_anomaly: Callable[[Anomaly], None],
    *,
    follow: bool = False,
    until_idle: float | None = None,
    interval: float = 1.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Watched:
    """Feed a monitor with what a history holds, and go on while it grows.

    Args:
        follower: of the history.
        monitor: its own watch for stalls must be off: steps come here in heaps.
        on_anomaly: is called with each anomaly at once.
        follow: go on after the end was reached.
        until_idle: end when nothing has come for so many seconds; None goes on until interrupted.
        interval: seconds between two looks.
        clock: seconds, monotonic.
        sleep: waits between two looks.

    Raises:
        DataError: the history cannot be read.
    """
    seen = Watched(on_anomaly)
    stall = StallWatch(monitor.config.anomaly_detection, clock, lambda: None)  # asked here, and no thread
    last_news, caught_up = clock(), False
    try:
        while True:
            rows = follower.poll()
            seen.take(rows, monitor)
            if rows:
                last_news = clock()
                if caught_up:  # what lay there already says nothing about the time between steps
                    stall.step(rows[-1].step)
                continue
            caught_up = True
            if not follow or (until_idle is not None and clock() - last_news >= until_idle):
                break
            found = stall.check()
            if found is not None:
                monitor.report(found)
                seen.note([found])
            sleep(interval)
    except KeyboardInterrupt:
        if not follow:
            raise
        seen.interrupted = True
    seen.take(follower.finish(), monitor)
    seen.note(monitor.finish())
    return seen

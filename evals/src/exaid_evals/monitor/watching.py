"""Watching a history that another process writes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.monitor.stall import StallWatch
from exaid_evals.monitor.training_monitor import TrainingMonitor
from exaid_evals.runs.following import Follower, Row


@dataclass
class Watched:
    """What was seen.

    Attributes:
        n_steps: times that the step changed.
        metrics: their names, as keys in order of their first values.
        anomalies: all of them.
        interrupted: whether following was ended by hand, which is how it mostly ends.
        last_step: of the last row.
    """

    n_steps: int
    metrics: dict[str, None]
    anomalies: list[Anomaly]
    interrupted: bool = False
    last_step: float | None = None


def watch(
    follower: Follower,
    monitor: TrainingMonitor,
    tell: Callable[[Anomaly], None],
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
        tell: is told of each anomaly at once.
        follow: go on after the end was reached.
        until_idle: end when nothing has come for so many seconds; None goes on until interrupted.
        interval: seconds between two looks.
        clock: seconds, monotonic.
        sleep: waits between two looks.

    Raises:
        DataError: the history cannot be read.
    """
    seen = Watched(0, {}, [])
    try:
        _watch(follower, monitor, tell, seen, (follow, until_idle, interval), clock, sleep)
    except KeyboardInterrupt:
        if not follow:
            raise
        seen.interrupted = True
    _feed(follower.finish(), monitor, tell, seen)
    for one in monitor.finish():
        seen.anomalies.append(one)
        tell(one)
    return seen


def _watch(
    follower: Follower,
    monitor: TrainingMonitor,
    tell: Callable[[Anomaly], None],
    seen: Watched,
    how: tuple[bool, float | None, float],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    follow, until_idle, interval = how
    stall = StallWatch(monitor.config.anomaly_detection, clock, lambda: None)  # asked here, and no thread
    last_news, caught_up = clock(), False
    while True:
        rows = follower.poll()
        _feed(rows, monitor, tell, seen)
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
            monitor.tell(found)
            seen.anomalies.append(found)
            tell(found)
        sleep(interval)


def _feed(rows: Sequence[Row], monitor: TrainingMonitor, tell: Callable[[Anomaly], None], seen: Watched) -> None:
    for step, metrics in rows:
        seen.n_steps += step != seen.last_step
        seen.last_step = step
        seen.metrics.update(dict.fromkeys(metrics))
        for one in monitor.log_step(step, metrics):
            seen.anomalies.append(one)
            tell(one)

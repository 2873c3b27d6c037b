"""Which anomalies ask for an answer, and the metric by which checkpoints are ranked and actions judged."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from exaid_evals.anomalies.base import SEVERITIES, Anomaly
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.settings import AutoRecoveryConfig
from exaid_evals.runs.metric_names import Direction, direction_of, is_validation

_WHERE = "auto_recovery.metric"


class Ranking:
    """A metric and its direction: those that were named, or the first validation metric that comes.

    Attributes:
        metric: its name; None until one has come.
        sign: 1.0, or −1.0 for a metric that improves upwards: value · sign is larger where it is worse.
    """

    def __init__(self, metric: str | None, directions: Mapping[str, Direction], *, resume: bool) -> None:
        """Take the metric that is named.

        Args:
            metric: None takes the first validation metric that comes.
            directions: of metrics, as the user says; they go before what names tell.
            resume: whether earlier checkpoints are to be ranked.

        Raises:
            ConfigError: it is not known how it improves; earlier checkpoints are to be ranked, and none is named.
        """
        self.metric: str | None = None
        self.sign = 1.0
        self._directions = directions
        if metric is None:
            if resume:
                raise ConfigError("resume needs the metric by name", where=_WHERE, remedy="name it as in the first run")
            return
        way = direction_of(metric, directions)
        if way is None:
            remedy = "say it under anomaly_detection.directions, or as direction="
            raise ConfigError(f"it is not known how {metric!r} improves", where=_WHERE, remedy=remedy)
        self._take(metric, way)

    def settle(self, metrics: Iterable[str]) -> None:
        """Take the first validation metric of a step whose direction is known, in alphabetical order, if none is."""
        if self.metric is not None:
            return
        for name in sorted(metrics):
            way = direction_of(name, self._directions)
            if way is not None and is_validation(name):
                self._take(name, way)
                return

    def worse(self, value: float) -> float:
        """Return a value such that larger is worse; what is not finite is worst."""
        return self.sign * value if math.isfinite(value) else math.inf

    def plain(self, level: float | None) -> float | None:
        """Return what `worse` made, as it was logged; None for what is not finite."""
        return self.sign * level if level is not None and math.isfinite(level) else None

    def _take(self, metric: str, way: Direction) -> None:
        self.metric, self.sign = metric, 1.0 if way == "lower" else -1.0


def is_over(one: Anomaly, latest: Mapping[str, float]) -> bool:
    """Return whether the metric has come back half of the way, or is finite again.

    Args:
        one: a drop, a divergence, or a value that was not finite.
        latest: metric → its latest value.
    """
    value = latest.get(one.metric)
    if value is None or not math.isfinite(value):
        return False
    if one.kind == "not_finite":
        return True
    good = one.evidence.get("before", one.evidence.get("best"))
    bad = one.evidence.get("after", one.evidence.get("now"))
    if good is None or bad is None:
        return True
    return abs(value - float(good)) < abs(value - float(bad))


_SPOILS = SEVERITIES.index("high")


class Alarm:
    """Remembers the worst anomaly that asks for an answer, until it was answered or has passed by itself.

    Attributes:
        pending: that anomaly; None where there is none.
        latest: metric → its latest value.
    """

    def __init__(self, config: AutoRecoveryConfig, ranking: Ranking, directions: Mapping[str, Direction]) -> None:
        self._least = SEVERITIES.index(config.rollback_severity)
        self._ranking, self._directions = ranking, directions
        self._was_finite: set[str] = set()
        self.pending: Anomaly | None = None
        self.latest: dict[str, float] = {}

    def take(self, row: Mapping[str, float]) -> None:
        """Take the values of a step."""
        self.latest.update(row)
        self._was_finite.update(name for name, value in row.items() if math.isfinite(value))

    def note(self, anomalies: Sequence[Anomaly], finite: Callable[[], bool]) -> None:
        """Look at the anomalies of a step.

        Args:
            anomalies: that were found.
            finite: tells whether the weights are; costs a look at all of them, so it is asked only where it decides.
        """
        if self.pending is not None and is_over(self.pending, self.latest):
            self.pending = None
        asking = [one for one in anomalies if self._asks(one, finite)]
        if asking:
            self.pending = max(asking, key=lambda one: SEVERITIES.index(one.severity))

    def spoils(self, anomalies: Sequence[Anomaly]) -> bool:
        """Return whether the state of this step is none to come back to.

        A metric other than the ranking one that is NaN says nothing about the weights, which are looked at themselves.
        """
        return self.pending is not None or any(
            SEVERITIES.index(one.severity) >= _SPOILS
            and one.kind != "threshold"  # a training begins beyond every threshold
            and (one.kind != "not_finite" or one.metric == self._ranking.metric)
            for one in anomalies
        )

    def _asks(self, one: Anomaly, finite: Callable[[], bool]) -> bool:
        """A drop, NaN or divergence of the ranking metric; of another metric what says that the training is damaged.

        A precision of 0/0 is NaN in a healthy training, and a norm of gradients is infinite now and then under mixed
        precision. So NaN of another metric counts where the weights are not finite either, or where it lasts, in a
        loss that was finite before. A divergence counts where the metric's direction is known.
        """
        if SEVERITIES.index(one.severity) < self._least:
            return False
        if one.metric == self._ranking.metric:
            return one.kind in ("sudden_drop", "not_finite", "divergence")
        way = direction_of(one.metric, self._directions)
        if one.kind == "not_finite":
            lasting = one.severity == "critical" and way == "lower" and one.metric in self._was_finite
            return lasting or not finite()
        return one.kind == "divergence" and way is not None

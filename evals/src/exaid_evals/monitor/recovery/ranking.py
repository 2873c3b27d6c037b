"""The metric by which checkpoints are ranked and actions judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from exaid_evals.errors import ConfigError
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

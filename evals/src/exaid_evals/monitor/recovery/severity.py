"""Which anomalies ask for an answer, and the one that waits for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from exaid_evals.anomalies.base import SEVERITIES, Anomaly
from exaid_evals.monitor.recovery.persistence import is_over
from exaid_evals.monitor.recovery.ranking import Ranking
from exaid_evals.monitor.settings import AutoRecoveryConfig
from exaid_evals.runs.metric_names import Direction, direction_of

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
        """Tell whether the state of this step is none to come back to.

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

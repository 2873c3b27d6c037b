"""When a checkpoint is kept."""

from __future__ import annotations

import math

from exaid_evals.anomalies.robust import MAD_TO_SIGMA
from exaid_evals.anomalies.running_median import RunningMedian
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.folder_lock import FolderLock
from exaid_evals.monitor.recovery.ranking import Ranking
from exaid_evals.monitor.recovery.training_state import TrainingState
from exaid_evals.monitor.settings import AutoRecoveryConfig

_WINDOW, _LEAST = 16, 5
_DIFFERENCE_TO_SIGMA = MAD_TO_SIGMA / math.sqrt(2)


class CheckpointPolicy:
    """Keeps the states that are better than every one before, and later ones that are as good.

    The best of many noisy values is mostly luck, and may be old: what lies between it and now is lost when a training
    comes back to it. So a value within the noise of the best counts as equal (σ of the metric from the median of its
    last differences, at most `tolerance` of the best), and of equals the later is the better checkpoint. The best
    by value always stays, so that equals of equals do not lead downwards.
    """

    def __init__(
        self, config: AutoRecoveryConfig, ranking: Ranking, store: CheckpointStore, folder_lock: FolderLock
    ) -> None:
        self._config, self._ranking, self._store, self._folder_lock = config, ranking, store, folder_lock
        self._differences = RunningMedian(_WINDOW)
        self._last: float | None = None
        self._kept_at = -math.inf

    def look(self, step: float, value: float, training_state: TrainingState, *, spoiled: bool) -> None:
        """Look at a finite value of the ranking metric, and keep the state that it is of, if that is worth it.

        Args:
            step: that was made.
            value: of the ranking metric.
            training_state: gives the state.
            spoiled: whether the state is none to come back to.

        Raises:
            ConfigError: the state holds what cannot be kept, or the folder is another training's.
            OSError: the checkpoint cannot be written.
        """
        if self._last is not None:
            self._differences.add(abs(value - self._last))
        self._last = value
        metric = self._ranking.metric
        if spoiled or metric is None or not self._wanted(step, value) or not training_state.finite():
            return
        self._folder_lock.take()
        self._store.save(training_state.state(), step, metric, value)
        self._kept_at = step

    def _wanted(self, step: float, value: float) -> bool:
        best = self._store.best_value
        if best is None:
            return True
        worse_by = self._ranking.worse(value) - self._ranking.worse(best)
        self._store.slack = slack = self._slack(best)
        if worse_by < 0:
            return True
        # A metric that is repeated at each step has no noise, and must not write a checkpoint at each step.
        return slack > 0 and worse_by <= slack and abs(step - self._kept_at) >= self._config.cooldown_steps

    def _slack(self, best: float) -> float:
        if len(self._differences) < _LEAST or self._config.keep_checkpoints == 1:
            return 0.0
        return min(_DIFFERENCE_TO_SIGMA * self._differences.median, self._config.tolerance * abs(best))

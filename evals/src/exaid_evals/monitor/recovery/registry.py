"""The strategies by name. One is added by adding a file, its line here, and its name in `settings.StrategyName`."""

from __future__ import annotations

from collections.abc import Callable

from exaid_evals.monitor.recovery.base import Strategy
from exaid_evals.monitor.recovery.early_stop import EarlyStop
from exaid_evals.monitor.recovery.reduce_learning_rate import ReduceLearningRate
from exaid_evals.monitor.recovery.rollback import Rollback

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "rollback": Rollback,
    "reduce_learning_rate": ReduceLearningRate,
    "early_stop": EarlyStop,
}

"""What is looked at when a training is attached to a recovery, before any work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from exaid_evals.errors import ConfigError
from exaid_evals.monitor.recovery.schedules import has_schedule, recomputes
from exaid_evals.monitor.recovery.training_state import TrainingState
from exaid_evals.monitor.settings import AutoRecoveryConfig


def attached(
    config: AutoRecoveryConfig,
    tell: Callable[[str], None],
    model: Any,
    optimizer: Any,
    scheduler: Any,
    parts: Mapping[str, Any] | None,
) -> TrainingState:
    """Return what is trained, if the configured strategies can work with it.

    Args:
        config: of the recovery.
        tell: is told of what works by half only.
        model: see `TrainingState`, as for what follows.
        optimizer: the same.
        scheduler: the same.
        parts: the same.

    Raises:
        ConfigError: something has no state that could be taken, or one that cannot be kept; no learning rate is found
            that could be lowered, or the scheduler would undo that.
    """
    training_state = TrainingState(model, optimizer, scheduler, parts)
    lowers = "reduce_learning_rate" in config.strategies
    leave_out = "leave reduce_learning_rate out of strategies"
    if lowers and not training_state.rates():
        remedy = f"attach the optimiser, or {leave_out}"
        raise ConfigError("no learning rate is found that could be lowered", where="strategies", remedy=remedy)
    if recomputes(scheduler):
        what = f"a {type(scheduler).__name__} computes the learning rate anew at each step, whatever it was lowered to"
        if lowers:
            raise ConfigError(what, where="strategies", remedy=leave_out)
        tell(f"{what}: a repeated rollback lowers it for one step only")
    if training_state.unkept is not None:
        tell(f"a rollback leaves the scheduler's counter where it is: {training_state.unkept}")
    if scheduler is None and has_schedule(optimizer):
        tell("the optimiser has a scheduler that is not attached: neither a rollback nor a lower rate reaches it")
    return training_state

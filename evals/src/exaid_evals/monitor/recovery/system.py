"""`AutoRecoverySystem`: the recovery that acts by itself, and by single calls of a training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping
from functools import cached_property
from typing import Any, cast

from exaid_evals.anomalies.base import SEVERITIES, Anomaly, AnomalyKind, Severity
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor.history_log import number_of
from exaid_evals.monitor.recovery.engine import RecoveryEngine
from exaid_evals.monitor.recovery.state_file import is_tensor
from exaid_evals.monitor.recovery.strategies import (
    Action,
    ActionOutcome,
    Context,
    Done,
    EarlyStop,
    ReduceLearningRate,
    Rollback,
    Strategy,
    rates_text,
)
from exaid_evals.monitor.recovery.training_state import TrainingState

__all__ = ["Action", "AutoRecoverySystem"]

_ROLLED_BACK = frozenset({"sudden_drop", "divergence", "not_finite"})
_REPORTED_ONLY = frozenset(
    {"outlier", "change_point", "oscillation", "overfitting_gap", "no_progress", "unscaled_start", "stall", "threshold"}
)
"""Kinds of anomalies that are reported to a person, and that ask for nothing by themselves."""

_ASKED = "the training loop asked for it"


class AutoRecoverySystem(RecoveryEngine):
    """Answers anomalies of a training; at most `max_actions` times, each time in the journal.

    By itself: `attach(model, optimizer)`, then `observe(step, metrics, monitor.log_step(step, metrics))` after each
    step. Or as the loop asks: `keep_checkpoint(step, metrics, model.state_dict())` after each validation, and
    `implement_recovery_strategy(anomaly, model.state_dict())` for an anomaly that is to be answered. Weights are put
    back in place, so that the model whose state it is has them.
    """

    def implement_recovery_strategy(
        self, anomaly: Anomaly | Mapping[str, Any], model_state: MutableMapping[str, Any] | None = None
    ) -> Action | None:
        """Answer an anomaly: a severe drop, divergence or NaN by a rollback, a plateau by a lower learning rate.

        The training is to end where a severe anomaly is of a kind that nothing here answers, where all actions are used
        up, and where the weights are not finite and there is no checkpoint. What is not severe is left alone, and so is
        what only a person can judge (a threshold, an outlier). Nothing raises that the training meets: problems are in
        `new_problems()` and the log.

        Args:
            anomaly: as `log_step` returns it, or a mapping with `type`, `severity`, `metric`, `step`.
            model_state: the model's state_dict(), into which a checkpoint is put back; not needed after `attach`.

        Returns:
            What was done; None for nothing.

        Raises:
            ConfigError: nothing is attached and no state is given; the folder is another training's.
        """
        one = _anomaly(anomaly, self._now)
        severe = SEVERITIES.index(one.severity) >= SEVERITIES.index(self._config.rollback_severity)
        if "plateau" in one.kind:
            return self._lowered(one, self._config.learning_rate_factor)
        if not severe or one.kind in _REPORTED_ONLY or self._should_stop or self._closed:
            return None
        if one.kind not in _ROLLED_BACK:
            return self.trigger_early_stopping(f"nothing answers a {one.kind.replace('_', ' ')} of {one.metric}")
        training_state = self._training(model_state)
        context = self._context(training_state, one)
        stop = EarlyStop().proposes(context)
        if stop is not None:
            return self._acted("early_stop", one, stop, lambda: EarlyStop().act(context))
        return self._rolled_back(context)

    def keep_checkpoint(
        self, step: float, metrics: Mapping[str, Any], model_state: MutableMapping[str, Any] | None = None
    ) -> None:
        """Keep a state, if it is better than those that were kept, or as good and later.

        Args:
            step: of the training.
            metrics: of the state; they are ranked by the metric that was given to the constructor, else by the first
                validation metric that comes and whose direction is known.
            model_state: the model's state_dict(); not needed after `attach`.

        Raises:
            ConfigError: nothing is attached and no state is given; it holds what cannot be kept; the folder is another
                training's.
            OSError: the checkpoint cannot be written.
        """
        row = {name: value for name, given in metrics.items() if (value := number_of(given)) is not None}
        self._alarm.take(row)
        self._ranking.settle(self._alarm.latest)
        self.store.larger_is_worse = self._ranking.sign > 0
        self._latest_step = step
        value = row.get(self._ranking.metric or "")
        if value is not None and value - value == 0:  # neither NaN nor infinite
            self._checkpoint_policy.look(step, value, self._training(model_state), spoiled=False)

    def rollback_to_checkpoint(self, model_state: MutableMapping[str, Any] | None = None) -> Action | None:
        """Put the best checkpoint back; None where there is none, which is a problem and no error.

        Raises:
            ConfigError: nothing is attached and no state is given; the folder is another training's.
        """
        return self._rolled_back(self._context(self._training(model_state), None))

    def adjust_learning_rate(self, factor: float = 0.5) -> Action | None:
        """Multiply every learning rate by a factor, but leave none below `min_learning_rate`.

        Raises:
            ConfigError: the factor is not above 0, or nothing with a learning rate is attached.
        """
        if not factor > 0:
            raise ConfigError(f"factor {factor}", where="adjust_learning_rate", remedy="give a number above 0")
        if self._training_state is None or not self._training_state.rates():
            remedy = "call attach(model, optimizer)"
            raise ConfigError("no learning rate is attached", where="AutoRecoverySystem", remedy=remedy)
        return self._lowered(None, factor)

    def trigger_early_stopping(self, reason: str = _ASKED) -> Action:
        """Ask for the end of the training: `should_stop` is true from now on."""
        self._folder_lock.take()
        trial = ActionOutcome(self._records.journal.n_records, self._now, "early_stop", None, (), None)
        return self._done(trial, reason, Done({"restored_step": None}, stop=True, counted=False))

    @cached_property
    def _rollback(self) -> Strategy:
        """The configured strategy, or one of its own: it counts how often a checkpoint was put back."""
        return next((one for one in self._strategies if one.name == Rollback.name), None) or Rollback()

    @property
    def _now(self) -> float:
        return self._latest_step if math.isfinite(self._latest_step) else 0.0

    def _rolled_back(self, context: Context) -> Action | None:
        if not self.store.ranked:
            self._records.problem(f"no checkpoint is in {self.journal_file.parent}: nothing can be put back")
            return None
        reason = self._rollback.proposes(context) or _ASKED
        return self._acted(Rollback.name, context.severe, reason, lambda: self._rollback.act(context))

    def _lowered(self, plateau: Anomaly | None, factor: float) -> Action | None:
        training_state = self._training_state
        if training_state is None or not training_state.rates():
            self._records.problem("no learning rate is attached that could be lowered: call attach(model, optimizer)")
            return None
        config = self._config.model_copy(update={"learning_rate_factor": factor})
        context = Context(self._now, None, plateau, 1, training_state, self.store, config)
        before = [rate.get() for rate in training_state.rates()]
        if factor < 1 and not any(rate > config.min_learning_rate for rate in before):
            return None
        reason = _ASKED if plateau is None else f"{plateau.metric} is on a plateau"
        if factor < 1:
            return self._acted(ReduceLearningRate.name, plateau, reason, lambda: ReduceLearningRate().act(context))

        def raised() -> Done:
            training_state.scale_rates([factor] * len(before))
            after = rates_text([rate.get() for rate in training_state.rates()])
            return Done({"learning_rate_before": rates_text(before), "learning_rate_after": after})

        return self._acted(ReduceLearningRate.name, plateau, reason, raised)

    def _acted(
        self, strategy: str, cause: Anomaly | None, reason: str, act: Callable[[], Done | None]
    ) -> Action | None:
        """Act, and take note of it; what fails is noted too, since the training has to go on."""
        self._folder_lock.take()
        step = self._now if cause is None else cause.step
        try:
            done = act()
        except Exception as error:  # a state that does not fit raises whatever the model raises
            self._records.problem(f"{strategy} failed: {type(error).__name__}: {error}")
            return None
        finally:
            self._records.refused()
        if done is None:
            return None
        index = self._records.journal.n_records
        return self._done(ActionOutcome(index, step, strategy, cause, (), done.undo), reason, done)

    def _context(self, training_state: TrainingState, severe: Anomaly | None) -> Context:
        left = max(0, self._config.max_actions - self._counted)
        step = self._now if severe is None else severe.step
        return Context(step, severe, None, left, training_state, self.store, self._config)

    def _training(self, model_state: MutableMapping[str, Any] | None) -> TrainingState:
        if self._training_state is not None:
            return self._training_state
        if model_state is None:
            remedy = "call attach(model, optimizer), or give model.state_dict()"
            raise ConfigError("nothing is attached", where="AutoRecoverySystem", remedy=remedy)
        return TrainingState(_InPlace(model_state))


class _InPlace:
    """A model that is known by its state alone: arrays and tensors of it are written to, which are the weights."""

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        self._state = state

    def state_dict(self) -> MutableMapping[str, Any]:
        return self._state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        _require_same_form(self._state, state, "model_state")
        _write(self._state, state)


def _require_same_form(held: Any, given: Any, where: str) -> None:
    """Compare before anything is written.

    Raises:
        DataError: keys or shapes differ.
    """
    remedy = "give the state of the model whose checkpoints these are"
    if isinstance(held, Mapping):
        if not isinstance(given, Mapping) or set(held) != set(given):
            raise DataError("has other entries than the checkpoint", where=where, remedy=remedy)
        for key, value in held.items():
            _require_same_form(value, given[key], f"{where}[{key!r}]")
    elif getattr(held, "shape", None) != getattr(given, "shape", None):
        raise DataError("has another shape in the checkpoint", where=where, remedy=remedy)


def _write(held: Any, given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if isinstance(held[key], Mapping):
            _write(held[key], value)
        elif is_tensor(held[key]):
            held[key].copy_(value)
        elif hasattr(held[key], "shape") and hasattr(held[key], "__setitem__"):
            held[key][...] = value
        else:
            held[key] = value


def _anomaly(given: Anomaly | Mapping[str, Any], step: float) -> Anomaly:
    """Return an anomaly as it is, or from a mapping; one that says nothing of its severity is severe.

    Raises:
        ConfigError: it has no type, or a severity that there is not.
    """
    if isinstance(given, Anomaly):
        return given
    kind, severity = given.get("type", given.get("kind")), given.get("severity", "high")
    if not isinstance(kind, str) or severity not in SEVERITIES:
        remedy = f"give type and severity ({', '.join(SEVERITIES)})"
        raise ConfigError(f"{dict(given)!r:.200} is not an anomaly", where="implement_recovery_strategy", remedy=remedy)
    size = number_of(given.get("drop_magnitude", given.get("magnitude")))
    at = number_of(given.get("step"))
    return Anomaly(
        str(given.get("metric", "the metric")), cast("AnomalyKind", kind), step if at is None else at, size,
        cast("Severity", severity), "training loop",
    )  # fmt: skip

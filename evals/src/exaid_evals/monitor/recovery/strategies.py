"""The ways to answer anomalies: what a strategy sees and does, and those that ship."""

from __future__ import annotations

import io
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, Protocol

from exaid_evals.anomalies.base import Anomaly, described
from exaid_evals.anomalies.robust import MAD_TO_SIGMA
from exaid_evals.monitor.recovery.checkpoints import Checkpoint, CheckpointStore
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.monitor.recovery.training_state import TrainingState
from exaid_evals.monitor.settings import AutoRecoveryConfig

Details = Mapping[str, float | str | bool | None]


@dataclass(frozen=True, slots=True)
class Context:
    """The training as strategies see it.

    Attributes:
        step: that was just made.
        severe: the anomaly that has to be answered; None where there is none.
        plateau: of the ranking metric; None where there is none.
        actions_left: before the configured number is reached.
        training_state: what is being trained.
        store: its checkpoints.
        config: of the recovery.
    """

    step: float
    severe: Anomaly | None
    plateau: Anomaly | None
    actions_left: int
    training_state: TrainingState
    store: CheckpointStore
    config: AutoRecoveryConfig


@dataclass(frozen=True)
class Done:
    """What a strategy did.

    Attributes:
        details: for the journal.
        undo: puts things back as they were before; None where that cannot be.
        stop: whether the training is to end.
        counted: whether it is one of the configured number of actions, and is judged.
    """

    details: Details = field(default_factory=dict)
    undo: Callable[[], None] | None = None
    stop: bool = False
    counted: bool = True


class Strategy(Protocol):
    """One way to answer anomalies."""

    name: str
    counted: bool
    """Whether its actions, and attempts that failed, use up the configured number, and are judged."""

    def proposes(self, context: Context) -> str | None:
        """Return the reason to act now; None where there is none."""

    def act(self, context: Context) -> Done | None:
        """Act; None where it turned out that nothing can be done, and the next strategy is asked."""


def rates_text(values: Sequence[float]) -> str:
    """Return learning rates as a record holds them: as text, since records round numbers to 6 decimals."""
    return ", ".join(f"{value:.6g}" for value in dict.fromkeys(values))


OutcomeName = Literal["kept", "undone", "not_undoable", "not_judged", "superseded", "open"]


@dataclass(frozen=True, slots=True)
class Action:
    """What was done after a step, or undone.

    Attributes:
        index: of its record in the journal.
        step: after which it was done.
        strategy: that did it; `undo` for one that was taken back.
        reason: in words.
        details: as in the journal.
    """

    index: int
    step: float
    strategy: str
    reason: str
    details: Details


@dataclass
class ActionOutcome:
    """An action whose effect is not known yet. Values are such that larger is worse; NaN counts as worst.

    Attributes:
        index: of the action's record.
        step: after which it acted.
        strategy: that acted.
        cause: the anomaly that was answered; None for a plateau.
        before: the last values before the action, at most as many as it is judged by.
        undo: puts things back; None where that cannot be.
        after: the values since.
    """

    index: int
    step: float
    strategy: str
    cause: Anomaly | None
    before: tuple[float, ...]
    undo: Callable[[], None] | None
    after: list[float] = field(default_factory=list)

    def level_before(self) -> float | None:
        """Return the median before; None where there was no value."""
        return median(self.before) if self.before else None

    def level_after(self) -> float | None:
        """Return the median after; None where there is no value yet."""
        return median(self.after) if self.after else None

    def worse(self, tolerance: float) -> bool:
        """Return whether the median after is worse than that before.

        By more than `tolerance` of the level, and by more than twice the noise of the values before, as far as those
        say anything about it: 1.4826 · MAD, from three values on.
        """
        before, after = self.level_before(), self.level_after()
        if before is None or after is None:
            return False
        if not math.isfinite(before):
            return False
        noise = 0.0
        if len(self.before) >= 3:
            noise = MAD_TO_SIGMA * median(abs(value - before) for value in self.before)
        return after - before > max(tolerance * abs(before), 2 * noise)


_log = logging.getLogger("exaid_evals.monitor")


class Held:
    """A copy of a training's state: what state_dict() returns is mostly the weights themselves."""

    def __init__(self, training_state: TrainingState) -> None:
        """Copy it.

        Raises:
            ConfigError: the state holds what cannot be kept.
        """
        self._training_state = training_state
        stream = io.BytesIO()
        write_state(stream, training_state.state())
        self._data = stream.getvalue()

    def restore(self) -> None:
        """Load the copy.

        Raises:
            Exception: whatever the model raises where the state does not fit it any more; it then is as it was.
        """
        now = Held(self._training_state)
        try:
            self._training_state.load(read_state(self._data, "the state before the action"))
        except Exception:
            now.restore_after_failure()
            raise

    def restore_after_failure(self) -> None:
        """Load the copy over what was loaded by half; a failure of this too is only reported."""
        try:
            self._training_state.load(read_state(self._data, "the state before the action"))
        except Exception as error:  # whatever the model raises; the first failure is on its way already
            _log.error("recovery: the state before the failure cannot be put back (%s)", type(error).__name__)


def put_back_best(training_state: TrainingState, store: CheckpointStore, held: Held) -> Checkpoint | None:
    """Load the best checkpoint that can be believed and fits; None where there is none.

    One that does not fit is given up where a later one does: it is then no fault of the model's.

    Raises:
        Exception: whatever the model raised of the best, where none fits.
    """
    failed: list[tuple[Checkpoint, Exception]] = []
    for checkpoint, state in store.believed():
        try:
            training_state.load(state)
        except Exception as error:
            held.restore_after_failure()  # a state that does not fit may have been put in by half
            failed.append((checkpoint, error))
            continue
        for one, why in failed:
            store.give_up(one, f"the checkpoint of step {one.step:g} does not fit ({type(why).__name__}: {why})")
        return checkpoint
    if failed:
        raise failed[0][1]
    return None


class Rollback:
    """Answers a severe anomaly with the best checkpoint's weights and optimiser, its learning rate included.

    Coming back to the same checkpoint means that what went wrong goes wrong from there: each time after the first,
    the learning rate is lowered by a further factor.
    """

    name = "rollback"
    counted = True

    def __init__(self) -> None:
        self._times: Counter[int] = Counter()

    def proposes(self, context: Context) -> str | None:
        """Return the severe anomaly in words."""
        if context.severe is None or not context.actions_left or not context.store.ranked:
            return None
        return described(context.severe)

    def act(self, context: Context) -> Done | None:
        """Load the best checkpoint that can be believed and fits; None where there is none."""
        rates = [rate.get() for rate in context.training_state.rates()]
        sound = context.training_state.sound()  # what holds NaN is nothing to come back to
        held = Held(context.training_state)
        checkpoint = put_back_best(context.training_state, context.store, held)
        if checkpoint is None:
            return None
        again = self._times[checkpoint.number]
        if again:
            try:
                factor = context.config.learning_rate_factor**again
                context.training_state.scale_rates([factor] * len(context.training_state.rates()))
            except Exception:
                held.restore_after_failure()
                raise
        self._times[checkpoint.number] += 1
        details: Details = {
            "checkpoint_step": checkpoint.step,
            "checkpoint_value": checkpoint.value,
            "times_before": again,
            "learning_rate_before": rates_text(rates),
            "learning_rate_after": rates_text([rate.get() for rate in context.training_state.rates()]),
        }
        return Done(details, held.restore if sound else None)


class ReduceLearningRate:
    """Multiplies every learning rate by `learning_rate_factor`, down to `min_learning_rate`."""

    name = "reduce_learning_rate"
    counted = True

    def proposes(self, context: Context) -> str | None:
        """Return the plateau in words, where a learning rate can still be lowered."""
        if context.plateau is None or context.severe is not None or not context.actions_left:
            return None
        least = context.config.min_learning_rate
        return (
            described(context.plateau) if any(rate.get() > least for rate in context.training_state.rates()) else None
        )

    def act(self, context: Context) -> Done | None:
        """Lower the rates; undoing multiplies them back, so that a schedule's own course stays."""
        before = [rate.get() for rate in context.training_state.rates()]
        least, factor = context.config.min_learning_rate, context.config.learning_rate_factor
        factors = [max(factor, least / rate) if rate > least else 1.0 for rate in before]
        context.training_state.scale_rates(factors)
        after = [rate.get() for rate in context.training_state.rates()]
        return Done(
            {"learning_rate_before": rates_text(before), "learning_rate_after": rates_text(after)},
            lambda: context.training_state.scale_rates([1 / one for one in factors]),
        )


class EarlyStop:
    """Stops when a severe anomaly comes after the last action, or when the weights are NaN and no checkpoint helps.

    The best checkpoint is put back, if there is one: what the training then returns is the best that it had.
    """

    name = "early_stop"
    counted = False

    def proposes(self, context: Context) -> str | None:
        """Return why the training cannot go on."""
        if context.severe is None:
            return None
        if not context.actions_left:
            return f"{described(context.severe)}, and all {context.config.max_actions} actions are used up"
        rolls_back = "rollback" in context.config.strategies
        if (not rolls_back or not context.store.ranked) and not context.training_state.finite():
            return f"{described(context.severe)}, the weights are not finite, and no checkpoint can be put back"
        return None

    def act(self, context: Context) -> Done | None:
        """Ask for the end, also where the weights cannot be put back."""
        try:
            checkpoint = put_back_best(context.training_state, context.store, Held(context.training_state))
            if checkpoint is None:
                return Done({"restored_step": None}, stop=True, counted=False)
        except Exception as error:  # whatever a model raises: it would go on training what is broken
            return Done({"restored_step": None, "error": type(error).__name__}, stop=True, counted=False)
        return Done({"restored_step": checkpoint.step}, stop=True, counted=False)

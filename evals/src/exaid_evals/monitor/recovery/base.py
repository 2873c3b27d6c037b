"""What a strategy is, what an action is, and whether it made things worse."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, Protocol

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.anomalies.robust import MAD_TO_SIGMA
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
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

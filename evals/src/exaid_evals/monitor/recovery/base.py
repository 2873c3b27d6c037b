"""What a strategy is: it looks at the training after a step, proposes to do something, and does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exaid_evals.anomalies.base import Anomaly
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

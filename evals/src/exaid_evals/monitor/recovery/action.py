"""What the recovery did after a step, as it tells the training and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from exaid_evals.monitor.recovery.base import Details

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

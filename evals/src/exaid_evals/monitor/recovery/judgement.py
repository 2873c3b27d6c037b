"""Whether an action made things worse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.anomalies.robust import MAD_TO_SIGMA


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
        """Tell whether the median after is worse than that before.

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

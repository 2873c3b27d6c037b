"""A metric that ends far worse than it once was, however slowly it got there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from exaid_evals.anomalies.base import Anomaly, by_relative_size
from exaid_evals.anomalies.robust import difference_sigma, worsening
from exaid_evals.anomalies.watches import is_reward
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction, counterpart, is_validation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_GROUPS, _SMALLEST, _FEWEST = 40, 3, 24
_OF_LEVEL, _OF_GAIN = {"lower": 0.4, "higher": 0.25}, {"lower": 0.25, "higher": 0.4}
_CLEAR, _PRECEDENT, _STAYED, _END = 8.0, 1.5, 0.6, 8


class LostGain:
    """Holds the medians of groups of values at the end against the best such median.

    What was lost must be two fifths of the level and a quarter of all that was gained (of a metric that improves
    upwards a quarter and two fifths), stand eight times above the noise of such medians, be half as large again as
    anything that was lost before and made up, and last for the last eighth of the run. A validation metric whose
    training goes on is left to the detector of overfitting; rewards, and the losses beside them, to that of divergence:
    they are taken under a policy that changes.
    """

    name = "lost_gain"

    def find_in(
        self,
        series: Mapping[str, Series],
        directions: Mapping[str, Direction],
        found: Sequence[Anomaly],
        excused: Sequence[tuple[float, float]],
    ) -> list[Anomaly]:
        """Return the metrics that no anomaly of high severity speaks of yet.

        Args:
            series: metric → its series.
            directions: metric → how it improves.
            found: anomalies so far.
            excused: steps from and until which the method makes metrics worse; what ends there says nothing.
        """
        known = {one.metric for one in found if one.severity in ("high", "critical")}
        overfits = any(one.kind == "overfitting_gap" for one in found)
        rewarded = any(is_reward(name) for name in series)
        every = {name: one for name, part in series.items() if (one := self._of(part, directions, excused)) is not None}
        lost = []
        for metric, one in every.items():
            beside = counterpart(metric, series) if is_validation(metric) else None
            learns_by_heart = overfits or (beside is not None and beside not in every and beside not in known)
            other = learns_by_heart if is_validation(metric) else rewarded
            lost += [] if other or metric in known else [one]
        return lost

    def _of(
        self, part: Series, directions: Mapping[str, Direction], excused: Sequence[tuple[float, float]]
    ) -> Anomaly | None:
        import numpy as np

        direction = directions.get(part.metric)
        if direction is None:
            return None
        values = worsening(part.clean.values, direction)
        if len(values) < _FEWEST:
            return None
        size = max(_SMALLEST, len(values) // _GROUPS)
        medians = np.median(values[len(values) % size :].reshape(-1, size), axis=1)
        last = medians[-max(2, len(medians) // _END) :]
        at, end = int(np.argmin(medians)), float(np.median(last))
        best = float(medians[at])
        lost, gained = end - best, float(medians[0]) - best
        needed = max(_OF_LEVEL[direction] * abs(best), _OF_GAIN[direction] * gained)
        noise = difference_sigma(values) * (np.pi / 2 / size) ** 0.5
        earlier = _made_up(medians[: at + 1])
        if lost <= max(needed, _CLEAR * noise, _PRECEDENT * earlier) or float(last.min()) < best + _STAYED * lost:
            return None
        first = int(np.flatnonzero(values[len(values) % size + at * size :] > best + lost / 2)[0])
        step = float(part.clean.steps[len(values) % size + at * size + first])
        if any(high >= step for _, high in excused):
            return None
        sign = 1.0 if direction == "lower" else -1.0
        severity = by_relative_size(lost / (max(abs(best), gained) or 1.0))
        evidence = {"best": sign * best, "now": sign * end, "needed": needed}
        return Anomaly(part.metric, "divergence", step, sign * lost, severity, self.name, evidence)


def _made_up(medians: NDArray[np.float64]) -> float:
    """Return the most that a metric, up to its best, ever stood above the best before."""
    import numpy as np

    return float((medians - np.minimum.accumulate(medians)).max(initial=0.0))

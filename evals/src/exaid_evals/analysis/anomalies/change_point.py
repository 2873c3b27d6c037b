"""Shifts of a metric's level, each with an interval in which the change lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.analysis.anomalies.robust import difference_sigma
from exaid_evals.analysis.settings import ChangePointSettings
from exaid_evals.config.extras import optional
from exaid_evals.errors import DataError
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DROP_OF_FIT = 1.92
"""Half the 95 % quantile of χ² with one degree of freedom: by how much the log likelihood may be less."""


_LARGE = 0.5
"""Of a metric without a direction (a learning rate, a norm) a shift counts that is large and comes at once."""


class ChangePoint:
    """Searches exactly (PELT of Killick et al., 2012, by ruptures) for shifts of the mean.

    The signal is divided by its robust noise and the penalty is `penalty` · log n, so that it neither depends on units
    nor on the length of the run; every index may be a change (`jump` is 1). The interval of a change holds the
    indices at which a change would explain its two segments nearly as well: a log likelihood at most 1.92 lower.
    """

    name = "change_point"

    def __init__(self, settings: ChangePointSettings | None = None) -> None:
        self._settings = settings or ChangePointSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the shifts for the worse; where no direction is known, those that are large and abrupt."""
        steps, values = series.clean.steps, series.clean.values
        group = -(-len(values) // self._settings.max_points)
        if group > 1:
            steps, values = _grouped(steps, group)[:, 0], _grouped(values, group).mean(axis=1)
        sigma = difference_sigma(values)
        size = self._settings.min_size
        if len(values) < 2 * size or sigma == 0:
            return []
        signal = values / sigma
        changes = change_indices(signal, self._settings)
        bounds = [0, *changes, len(signal)]
        found = []
        for number, at in enumerate(changes, start=1):
            before, after = signal[bounds[number - 1] : at], signal[at : bounds[number + 1]]
            shift = float(after.mean() - before.mean())
            worse = shift if direction == "lower" else -shift
            z = abs(shift) / (1 / len(before) + 1 / len(after)) ** 0.5
            if z < self._settings.min_z or (direction is not None and worse <= 0):
                continue
            low, high = location(signal[bounds[number - 1] : bounds[number + 1]], at - bounds[number - 1])
            relative = abs(shift) / max(abs(float(before.mean())), 1e-12)
            if direction is None and (relative < _LARGE or abs(signal[at] - signal[at - 1]) < abs(shift) / 2):
                continue
            found.append(
                Anomaly(
                    series.metric,
                    "change_point",
                    float(steps[at]),
                    shift * sigma,
                    by_relative_size(relative, z) if direction is not None else "low",
                    self.name,
                    {
                        "before": float(before.mean()) * sigma,
                        "after": float(after.mean()) * sigma,
                        "relative": relative,
                        "z": z,
                        "noise": sigma,
                        "penalty": penalty_of(len(signal), self._settings),
                    },
                    (float(steps[bounds[number - 1] + low - 1]), float(steps[bounds[number - 1] + high])),
                )
            )
        return found


def change_indices(signal: NDArray[np.float64], settings: ChangePointSettings) -> list[int]:
    """Return the first index of each segment but the first.

    Args:
        signal: shape (n,), in units of its noise.
        settings: penalty and least size of a segment.

    Raises:
        DataError: the signal holds NaN or infinity, for which ruptures would find changes everywhere.
        MissingDependencyError: ruptures is not installed.
    """
    import numpy as np

    if not np.isfinite(signal).all():
        wrong = int(np.flatnonzero(~np.isfinite(signal))[0])
        raise DataError(
            f"change points of a signal with NaN or infinity (first at index {wrong})",
            remedy="search in `Series.clean`, which holds the finite points",
        )
    if len(signal) < 2 * settings.min_size or float(np.ptp(signal)) == 0:
        return []
    ruptures = optional("ruptures", "ruptures", "the search for change points")
    # The linear kernel is the cost of shifts of the mean; this class is written in C, and its jump is 1.
    search = ruptures.KernelCPD(kernel="linear", min_size=settings.min_size)
    return [int(at) for at in search.fit(signal.reshape(-1, 1)).predict(pen=penalty_of(len(signal), settings))[:-1]]


def penalty_of(n: int, settings: ChangePointSettings) -> float:
    """Return the cost of one more change: `penalty` · log n, for unit noise."""
    import numpy as np

    return settings.penalty * float(np.log(max(n, 2)))


def location(both: NDArray[np.float64], at: int) -> tuple[int, int]:
    """Return the first and last index at which a change within two joined segments fits nearly as well as at `at`."""
    import numpy as np

    n = len(both)
    sums = np.cumsum(both)
    splits = np.arange(1, n)
    gain = sums[:-1] ** 2 / splits + (sums[-1] - sums[:-1]) ** 2 / (n - splits)
    near = splits[gain >= gain[at - 1] - 2 * _DROP_OF_FIT]
    low = high = at
    inside = set(near.tolist())
    while low - 1 in inside:
        low -= 1
    while high + 1 in inside:
        high += 1
    return low, high


def _grouped(values: NDArray[np.float64], group: int) -> NDArray[np.float64]:
    whole = len(values) // group * group
    return values[:whole].reshape(-1, group)

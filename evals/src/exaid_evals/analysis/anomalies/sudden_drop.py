"""A metric that gets much worse from one point to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.analysis.anomalies.robust import MAD_TO_SIGMA, difference_sigma, rolling_before, worsening
from exaid_evals.analysis.settings import SuddenDropSettings
from exaid_evals.runs.history import Series
from exaid_evals.runs.metric_names import Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_AFTER = (1, 3, 6)


class SuddenDrop:
    """Holds the median of the next 1, 3 and 6 points against the median of the points before.

    A fall must pass the absolute and the relative threshold, and stand `min_z` times above its own noise: σ, the
    larger of 1.4826 · MAD of the points before and of the noise of the series' differences, times
    √(1/k + π/2w) for k points after and the median of w points before. It must stand as far above the series' other
    falls and rises of this kind, whose spread is larger where neighbouring points resemble each other.
    """

    name = "sudden_drop"

    def __init__(self, settings: SuddenDropSettings | None = None) -> None:
        self._settings = settings or SuddenDropSettings()

    def find(self, series: Series, direction: Direction | None) -> Sequence[Anomaly]:
        """Return the drops; of neighbouring points that show the same one, the first is its step."""
        import numpy as np

        steps, values = series.clean.steps, series.clean.values
        window = self._settings.window
        if direction is None or len(values) < window + 2:
            return []
        worse = worsening(values, direction)
        level, spread = rolling_before(worse, window)
        sigma = np.maximum(spread, difference_sigma(worse))
        thresholds = self._settings.per_metric.get(series.metric, self._settings)
        needed = np.maximum(thresholds.absolute, thresholds.relative * np.abs(level))
        best_z, best_fall = np.full(len(worse), -np.inf), np.zeros(len(worse))
        for k in _AFTER:
            falls = _median_after(worse, k) - level
            noise = sigma * np.sqrt(1 / k + np.pi / (2 * window))
            # A series without any noise (a constant) has fallen for certain; 1e6 stands for that in the evidence.
            scores = np.where(noise > 0, falls / np.where(noise > 0, noise, 1.0), np.where(falls > 0, 1e6, 0.0))
            scores = np.minimum(scores, _against_own_kind(falls))
            scores = np.where((falls >= needed) & (falls > 0), scores, -np.inf)
            better = scores > best_z
            best_z, best_fall = np.where(better, scores, best_z), np.where(better, falls, best_fall)
        found = []
        for first, last in _stretches(best_z >= self._settings.min_z, window):
            top = first + int(np.argmax(best_z[first : last + 1]))
            at = _foot(worse, level, best_fall[top], first, top)
            before, fall, z = float(level[top]), float(best_fall[top]), float(best_z[top])
            sign = 1.0 if direction == "lower" else -1.0
            relative = fall / abs(before) if before else 1.0
            found.append(
                Anomaly(
                    series.metric,
                    "sudden_drop",
                    float(steps[at]),
                    sign * fall,
                    by_relative_size(relative, z),
                    self.name,
                    {
                        "before": sign * before,
                        "after": sign * (before + fall),
                        "relative": relative,
                        "z": z,
                        "noise": float(sigma[top]),
                        "threshold": float(needed[top]),
                    },
                    (float(steps[at - 1]), float(steps[at])),
                )
            )
        return found


def _against_own_kind(fall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how many robust standard deviations each fall stands above all falls and rises of the series."""
    import numpy as np

    known = fall[np.isfinite(fall)]
    if len(known) < 10:
        return np.full(len(fall), np.inf)
    middle = float(np.median(known))
    # Of those below the median alone: a drop that lasts is seen from every point of the window after it.
    spread = MAD_TO_SIGMA * float(np.median(middle - known[known <= middle]))
    return (fall - middle) / spread if spread > 0 else np.where(fall > middle, np.inf, 0.0)


def _median_after(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the median of each point and the k − 1 after it; NaN where there are not as many."""
    import numpy as np

    found = np.full(len(values), np.nan)
    if len(values) >= k:
        found[: len(values) - k + 1] = np.median(np.lib.stride_tricks.sliding_window_view(values, k), axis=1)
    return found


def _stretches(hit: NDArray[np.bool_], window: int) -> list[tuple[int, int]]:
    """Return first and last index of each group of hits that lie closer together than the window."""
    import numpy as np

    found: list[tuple[int, int]] = []
    for at in map(int, np.flatnonzero(hit)):
        if found and at - found[-1][1] < window:
            found[-1] = (found[-1][0], at)
        else:
            found.append((at, at))
    return found


def _foot(worse: NDArray[np.float64], level: NDArray[np.float64], fall: float, first: int, top: int) -> int:
    """Return the first point at least half-way down: medians of the points after see a drop before it is there."""
    for at in range(first, min(top + _AFTER[-1], len(worse))):
        if worse[at] - level[top] >= fall / 2:
            return at
    return top

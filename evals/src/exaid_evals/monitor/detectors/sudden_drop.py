"""A metric that gets much worse from one value to the next."""

from __future__ import annotations

import math
from typing import Any

from exaid_evals.analysis.anomalies.base import Anomaly, by_relative_size
from exaid_evals.analysis.anomalies.robust import MAD_TO_SIGMA
from exaid_evals.monitor.detectors.stream import Stream
from exaid_evals.monitor.settings import AnomalyDetectionConfig

_CERTAIN = 4.0
"""A fall this many times the least z, and by a quarter of the level, needs no second value."""
_NO_NOISE = 1e6
"""Stands in the evidence for the z of a fall from a constant, which is certain."""


class SuddenDrop:
    """Holds a value against the median of the `drop_window` values before.

    A fall must pass the relative threshold and stand `drop_min_z` times above σ · √(1/k + π/2w), for k values after
    and the median of w before; σ is the larger of 1.4826 · MAD of the window and of the noise of differences. A single
    value (k = 1) is told of at once only where it is unmistakable; else the second one has to confirm it, since single
    bad values are what losses of batches are made of. A lasting drop is told of once.
    """

    name = "sudden_drop"

    def __init__(self, config: AnomalyDetectionConfig) -> None:
        self._relative = config.performance_drop_threshold
        self._min_z = config.drop_min_z
        self._window = config.drop_window
        self._pending: tuple[float, float, float, float] | None = None  # step before, step, level, sigma
        self._told: tuple[int, float] | None = None  # values until a new drop can be seen, and what ends this one

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the next value; a drop's step is that of the first value that shows it."""
        if stream.direction is None:
            return None
        if self._told is not None:
            left, recovered = self._told
            self._told = (left - 1, recovered) if left > 1 and worse > recovered else None
            return None
        if self._pending is not None:
            before, at, level, sigma = self._pending
            self._pending = None
            return self._judged(stream, (before, at), level, sigma, worse, k=2)
        if not stream.level.full:
            return None
        level = stream.level.median
        if worse - level <= self._relative * abs(level):
            return None
        sigma = max(stream.noise, MAD_TO_SIGMA * stream.level.deviation(level))
        return self._judged(stream, (stream.last_step, step), level, sigma, worse, k=1)

    def _judged(
        self, stream: Stream, interval: tuple[float, float], level: float, sigma: float, worse: float, *, k: int
    ) -> Anomaly | None:
        fall = worse - level
        relative = fall / abs(level) if level else 1.0
        if fall <= 0 or relative < self._relative:
            return None
        noise = sigma * math.sqrt(1 / k + math.pi / (2 * self._window))
        z = min(fall / noise, _NO_NOISE) if noise > 0 else _NO_NOISE
        if z < self._min_z:
            return None
        if k == 1 and not (z >= _CERTAIN * self._min_z and relative >= 0.25):
            self._pending = (*interval, level, sigma)
            return None
        self._told = (self._window, level + fall / 2)
        sign = stream.sign
        evidence: dict[str, Any] = {"before": sign * level, "after": sign * worse, "relative": relative, "z": z}
        return Anomaly(
            stream.metric, "sudden_drop", interval[1], sign * fall, by_relative_size(relative, z), self.name,
            evidence, interval,
        )  # fmt: skip

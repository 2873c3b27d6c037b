"""Detectors that see one value at a time: drops, outliers, divergence, plateaus, and what is not finite."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from exaid_evals.anomalies.base import SEVERITIES, Anomaly, DetectionSettings, DropThreshold, Severity, by_relative_size
from exaid_evals.anomalies.robust import MAD_TO_SIGMA, RunningMedian, Stream
from exaid_evals.runs.metric_names import is_validation

_NO_NOISE = 1e6
"""Stands in the evidence for the z of a fall from a constant, which is certain."""
_MOST_WAITED = 50
_PRECEDENT = 1.5
_REMEMBERED = 32
_MANY, _HALF = 50, 0.5
_FEW = 5.0


class StreamDetector(Protocol):
    """Watches one metric for one kind of anomaly; each metric has detectors of its own."""

    name: str

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the next value, and return the anomaly that it makes certain.

        Args:
            stream: what came before the value.
            step: of the value.
            worse: the value, or its negative where the metric improves upwards; finite, except for the detector of
                what is not.
        """


def patience(n: int) -> int:
    """Return how many values must show a change before it lasts: a fiftieth of those so far.

    Of ten evaluations one says much; of ten thousand batches, twenty bad ones are an episode that every long training
    has, and comes back from.
    """
    return max(1, min(_MOST_WAITED, n // 50))


@dataclass
class _Excursion:
    """Values far on the bad side of a level, for as long as it is not reported or over."""

    interval: tuple[float, float]
    level: float
    sigma: float
    swing: float
    needed: float
    target: int
    values: RunningMedian = field(default_factory=lambda: RunningMedian(_MOST_WAITED))
    n: int = 0
    back: int = 0

    @property
    def fall(self) -> float:
        return self.values.median - self.level

    def take(self, worse: float) -> None:
        self.values.add(worse)
        self.n += 1
        # A value below half of the fall is back; two in a row end it, for noise alone brings one back now and then.
        self.back = self.back + 1 if worse - self.level < 0.5 * max(self.fall, self.needed) else 0


class SuddenDrop:
    """Holds values against the median of the `drop_window` values before the first bad one.

    A fall must pass the thresholds (relative to the level, or to what was gained if that is more), stand `drop_min_z`
    times above σ · √(1/k + π/2w) for k values after and the median of w before, and as far above the series' own
    swings; σ is the noise of differences, and while swings are not known yet 1.4826 · MAD of the window if that is
    more. It must last for `patience` values, and be half as large again as any earlier one of this length that came
    back: what a metric does again and again belongs to its method. In a short series one value is enough where it is
    unmistakable. Of a metric that is none of validation, in a series of fifty and more, less than half is medium.
    """

    name = "sudden_drop"

    def __init__(self, config: DetectionSettings) -> None:
        self._config = config
        self._open: _Excursion | None = None
        self._reported = False
        self._past: list[tuple[int, float]] = []

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the next value; a drop's step is that of the first value that shows it."""
        if stream.direction is None:
            return None
        if self._open is None:
            self._open = self._begun(stream, step, worse)
            if self._open is None:
                return None
        one = self._open
        one.take(worse)
        if one.back >= 2 or (one.back and one.n <= 2):
            self._past = [*self._past[1 - _REMEMBERED :], (max(1, one.n - one.back), one.fall)]
            self._open, self._reported = None, False
            return None
        found = None if self._reported else self._judged(stream, one)
        if one.n >= max(_MOST_WAITED, 10 * one.target):  # this is the level now, from which it may fall again
            self._open, self._reported = None, False
        return found

    def finish(self, stream: Stream) -> Anomaly | None:
        """Return the drop that the end of the series leaves unconfirmed, if it is unmistakable."""
        one = self._open
        if one is None or self._reported or one.back or one.n < min(3, one.target):
            return None
        one.target = one.n
        return self._judged(stream, one)

    def _begun(self, stream: Stream, step: float, worse: float) -> _Excursion | None:
        if not stream.knows_level:
            return None
        level = stream.level.median
        known = self._config.drop_thresholds.get(stream.metric)
        threshold = known or DropThreshold(relative=self._config.performance_drop_threshold)
        needed = max(threshold.absolute, threshold.relative * stream.scale(level))
        if worse - level <= needed:
            return None
        sigma = stream.noise
        if not stream.knows_swing or not sigma:
            sigma = max(sigma, MAD_TO_SIGMA * stream.level.deviation(level))
            if not is_validation(stream.metric):  # of a few differences of batches the median may be far too small
                sigma *= 1 + (_FEW / stream.n) ** 2
        if worse - level < self._config.drop_min_z * sigma:
            return None
        interval = (stream.last_step, step)
        return _Excursion(interval, level, sigma, stream.swing, needed, patience(stream.n))

    def _judged(self, stream: Stream, one: _Excursion) -> Anomaly | None:
        if one.n < one.target:
            return None
        fall = one.fall
        if fall < one.needed:
            return None
        noise = one.sigma * math.sqrt(1 / one.n + math.pi / (2 * self._config.drop_window))
        z = min(fall / noise, _NO_NOISE) if noise > 0 else _NO_NOISE
        relative = fall / stream.scale(one.level)
        if z < self._config.drop_min_z or fall < self._config.drop_min_z * one.swing:
            return None
        least = 2 if is_validation(stream.metric) else 3  # a batch is bad by chance, and the next one may be, too
        if one.n < least and not _certain(z / self._config.drop_min_z, relative, stream.metric):
            return None
        if fall < _PRECEDENT * max((past for n, past in self._past if 2 * n >= one.n), default=0.0):
            return None
        self._reported = True
        sign = stream.sign
        after = sign * (one.level + fall)
        evidence: dict[str, Any] = {"before": sign * one.level, "after": after, "relative": relative, "z": z}
        severity = by_relative_size(relative, z)
        if stream.n >= _MANY and not is_validation(stream.metric) and relative < _HALF and severity != "low":
            # What is taken on other data each time, or of a model that explores, goes up and down by that much.
            severity = "medium"
        if one.interval[1] <= stream.excused:
            severity, evidence["restart"] = "low", True
        return Anomaly(
            stream.metric, "sudden_drop", one.interval[1], sign * fall, severity, self.name, evidence, one.interval
        )


def _certain(z: float, relative: float, metric: str) -> bool:
    """Return whether a single value is enough, by its z as a multiple of the least, and its share of the scale.

    One of a validation metric, which is a mean over many items, says more than one of a batch.
    """
    return (z >= 4 and relative >= 0.25) or (z >= 1.5 and relative >= 0.5 and is_validation(metric))


class Outlier:
    """Scores each value by (value − median) / σ of the window before it (Iglewicz and Hoaglin, 1993).

    σ is the larger of 1.4826 · MAD of the window and the noise of differences. What is constant and has no direction
    has no outliers: a schedule moves in steps. Of a metric whose direction is known only what is worse counts. A single
    value harms little by itself: it is low, and medium from four times the threshold.
    """

    name = "outlier"

    def __init__(self, config: DetectionSettings) -> None:
        self._threshold = config.outlier_threshold

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the next value."""
        around = stream.around
        if not around.full:
            return None
        median = around.median
        distance = worse - median
        if distance < 0 and stream.direction is not None:
            return None
        # The spread of the window costs more than all the rest, and can only make a score smaller.
        noise = stream.noise
        if abs(distance) < self._threshold * noise:
            return None
        spread = around.deviation(median)
        if spread == 0 and stream.direction is None:
            return None
        sigma = max(noise, MAD_TO_SIGMA * spread)
        if sigma == 0 or abs(distance) < self._threshold * sigma:
            return None
        score, sign = distance / sigma, stream.sign
        wild = stream.direction is not None and score >= 4 * self._threshold and distance >= stream.scale(median)
        evidence = {"value": sign * worse, "median": sign * median, "z": sign * score, "threshold": self._threshold}
        severity: Severity = "medium" if wild else "low"
        return Anomaly(stream.metric, "outlier", step, sign * distance, severity, self.name, evidence)


class Divergence:
    """Compares the median of the last five values with the best such median.

    For a metric that improves downwards and is positive (a loss), the last must be `divergence_factor` times the best,
    and have lost a quarter of what was gained since the start; others must have lost 1 − 1/factor of what was gained.
    What was lost must stand five times above noise and swings, for a tenth of the values so far; where the metric is
    worse by twice its gain, for `patience` values. It is reported again only after half of it was made up.
    """

    name = "divergence"

    def __init__(self, config: DetectionSettings) -> None:
        self._factor = config.divergence_factor
        self._ends_at: float | None = None
        self._since: tuple[int, float] | None = None  # values so far, first step

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the values so far, and the next one's step."""
        if stream.direction is None or stream.best is None:
            return None
        now, best = stream.short.median, stream.best
        if self._ends_at is not None:
            if now <= self._ends_at:
                self._ends_at = None
            return None
        lost = now - best
        needed = self._needed(stream, best)
        # A reward wanders; a loss that creeps up must not be measured by its creeping.
        swing = stream.swing if stream.direction == "higher" else stream.quick_swing
        if needed is None or lost < needed or lost < 5 * max(stream.noise, swing):
            self._since = None
            return None
        count, began = self._since or (0, stream.last_step)
        self._since = (count + 1, began)
        exploded = lost >= max(2 * stream.gained, needed) and lost >= abs(best)
        if count + 1 < (patience(stream.n) if exploded else max(3, min(200, stream.n // 10))):
            return None
        self._since, self._ends_at = None, best + lost / 2
        sign = stream.sign
        noise = stream.noise
        severity = by_relative_size(lost / stream.scale(best), lost / noise if noise > 0 else None)
        if began <= stream.excused:
            severity = "low"
        evidence = {"best": sign * best, "now": sign * now, "needed": needed}
        return Anomaly(stream.metric, "divergence", began, sign * lost, severity, self.name, evidence)

    def _needed(self, stream: Stream, best: float) -> float | None:
        if stream.direction == "lower" and best > 0:
            return max((self._factor - 1) * best, 0.25 * stream.gained)
        return (1 - 1 / self._factor) * stream.gained if stream.gained > 0 else None


class Plateau:
    """Waits for the median of the last five values to improve by a share of all that was gained.

    `plateau_patience` values without that are a plateau, and each further `plateau_patience` values another one. A
    metric that never improved by more than its noise is on none: that is what other detectors look at.
    """

    name = "plateau"

    def __init__(self, config: DetectionSettings) -> None:
        self._patience = config.plateau_patience
        self._tolerance = config.plateau_tolerance
        self._reference: float | None = None
        self._since = 0
        self._began = 0.0

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at the best so far."""
        best = stream.best
        if stream.direction is None or best is None:
            return None
        gained = stream.gained
        if self._reference is None or self._reference - best > self._tolerance * gained:
            self._reference, self._since, self._began = best, 0, step
            return None
        self._since += 1
        if self._since % self._patience or gained <= 3 * stream.noise:
            return None
        evidence = {"values": self._since, "best": stream.sign * best, "gained_before": gained}
        return Anomaly(stream.metric, "plateau", self._began, 0.0, "low", self.name, evidence, end_step=step)


class NotFinite:
    """Reports the first value, the third in a row, and then each time of twice as many.

    A single one is low where nothing came before it (a precision of 0/0 at the start), else medium, high in a loss;
    from three in a row it is critical in a loss, high in another metric of known direction, and medium elsewhere.
    """

    name = "not_finite"

    def __init__(self) -> None:
        self._in_a_row = 0
        self._next = 1
        self._began = 0.0
        self._kind = "nan"

    def update(self, stream: Stream, step: float, worse: float) -> Anomaly | None:
        """Look at a value of any kind; a finite one ends a row."""
        if math.isfinite(worse):
            self._in_a_row, self._next = 0, 1
            return None
        self._in_a_row += 1
        self._kind = "nan" if math.isnan(worse) else "infinite"
        if self._in_a_row == 1:
            self._began = step
        if self._in_a_row < self._next:
            return None
        self._next = 3 if self._in_a_row == 1 else 2 * self._in_a_row
        return self._anomaly(stream, step)

    def finish(self, stream: Stream) -> Anomaly | None:
        """Return the row that lasts to the end, where it was not reported as severe."""
        if not self._in_a_row or self._in_a_row >= 3 or not stream.n:
            return None
        return self._anomaly(stream, self._began, at_the_end=True)

    def _anomaly(self, stream: Stream, step: float, *, at_the_end: bool = False) -> Anomaly:
        loss, known = stream.direction == "lower", stream.direction is not None
        if self._in_a_row >= 3 or at_the_end:
            degree = 3 if loss else 2 if known else 1
        else:
            degree = 0 if not stream.n or not known else 2 if loss and stream.n > 1 else 1
        evidence: dict[str, Any] = {"value": self._kind, "in_a_row": self._in_a_row}
        if at_the_end:
            evidence["to_the_end"] = True
        interval = None if math.isnan(stream.last_step) else (stream.last_step, self._began)
        return Anomaly(stream.metric, "not_finite", step, None, SEVERITIES[degree], self.name, evidence, interval)

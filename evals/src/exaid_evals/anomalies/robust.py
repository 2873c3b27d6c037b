"""Levels and noise that a few wild points cannot move, of a whole series and of one as it comes; and its rhythm."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from typing import TYPE_CHECKING

from exaid_evals.anomalies.base import DetectionSettings
from exaid_evals.runs.metric_names import Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation (Rousseeuw and Croux, 1993)."""


def difference_sigma(values: NDArray[np.float64]) -> float:
    """Return the noise of a series that may have a trend: 1.4826 · MAD of its differences / √2.

    Args:
        values: shape (n,), finite.

    Returns:
        0 for fewer than three values or a constant series.
    """
    import numpy as np

    if len(values) < 3:
        return 0.0
    differences = np.diff(values)
    spread = MAD_TO_SIGMA * float(np.median(np.abs(differences - np.median(differences)))) / np.sqrt(2)
    if spread > 0:
        return float(spread)
    # More than half of the differences are equal (a metric of few levels): their mean size says more than 0.
    return float(np.mean(np.abs(differences - np.median(differences))) / np.sqrt(2))


def rolling_around(values: NDArray[np.float64], window: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return median and noise of the `window` points around each point, the point itself included.

    At the ends the window is shifted, not shortened, so that every point has as many neighbours.
    """
    import numpy as np

    n = len(values)
    window = min(window, n)
    frames = np.lib.stride_tricks.sliding_window_view(values, window)
    starts = np.clip(np.arange(n) - window // 2, 0, n - window)
    median = np.median(frames, axis=1)
    sigma = MAD_TO_SIGMA * np.median(np.abs(frames - median[:, None]), axis=1)
    return median[starts], sigma[starts]


def worsening(values: NDArray[np.float64], direction: str) -> NDArray[np.float64]:
    """Return the values such that larger is worse."""
    return values if direction == "lower" else -values


class RunningMedian:
    """Holds the last `window` values twice: in order of arrival, to know which leaves, and sorted.

    Plain lists are quicker here than NumPy: at windows of some dozen values a call into NumPy costs more than all
    of it.
    """

    __slots__ = ("_arrived", "_sorted", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self._arrived: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    @property
    def full(self) -> bool:
        """Whether as many values have come as the window holds."""
        return len(self._sorted) == self.window

    def add(self, value: float) -> None:
        """Take a finite value; the oldest leaves when the window is full."""
        ordered = self._sorted
        if len(ordered) == self.window:
            del ordered[bisect_left(ordered, self._arrived.popleft())]
        self._arrived.append(value)
        insort(ordered, value)

    @property
    def median(self) -> float:
        """Of the values; at least one must have come."""
        ordered = self._sorted
        middle = len(ordered) >> 1
        return ordered[middle] if len(ordered) & 1 else 0.5 * (ordered[middle - 1] + ordered[middle])

    @property
    def mean(self) -> float:
        """Of the values; at least one must have come."""
        return sum(self._sorted) / len(self._sorted)

    def deviation(self, center: float) -> float:
        """Return the median distance of the values from a center."""
        distances = sorted([abs(value - center) for value in self._sorted])
        middle = len(distances) >> 1
        return distances[middle] if len(distances) & 1 else 0.5 * (distances[middle - 1] + distances[middle])

    def positive_median(self, least: int) -> float:
        """Return the median of the values above zero; 0.0 where there are fewer than `least`."""
        ordered = self._sorted
        first = bisect_right(ordered, 0.0)
        n = len(ordered) - first
        return ordered[first + n // 2] if n >= least else 0.0

    def clear(self) -> None:
        """Forget every value."""
        self._arrived.clear()
        self._sorted.clear()


# The difference of two values has √2 times the σ of one.
_DIFFERENCE_TO_SIGMA = MAD_TO_SIGMA / math.sqrt(2)
_NOISE_WINDOW, _SHORT_WINDOW, _SWING_WINDOW = 64, 5, 128
_LEAST_LEVEL = 4


class Stream:
    """A metric so far. Detectors read it as it was before the value that they are asked about.

    Values are kept as `worse`: the value where the metric improves downwards, its negative where it improves upwards,
    so that larger is worse.

    Attributes:
        metric: its name.
        direction: in which it improves; None where that is not known, and `worse` is then the value itself.
        sign: 1.0, or −1.0 for a metric that improves upwards.
        n: finite values so far.
        last_step: of the last finite value.
        level: median of the last values, of the window that a drop is held against.
        around: the last values, of the window that an outlier is held against.
        short: the last five; their median is what divergence and plateau go by, so that one value moves neither.
        first, best: median of the first five, and the least median of five so far; None before the fifth value.
        excused: until which step a drop belongs to the method, as after a warm restart of the learning rate.
    """

    __slots__ = (
        "_differences", "_last", "_slow", "_swings", "around", "best", "direction", "excused", "first", "last_step",
        "level", "metric", "n", "short", "sign",
    )  # fmt: skip

    def __init__(self, metric: str, direction: Direction | None, config: DetectionSettings) -> None:
        self.metric = metric
        self.direction = direction
        self.sign = -1.0 if direction == "higher" else 1.0
        self.n = 0
        self.last_step = math.nan
        self.level = RunningMedian(config.drop_window)
        self.around = RunningMedian(config.outlier_window)
        self.short = RunningMedian(_SHORT_WINDOW)
        self.first: float | None = None
        self.best: float | None = None
        self.excused = -math.inf
        self._differences = RunningMedian(_NOISE_WINDOW)
        self._swings = RunningMedian(_SWING_WINDOW)
        self._slow = RunningMedian(_SWING_WINDOW)
        self._last = 0.0

    def add(self, step: float, worse: float) -> None:
        """Take a finite value, after the detectors have seen it."""
        if self.n:
            self._differences.add(abs(worse - self._last))
        if self.knows_level:
            self._swings.add(worse - self.level.median)
        self._last = worse
        self.n += 1
        self.last_step = step
        self.level.add(worse)
        self.around.add(worse)
        self.short.add(worse)
        if self.short.full:
            now = self.short.median
            if self.around.full:
                self._slow.add(now - self.around.median)
            if self.first is None:
                self.first = now
            if self.best is None or now < self.best:
                self.best = now

    @property
    def knows_level(self) -> bool:
        """Whether enough values have come that a fall can be recognized."""
        return len(self.level) >= _LEAST_LEVEL

    @property
    def noise(self) -> float:
        """σ of the values about their course, from the median of their differences; 0.0 of a constant.

        Where more than half of the differences are 0 (a metric of few levels), it is taken from their mean.
        """
        if not len(self._differences):
            return 0.0
        return _DIFFERENCE_TO_SIGMA * self._differences.median or self._differences.mean / math.sqrt(2)

    @property
    def swing(self) -> float:
        """Robust σ of how far values stood above the level before them; where neighbours are alike, above the noise.

        Single values count, and medians of five above those of the longer window, for a metric may wander slowly. It
        goes by those above alone, since a trend for the better has the others. 0.0 where too few are known.
        """
        return MAD_TO_SIGMA * max(self._swings.positive_median(5), self._slow.positive_median(5))

    @property
    def knows_swing(self) -> bool:
        """Whether enough is known of how the metric swings; else the spread of its last values has to serve."""
        return len(self._swings) >= 10

    @property
    def quick_swing(self) -> float:
        """The part of `swing` that single values make: what creeps does not raise it."""
        return MAD_TO_SIGMA * self._swings.positive_median(5)

    @property
    def gained(self) -> float:
        """By how much the metric has improved since its start; 0.0 before there is a best."""
        return self.first - self.best if self.first is not None and self.best is not None else 0.0

    def scale(self, level: float) -> float:
        """Return what a loss is measured by: the level, or all that was gained, if that is more."""
        return max(abs(level), self.gained) or 1.0


def rhythm(rest: NDArray[np.float64], least: float) -> tuple[int | None, float]:
    """Return the period in points with the strongest autocorrelation, and that; None where there is no rhythm."""
    import numpy as np

    n = len(rest)
    power = float((rest**2).sum())
    if power == 0:
        return None, 0.0
    lags = np.arange(1, n // 3 + 1)
    # Divided by what n − k terms would sum to, so that long periods are not thought weak for having fewer terms.
    auto = _products(rest, len(lags)) / power * n / (n - lags)
    best, strength = None, least
    for lag in range(2, len(auto) + 1):
        if auto[lag - 1] >= strength and auto[max(0, lag // 2 - 1)] <= -least:
            best, strength = lag, float(auto[lag - 1])
    return best, strength if best else 0.0


_LONG = 2000
"""Points from which on the products of all pairs would take seconds."""


def _products(rest: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return Σ restᵢ·restᵢ₊ₖ for k = 1 … most, shape (most,); of a long series by its spectrum, which takes no n²."""
    import numpy as np

    if len(rest) <= _LONG:
        return np.array([float((rest[lag:] * rest[:-lag]).sum()) for lag in range(1, most + 1)])
    spectrum = np.fft.rfft(rest, 2 ** (2 * len(rest) - 1).bit_length())
    products: NDArray[np.float64] = np.fft.irfft(spectrum * spectrum.conj())[1 : most + 1]
    return products

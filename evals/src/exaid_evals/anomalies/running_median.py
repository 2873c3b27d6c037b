"""The median of the last values of a stream, in O(window) memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque


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

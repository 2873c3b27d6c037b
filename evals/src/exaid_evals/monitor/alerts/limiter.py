"""How often an alert of one kind about one metric may be sent, and how many were not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable


class Limiter:
    """Lets the first of its key pass, and the next only after an interval; counts those between."""

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        """Make a limiter.

        Args:
            interval: seconds.
            clock: seconds, monotonic.
        """
        self._interval, self._clock = interval, clock
        self._sent: dict[Hashable, float] = {}
        self._held: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def admit(self, key: Hashable) -> int | None:
        """Return how many of this key were held back since the last that passed; None where this one is too."""
        now = self._clock()
        with self._lock:
            last = self._sent.get(key)
            if last is not None and now - last < self._interval:
                self._held[key] = self._held.get(key, 0) + 1
                return None
            self._sent[key] = now
            return self._held.pop(key, 0)

    def give_back(self, key: Hashable, count: int) -> None:
        """Count what had passed and could not be sent all the same."""
        with self._lock:
            self._held[key] = self._held.get(key, 0) + count

    def held(self) -> int:
        """Return how many are held back now."""
        with self._lock:
            return sum(self._held.values())

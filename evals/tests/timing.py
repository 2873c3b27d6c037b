"""How the time that work takes grows with its size: machines differ in speed and load, growth does not."""

from __future__ import annotations

import time
from collections.abc import Callable

_NOTHING_S = 0.005
"""What takes less than this is not distinguished from nothing, in s of the processor."""


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return what work takes of the processor, in s."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def growth(work: Callable[[int], object], size: int, *, times: int) -> float:
    """Return how many times as long work of `times` the size takes.

    Args:
        work: does work of a size; what it was given before does not make it faster.
        size: the small size.
        times: the large one, as a multiple of the small one.
    """
    small = min(cpu_seconds(lambda: work(size)) for _ in range(3))
    large = min(cpu_seconds(lambda: work(size * times)) for _ in range(2))
    return large / max(small, _NOTHING_S)

"""Several tests at once: adjusted p values."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given.

    The k-th smallest of m is multiplied by m − k + 1; none may be smaller than the one before it, nor exceed 1.
    Rejecting what is at most α keeps the chance of any false rejection at α, however the tests depend on each other.
    Source: S. Holm, "A simple sequentially rejective multiple test procedure", *Scandinavian Journal of Statistics* 6
    (1979), 65–70.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = least
    return adjusted

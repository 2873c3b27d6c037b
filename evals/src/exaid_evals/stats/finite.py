"""Numbers that are too large for a sum of theirs: undefined, and never an infinity on its way into a file."""

from __future__ import annotations

import math
from collections.abc import Callable


def finite(compute: Callable[[], float]) -> float | None:
    """Return what is computed; None where it overflows, or is not a number.

    >>> finite(lambda: 1e200 * 1e200), finite(lambda: 1e200**2), finite(lambda: 2.0)
    (None, None, 2.0)
    """
    try:
        value = compute()
    except OverflowError:
        return None
    return value if math.isfinite(value) else None

"""Levels and noise that a few wild points cannot move."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

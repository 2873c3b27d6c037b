"""The direction of lines of marks: from the directions of their spectrum, then from projection profiles.

By the projection-slice theorem the power of the spectrum along a ray is the power of the profile across the lines of
that direction, so that one transform holds the profiles of all angles. The best of them is refined on the profiles
themselves: sum of squared differences between neighbours (Postl 1986), which is largest across level lines of text.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from exaid_evals.config.extras import optional

SIDE = 256
"""Of the transform, in pixels, and so of the marks at most."""
_STEP = 0.5
"""Degrees between rays."""
_RADII = (6, 120)
"""Cycles in SIDE pixels: of lines of text, not of shadows and not of the strokes' noise."""
_NEAR, _ACROSS = 8.0, 1.5
"""Degrees from a direction that still belong to it, and that count as its right angle."""
_POINTS, _TO_SEARCH = 6_000, 3
"""Marks that a profile is made of; while its angle is looked for, every third of them."""


@dataclass(frozen=True, slots=True)
class Direction:
    """The best direction of an image.

    Attributes:
        angle: in degrees counter-clockwise, -90 < angle ≤ 90, to the nearest ray.
        peak: its power over the median one.
        across: its power over that at a right angle to it.
        lead: its power over the best of the others, neither near it nor near its right angle.
    """

    angle: float
    peak: float
    across: float
    lead: float


@dataclass(frozen=True, slots=True)
class Profile:
    """How marks lie on lines.

    Attributes:
        angle: at which the profile is sharpest, in degrees counter-clockwise, -90 < angle ≤ 90.
        lines: runs of marks.
        gap: marks in the emptiest tenth of the profile, as a share of those in its fullest.
    """

    angle: float
    lines: int
    gap: float


def main_direction(marks: Any, side: int = SIDE) -> Direction:
    """Return the direction in which marks lie in lines.

    Args:
        marks: 0 or 255, shape (height, width), at most `side` a side.
        side: of the transform, SIDE or a multiple of it.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    import numpy as np

    cv2 = optional("cv2", "opencv-python-headless", "measuring directions")
    height, width = marks.shape
    padded = np.zeros((side, side), dtype=np.float32)
    padded[:height, :width] = (marks - np.float32(cv2.mean(marks)[0])) * _window(height, width)
    # The spectrum of real numbers is symmetric: its right half is all of it.
    half = cv2.dft(padded, flags=cv2.DFT_COMPLEX_OUTPUT)[:, : side // 2 + 1]
    angles, radii, x, y = _rays(side // SIDE)
    power = cv2.remap(half[..., 0] ** 2 + half[..., 1] ** 2, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP) @ radii
    smooth = (np.roll(power, 1) + 2 * power + np.roll(power, -1)) / 4
    at = int(np.argmax(smooth))
    best = float(smooth[at])
    # From here on at every angle from the best one.
    others = np.roll(smooth, -at)
    near, right, across = round(_NEAR / _STEP), round(90 / _STEP), round(_ACROSS / _STEP)
    crossing = others[right - across : right + across + 1]
    rivals = max(others[near + 1 : right - near].max(), others[right + near + 1 : -near].max())
    return Direction(float(angles[at]), *(best / max(float(other), 1e-9) for other in
                                          (np.median(smooth), crossing.max(), rivals)))  # fmt: skip


@functools.lru_cache(maxsize=32)
def _window(height: int, width: int) -> Any:
    """Return a window that falls to 0 at the borders, float32, shape (height, width)."""
    import numpy as np

    return (np.hanning(height)[:, None] * np.hanning(width)[None, :]).astype(np.float32)


@functools.cache
def _rays(scale: int) -> tuple[Any, Any, Any, Any]:
    """Return angles, radii, and where in the right half of a spectrum the rays of these angles lie.

    Args:
        scale: of the transform: lines keep their width in pixels, and there are as many times more of them.
    """
    import numpy as np

    angles = np.arange(-90 + _STEP, 90 + _STEP / 2, _STEP)
    radii = np.arange(*(bound * scale for bound in _RADII), dtype=np.float32)
    # A line at angle a (counter-clockwise, y downwards) has its power across itself: along ±(sin a, cos a).
    radians = np.deg2rad(angles)[:, None]
    side = np.where(radians < 0, -1.0, 1.0)
    x, y = radii * np.sin(radians) * side, radii * np.cos(radians) * side
    return angles, radii, x.astype(np.float32), y.astype(np.float32)


def profile_along(marks: Any, coarse: float) -> Profile:
    """Return the profile of marks along the angle near a coarse one at which it is sharpest.

    Args:
        marks: 0 or 255, shape (height, width).
        coarse: degrees.
    """
    import numpy as np

    places = np.flatnonzero(marks)
    rows, columns = np.divmod(places[:: max(len(places) // _POINTS, 1)], marks.shape[1])
    # Whole pixels line up at 45° and other even angles, and would look like text there: so each is moved a little.
    shift = np.random.default_rng(0).random((2, len(rows)))
    points = columns + shift[0], rows + shift[1]
    few = points[0][::_TO_SEARCH], points[1][::_TO_SEARCH]
    best = coarse
    for span, step in ((1.5, 0.5), (0.4, 0.1)):
        around = [best + step * k for k in range(-round(span / step), round(span / step) + 1)]
        best = max(around, key=lambda angle: float((np.diff(_counts(few, angle)) ** 2).sum()))
    counts = _counts(points, best)
    low, high = np.quantile(counts[counts > 0], (0.1, 0.9))
    return Profile(_wrapped(best), _runs(counts, float(high)), float(low / high))


def _counts(points: tuple[Any, Any], angle: float) -> Any:
    """Return how many marks lie on each line of an angle."""
    import numpy as np

    turned = points[0] * np.sin(np.deg2rad(angle)) + points[1] * np.cos(np.deg2rad(angle))
    return np.bincount((turned - turned.min()).astype(np.int64)).astype(np.float64)


def _runs(counts: Any, high: float) -> int:
    """Count the runs above 0.4 of a profile's usual height that are parted by a fall below a quarter of it."""
    count, inside = 0, False
    for value in counts.tolist():
        if not inside and value > 0.4 * high:
            count, inside = count + 1, True
        elif inside and value < 0.25 * high:
            inside = False
    return count


def _wrapped(angle: float) -> float:
    """Return an angle as one of -90 < angle ≤ 90.

    >>> _wrapped(90.5), _wrapped(-90.0), _wrapped(12.0)
    (-89.5, 90.0, 12.0)
    """
    return 90 - (90 - angle) % 180

"""Marks on a ground, such as letters on paper, and the direction of the lines in which they lie."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from exaid_evals.config.plugins import optional

_FAINTEST = 30.0
"""Greys by which a mark differs from its ground at least."""
_COARSER = 4
"""Pixels a side that are taken together where the ground is looked for."""
_SURROUNDINGS = 7
"""Pixels a side, of the coarser picture: wider than any letter, narrower than most shadows."""
_LEAST_BETWEEN = 0.1
_OF_OTSU, _NEIGHBOURS = 0.6, 31
_LEAST_AREA, _LONGEST, _THICKEST = 4, 0.12, 12
"""Pixels; share of the longer side; area over length, which is the thickness of a line of words in pixels."""


def find_ground(grey: Any, *, on_light: bool) -> tuple[Any, float]:
    """Return the ground, a quarter of the image's size, and how uneven it is, in greys.

    Args:
        grey: uint8, shape (height, width).
        on_light: it is lighter than the marks.
    """
    cv2 = optional("cv2", "opencv-python-headless", "finding marks")
    window = np.ones((3, 3), np.uint8)
    # Thin strokes are taken away first: where lines are close, grey text would pass for the ground.
    bare = cv2.dilate(grey, window) if on_light else cv2.erode(grey, window)
    height, width = (max(round(side / _COARSER), 1) for side in grey.shape)
    ground = cv2.medianBlur(cv2.resize(bare, (width, height), interpolation=cv2.INTER_AREA), _SURROUNDINGS)
    around = cv2.blur(ground, (_SURROUNDINGS, _SURROUNDINGS))
    return ground, float(cv2.mean(cv2.absdiff(ground, around))[0])


def find_marks(grey: Any, ground: Any) -> Any:
    """Return the marks (0 or 255), shape (height, width): what differs from the ground more than its surroundings do.

    Args:
        grey: uint8, shape (height, width).
        ground: uint8, smaller.
    """
    cv2 = optional("cv2", "opencv-python-headless", "finding marks")
    flat = cv2.absdiff(grey, cv2.resize(ground, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))
    side = max(9, min(grey.shape) // 12 | 1)
    return cv2.compare(flat, cv2.max(cv2.blur(flat, (side, side)), _FAINTEST), cv2.CMP_GT)


def texture_between(grey: Any, marks: Any) -> float:
    """Return the texture of what lies between the marks, in greys; 255 where next to nothing does.

    Args:
        grey: uint8, shape (height, width).
        marks: 0 or 255, the same shape.
    """
    cv2 = optional("cv2", "opencv-python-headless", "measuring texture")
    between = cv2.bitwise_not(cv2.dilate(marks, np.ones((3, 3), np.uint8)))
    if cv2.countNonZero(between) < _LEAST_BETWEEN * between.size:
        return 255.0
    return float(cv2.mean(cv2.absdiff(grey, cv2.medianBlur(grey, 3)), between)[0])


@dataclass(frozen=True, slots=True)
class Pieces:
    """Marks that do not touch each other.

    Attributes:
        count: how many there are.
        largest: share of all marked pixels that the largest of them has.
        usual: pixels of the piece at which half of the marked pixels lie in smaller ones.
    """

    count: int
    largest: float
    usual: int


def pieces_of(marks: Any) -> Pieces:
    """Measure the pieces that marks consist of.

    Args:
        marks: 0 or 255, shape (height, width), fewer than 65,536 pixels of marks.
    """
    cv2 = optional("cv2", "opencv-python-headless", "telling marks apart")
    count, _, statistics, _ = cv2.connectedComponentsWithStats(marks, ltype=cv2.CV_16U)
    if count == 1:
        return Pieces(0, 0.0, 0)
    pixels = np.sort(statistics[1:, cv2.CC_STAT_AREA])
    upto = np.cumsum(pixels)
    return Pieces(count - 1, float(pixels[-1] / upto[-1]), int(pixels[np.searchsorted(upto, upto[-1] / 2)]))


@dataclass(frozen=True, slots=True)
class SmallMarks:
    """Marks that may be letters, words or short lines of text.

    Attributes:
        marks: 0 or 255, shape (height, width), without whatever is too large: pictures, borders, shadows.
        count: how many there are.
        ink: share of the pixels.
        kept: share of all marked pixels.
        contrast: by which they differ from their ground, in greys.
    """

    marks: Any
    count: int
    ink: float
    kept: float
    contrast: float


def small_marks(grey: Any, *, on_light: bool) -> SmallMarks:
    """Return the small marks of an image.

    A mark differs from the ground around it by six tenths of Otsu's threshold and by more than its surroundings do: a
    page may be grey, stained or lit from one side. Letters are at most an eighth of the image long, and a line of words
    that run together is thin.

    Args:
        grey: uint8, shape (height, width), at most 512 a side.
        on_light: the ground is lighter than the marks.
    """
    cv2 = optional("cv2", "opencv-python-headless", "finding marks")
    window = np.ones((3, 3), np.uint8)
    bare = cv2.dilate(grey, window) if on_light else cv2.erode(grey, window)
    size = tuple(max(round(side / _COARSER), 1) for side in grey.shape[::-1])
    coarse = cv2.medianBlur(cv2.resize(bare, size, interpolation=cv2.INTER_AREA), 2 * _SURROUNDINGS + 1)
    ground = cv2.resize(coarse, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    above = cv2.subtract(ground, grey) if on_light else cv2.subtract(grey, ground)
    otsu = cv2.threshold(above, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
    least = _OF_OTSU * max(otsu, _FAINTEST - 5)
    every = cv2.compare(above, cv2.max(cv2.blur(above, (_NEIGHBOURS, _NEIGHBOURS)), least), cv2.CMP_GT)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(every, ltype=cv2.CV_32S)
    area = statistics[:, cv2.CC_STAT_AREA]
    long = np.maximum(statistics[:, cv2.CC_STAT_WIDTH], statistics[:, cv2.CC_STAT_HEIGHT])
    side = max(grey.shape)
    small = (area >= _LEAST_AREA) & ((long <= _LONGEST * side) | ((area <= _THICKEST * long) & (long <= 0.9 * side)))
    small[0] = False  # the ground
    marks = (small.astype(np.uint8) * 255)[labels] if count > 1 else np.zeros_like(grey)
    n_marked = cv2.countNonZero(marks)
    kept = n_marked / max(cv2.countNonZero(every), 1)
    contrast = float(cv2.mean(above, marks)[0]) if n_marked else 0.0
    return SmallMarks(marks, int(small.sum()), n_marked / grey.size, kept, contrast)


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
    """
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
    return (np.hanning(height)[:, None] * np.hanning(width)[None, :]).astype(np.float32)


@functools.cache
def _rays(scale: int) -> tuple[Any, Any, Any, Any]:
    """Return angles, radii, and where in the right half of a spectrum the rays of these angles lie.

    Args:
        scale: of the transform: lines keep their width in pixels, and there are as many times more of them.
    """
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

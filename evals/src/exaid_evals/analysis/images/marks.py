"""Marks on a ground, such as letters on paper: which pixels they are, and what the ground between them is like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exaid_evals.config.extras import optional

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

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    import numpy as np

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

    Raises:
        MissingDependencyError: OpenCV is not installed.
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

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    import numpy as np

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

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    import numpy as np

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

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    import numpy as np

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

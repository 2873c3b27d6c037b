"""How far a document is turned, and whether an image is a document at all.

Stairs, bricks and scaffolds have straight lines too. What tells text from them is what lines are made of and what lies
between: many small marks on even ground, with gaps between the lines and no second direction. Each limit lies a little
beyond the most extreme document of the development half (docs/image_audit.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exaid_evals.analysis.images.directions import SIDE, main_direction, profile_along
from exaid_evals.analysis.images.marks import find_ground, find_marks, pieces_of, texture_between
from exaid_evals.config.extras import optional

_LEAST_SIDE = 40
"""Pixels of the shorter side, shrunk, below which there is no room for lines."""
_LEAST_INK, _MOST_INK = 0.03, 0.35
_MOST_UNEVEN = 5.0
"""Greys by which the ground differs from its surroundings; a photographed page with a shadow reaches 4.7."""
_MOST_TEXTURE = 1.7
"""Greys; a noisy page reaches 1.6."""
_LEAST_PIECES, _LARGEST_PIECE, _MOST_USUAL = 30, 0.24, 175
"""Separate marks; share of all ink in the largest (the joints of bricks are one piece); pixels of the usual one."""
_LEAST_PEAK, _LEAST_LEAD = 15.0, 3.0
"""Power of the lines' direction over the median one, and over the best that is neither near it nor across it."""
_LEAST_PEAK_OF_LONG = 150.0
"""Where the usual piece is large: on a dense page words run together, and its lines are far sharper than any stairs."""
_LEAST_LINES, _DEEPEST_GAP = 3, 0.1
"""Runs of marks, and the marks in the gaps between them, as a share of those in the lines."""
_MOST_INK_UPRIGHT, _LEAST_ACROSS = 0.2, 3.0


@dataclass(frozen=True, slots=True)
class Skew:
    """What is known of an image's direction; what was not measured, since an earlier test had failed, is None.

    Attributes:
        ink: share of the pixels that are marks on the ground.
        peak: power in the best direction over the median one.
        lines: runs of marks across the best direction.
        angle: of a document's lines, in degrees counter-clockwise, -90 < angle ≤ 90; None for anything else.
        across: power in the best direction over that at a right angle to it; about 1 for a grid.
        on_light: the ground is lighter than the marks, as paper is.
    """

    ink: float | None = None
    peak: float | None = None
    lines: int | None = None
    angle: float | None = None
    across: float = 0.0
    on_light: bool = True

    @property
    def is_document(self) -> bool:
        """Tell whether this is text or the like: straight lines of many separate marks on plain ground."""
        return self.angle is not None

    @property
    def tilt(self) -> float | None:
        """How far a document is turned from the nearest quarter turn, -45 < tilt ≤ 45; None for anything else.

        A grid of letters looks the same turned by 90°, so that only this much is certain of every document.
        """
        return None if self.angle is None else 45 - (45 - self.angle) % 90

    @property
    def stands_upright(self) -> bool | None:
        """Tell whether a document's lines run from top to bottom; None where that cannot be told.

        A grid of marks has lines both ways: so it is told only of dark marks on light ground, one way far ahead.
        """
        if self.angle is None or self.ink is None or not self.on_light:
            return None
        if self.across < _LEAST_ACROSS or self.ink > _MOST_INK_UPRIGHT:
            return None
        return abs(self.angle) > 45


def measure_skew(grey: Any, *, on_light: bool = True) -> Skew:
    """Measure an image's direction.

    Each test is a reason to stop, the cheap ones first: few pictures that are not documents come to the transform.

    Args:
        grey: uint8, shape (height, width), of any size; it is shrunk to at most SIDE a side.
        on_light: the ground is lighter than the marks, as paper is.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = optional("cv2", "opencv-python-headless", "measuring rotation")
    if max(grey.shape) > SIDE:
        height, width = (max(round(side * SIDE / max(grey.shape)), 1) for side in grey.shape)
        grey = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    if min(grey.shape) < _LEAST_SIDE:
        return Skew()
    ground, uneven = find_ground(grey, on_light=on_light)
    if uneven > _MOST_UNEVEN:
        return Skew()
    marks = find_marks(grey, ground)
    ink = cv2.countNonZero(marks) / marks.size
    if not _LEAST_INK <= ink <= _MOST_INK or texture_between(grey, marks) > _MOST_TEXTURE:
        return Skew(ink)
    pieces = pieces_of(marks)
    if pieces.count < _LEAST_PIECES or pieces.largest > _LARGEST_PIECE:
        return Skew(ink)
    best = main_direction(marks)
    least = _LEAST_PEAK if pieces.usual <= _MOST_USUAL else _LEAST_PEAK_OF_LONG
    if best.peak < least or best.lead < _LEAST_LEAD:
        return Skew(ink, best.peak)
    profile = profile_along(marks, best.angle)
    is_text = profile.lines >= _LEAST_LINES and profile.gap <= _DEEPEST_GAP
    return Skew(ink, best.peak, profile.lines, profile.angle if is_text else None, best.across, on_light)

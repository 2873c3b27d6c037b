"""How far a document is turned, and whether an image is a document at all.

Stairs, bricks and scaffolds have straight lines too. What tells text from them is what lines are made of and what lies
between: many small marks on even ground, with gaps between the lines and no second direction. Each limit lies a little
beyond the most extreme document of the development half (docs/image_audit.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exaid_evals.analysis.images.marks import (
    SIDE,
    find_ground,
    find_marks,
    main_direction,
    pieces_of,
    profile_along,
    small_marks,
    texture_between,
)
from exaid_evals.config.plugins import optional

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

_SCAN_SIDE = 512
"""Pixels: on a dense page that is shrunk to less, lines of text lie too close to be distinguished."""
_SCAN_MARKS, _SCAN_INK, _SCAN_KEPT, _SCAN_CONTRAST = 80, (0.03, 0.35), 0.5, 45.0
"""Small marks, their share of the pixels, and of all marks; greys by which they differ from the ground."""
_MANY_MARKS, _LEAD_OF_FEW = 150, 9.0
"""Of fewer marks the best direction must lead by more."""
_SCAN_PEAK, _SCAN_LEAD, _SCAN_ACROSS = 11.0, 5.5, (2.5, 60.0)
"""As above; a grid has no second direction that is weaker, and a single rail has none at all."""
_SCAN_ERROR = 1.0
"""Degrees by which the lines of a page that was bound, bent or set by hand differ from one another."""


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
        is_scan: found as a page of a scanner or camera, and surely no grid.
        error: degrees by which the angle may be wrong.
    """

    ink: float | None = None
    peak: float | None = None
    lines: int | None = None
    angle: float | None = None
    across: float = 0.0
    on_light: bool = True
    is_scan: bool = False
    error: float = 0.0

    @property
    def is_document(self) -> bool:
        """Return whether this is text or the like: straight lines of many separate marks on plain ground."""
        return self.angle is not None

    @property
    def tilt(self) -> float | None:
        """How far a document is turned from the nearest quarter turn, -45 < tilt ≤ 45; None for anything else.

        A grid of letters looks the same turned by 90°, so that only this much is certain of every document.
        """
        return None if self.angle is None else 45 - (45 - self.angle) % 90

    @property
    def stands_upright(self) -> bool | None:
        """Return whether a document's lines run from top to bottom; None where that cannot be known.

        A grid of marks has lines both ways: so the answer is for dark marks on light ground alone, one way far ahead.
        """
        if self.angle is None or self.ink is None or not self.on_light:
            return None
        if not self.is_scan and (self.across < _LEAST_ACROSS or self.ink > _MOST_INK_UPRIGHT):
            return None
        return abs(self.angle) > 45


def measure_skew(grey: Any, *, on_light: bool = True) -> Skew:
    """Measure an image's direction.

    Each test is a reason to stop, the cheap ones first: few pictures that are not documents come to the transform.

    Args:
        grey: uint8, shape (height, width), of any size; it is shrunk to at most 512 a side.
        on_light: the ground is lighter than the marks, as paper is.
    """
    scan = _fitted(grey, _SCAN_SIDE)
    # Both ways: a page that was turned may have corners of any grey, so that no mean tells which its ground is.
    return _of_scan(scan, True) or _of_scan(scan, False) or _of_page(_fitted(grey, SIDE), on_light=on_light)


def _fitted(grey: Any, most: int) -> Any:
    cv2 = optional("cv2", "opencv-python-headless", "measuring rotation")
    if max(grey.shape) <= most:
        return grey
    height, width = (max(round(side * most / max(grey.shape)), 1) for side in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)


def _of_scan(grey: Any, on_light: bool) -> Skew | None:
    """Return the direction of a page as scanners and cameras see it: stained, bent, with pictures, on dark ground.

    What is not small is left out, and what then has one direction far ahead of all others is text. None for anything
    else, and for pages of too few letters.
    """
    if min(grey.shape) < _LEAST_SIDE:
        return None
    found = small_marks(grey, on_light=on_light)
    if found.count < _SCAN_MARKS or not _SCAN_INK[0] <= found.ink <= _SCAN_INK[1]:
        return None
    if found.kept < _SCAN_KEPT or found.contrast < _SCAN_CONTRAST:
        return None
    best = main_direction(found.marks, _SCAN_SIDE)
    least_lead = _SCAN_LEAD if found.count >= _MANY_MARKS else _LEAD_OF_FEW
    if best.peak < _SCAN_PEAK or best.lead < least_lead or not _SCAN_ACROSS[0] <= best.across <= _SCAN_ACROSS[1]:
        return None
    profile = profile_along(found.marks, best.angle)
    if profile.lines < _LEAST_LINES:
        return None
    return Skew(found.ink, best.peak, profile.lines, profile.angle, best.across, on_light, True, _SCAN_ERROR)


def _of_page(grey: Any, *, on_light: bool) -> Skew:
    cv2 = optional("cv2", "opencv-python-headless", "measuring rotation")
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

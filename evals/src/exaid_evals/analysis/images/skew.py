"""How far a document is turned: from the directions of its spectrum, then from projection profiles.

By the projection-slice theorem the power of the spectrum along a ray is the power of the profile across the lines of
that direction, so that one transform holds the profiles of all angles. The best of them is refined on the profiles
themselves: sum of squared differences between neighbours (Postl 1986), which is largest across level lines of text.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from exaid_evals.analysis.sources.base import optional

_SIZE = 256
"""Of the transform, in pixels; marks are halved for it."""
_STEP = 0.5
"""Degrees between rays."""
_RADII = (6, 120)
"""Cycles in 512 pixels of the image: of lines of text, not of shadows and not of the strokes' noise."""
_FAINTEST = 30.0
"""Greys by which a mark differs from its ground at least."""
_LEAST_INK, _MOST_TEXTURE, _LEAST_PIECES = 0.03, 2.5, 30
_LEAST_PEAK = 15.0
"""Power of a document's direction over the median one."""
_BAND = 16
"""Rows of a strip in which texture is measured."""
_POINTS = 12_000
"""Marks that profiles are made of."""


@dataclass(frozen=True, slots=True)
class Skew:
    """What is known of an image's direction.

    Attributes:
        ink: share of the pixels that are marks on the ground.
        ground: median strength of texture between the marks, in greys; 0 on clean paper.
        peak: power in the best direction over the median one.
        lines: runs of marks across the best direction.
        angle: of the lines, in degrees counter-clockwise, -90 < angle ≤ 90; None where there are no marks.
        across: power in the best direction over that at a right angle to it; about 1 for a grid.
        on_light: the ground is light, as paper is.
        pieces: marks that do not touch each other.
    """

    ink: float
    ground: float
    peak: float
    lines: int
    angle: float | None
    across: float = 0.0
    on_light: bool = False
    pieces: int = 0

    @property
    def is_document(self) -> bool:
        """Tell whether this is text or the like: at least three straight lines of separate marks on plain ground."""
        plain = self.ink >= _LEAST_INK and self.ground <= _MOST_TEXTURE and self.pieces >= _LEAST_PIECES
        return self.angle is not None and plain and self.peak >= _LEAST_PEAK and self.lines >= 3

    @property
    def tilt(self) -> float | None:
        """How far a document is turned from the nearest quarter turn, -45 < tilt ≤ 45; None for anything else.

        A grid of letters looks the same turned by 90°, so that only this much is certain of every document.
        """
        if not self.is_document or self.angle is None:
            return None
        return 45 - (45 - self.angle) % 90

    @property
    def stands_upright(self) -> bool | None:
        """Tell whether a document's lines run from top to bottom; None where that cannot be told.

        Towers and trees stand upright too: so it is told only of dark marks, apart from each other, on light ground.
        """
        if not self.is_document or self.angle is None or not self.on_light or self.across < 3 or self.ink > 0.16:
            return None
        return abs(self.angle) > 45


def measure_skew(grey: Any, *, on_light: bool = True) -> Skew:
    """Measure an image's direction.

    Each test is a reason to stop, the cheap ones first: few pictures that are no documents come to the transform.

    Args:
        grey: uint8, shape (height, width), at most 512 a side.
        on_light: most of it is light.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    cv2 = optional("cv2", "opencv-python-headless", "measuring rotation")
    marks = _marks(cv2, grey)
    ink = cv2.countNonZero(marks) / marks.size
    if not _LEAST_INK <= ink <= 0.5 or min(grey.shape) < 48:
        return Skew(ink, 0.0, 0.0, 0, None)
    ground = _texture(cv2, grey, marks)
    if ground > _MOST_TEXTURE:
        return Skew(ink, ground, 0.0, 0, None)
    pieces = int(cv2.connectedComponents(marks)[0]) - 1
    if pieces < _LEAST_PIECES:
        return Skew(ink, ground, 0.0, 0, None, pieces=pieces)
    coarse, peak, across = _direction(cv2, marks)
    if peak < _LEAST_PEAK:
        return Skew(ink, ground, peak, 0, None, across, on_light, pieces)
    angle, profile = _refined(marks, coarse)
    return Skew(ink, ground, peak, _lines(profile), _wrapped(angle), across, on_light, pieces)


def _marks(cv2: Any, grey: Any) -> Any:
    """Return the marks (0 or 255) on the ground, whatever its shade."""
    side = max(15, min(grey.shape) // 12 | 1)
    ground = cv2.medianBlur(cv2.resize(grey, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA), 7)
    flat = cv2.absdiff(grey, cv2.resize(ground, grey.shape[::-1], interpolation=cv2.INTER_LINEAR))
    near = cv2.blur(flat, (side, side))
    return cv2.compare(flat, cv2.max(near, _FAINTEST), cv2.CMP_GT)


def _texture(cv2: Any, grey: Any, marks: Any) -> float:
    """Return the texture of what lies between the marks, in greys; 255 where next to nothing does."""
    import numpy as np

    between = cv2.bitwise_not(cv2.dilate(marks, np.ones((7, 7), np.uint8)))
    if cv2.countNonZero(between) < 0.1 * between.size:
        return 255.0
    total = count = 0.0
    for top in range(0, len(grey), _BAND * 4):  # a median costs more than all else, and every fourth band tells enough
        band, mask = grey[top : top + _BAND], between[top : top + _BAND]
        n_between = cv2.countNonZero(mask)
        total += cv2.mean(cv2.absdiff(band, cv2.medianBlur(band, 5)), mask)[0] * n_between
        count += n_between
    return total / count if count else 255.0


def _direction(cv2: Any, marks: Any) -> tuple[float, float, float]:
    """Return the direction of the lines, its power over the median one, and over the one at a right angle."""
    import numpy as np

    height, width = (-(-side // 2) for side in marks.shape)
    half = cv2.resize(marks, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    padded = np.zeros((_SIZE, _SIZE), dtype=np.float32)
    padded[:height, :width] = (half - half.mean()) * _window(height, width)
    spectrum = cv2.dft(padded, flags=cv2.DFT_COMPLEX_OUTPUT)
    power = np.fft.fftshift(spectrum[..., 0] ** 2 + spectrum[..., 1] ** 2)
    angles, radii, x, y = _rays()
    rays = cv2.remap(power, x, y, cv2.INTER_LINEAR)
    score = rays @ radii
    smooth = (np.roll(score, 1) + 2 * score + np.roll(score, -1)) / 4
    at = int(np.argmax(smooth))
    right = (at + round(90 / _STEP)) % len(smooth)
    crossing = float(np.max(np.take(smooth, range(right - 3, right + 4), mode="wrap")))
    median = max(float(np.median(smooth)), 1e-9)
    return float(angles[at]), float(smooth[at]) / median, float(smooth[at]) / max(crossing, 1e-9)


@functools.lru_cache(maxsize=32)
def _window(height: int, width: int) -> Any:
    """Return a window that falls to 0 at the borders, float32, shape (height, width)."""
    import numpy as np

    return (np.hanning(height)[:, None] * np.hanning(width)[None, :]).astype(np.float32)


@functools.cache
def _rays() -> tuple[Any, Any, Any, Any]:
    """Return angles, radii, and where in a spectrum the rays of these angles lie."""
    import numpy as np

    angles = np.arange(-90 + _STEP, 90 + _STEP / 2, _STEP)
    radii = np.arange(*_RADII, dtype=np.float32)
    # A line at angle a (counter-clockwise, y downwards) has its power across itself: along (sin a, cos a).
    radians = np.deg2rad(angles).astype(np.float32)[:, None]
    x, y = _SIZE / 2 + radii * np.sin(radians), _SIZE / 2 + radii * np.cos(radians)
    return angles, radii, x.astype(np.float32), y.astype(np.float32)


def _refined(marks: Any, coarse: float) -> tuple[float, Any]:
    """Return the angle near a coarse one at which the profile is sharpest, and that profile."""
    import numpy as np

    places = np.flatnonzero(marks)
    rows, columns = np.divmod(places[:: max(len(places) // _POINTS, 1)], marks.shape[1])
    # Whole pixels line up at 45° and other even angles, and would look like text there: so each is moved a little.
    shift = np.random.default_rng(0).random((2, len(rows)))
    points = columns + shift[0], rows + shift[1]
    best = coarse
    for span, step in ((1.5, 0.5), (0.4, 0.1)):
        around = [best + step * k for k in range(-round(span / step), round(span / step) + 1)]
        best = max(around, key=lambda angle: _sharpness(_profile(points, angle)))
    return best, _profile(points, best)


def _profile(points: tuple[Any, Any], angle: float) -> Any:
    """Return how many marks lie on each line of an angle."""
    import numpy as np

    turned = points[0] * np.sin(np.deg2rad(angle)) + points[1] * np.cos(np.deg2rad(angle))
    return np.bincount((turned - turned.min()).astype(np.int64)).astype(np.float64)


def _sharpness(profile: Any) -> float:
    import numpy as np

    return float((np.diff(profile) ** 2).sum())


def _lines(profile: Any) -> int:
    """Count the runs above 0.4 of the profile's usual height that are parted by a fall below a quarter of it."""
    import numpy as np

    high = float(np.quantile(profile[profile > 0], 0.9))
    count, inside = 0, False
    for value in profile.tolist():
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

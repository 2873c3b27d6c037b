"""How sharp an image is: by the detail it has, and by how steep its sharpest edges are.

Blur takes fine detail, so that the variance of the Laplacian falls (Pech-Pacheco et al. 2000). But a drawing or a sky
has little detail and is not blurred: its edges are steep. Blur makes every edge wide (Marziliano et al. 2002), and it
is the sharpest edges that tell: a background may well be out of focus. A step of height h that was blurred by a
Gaussian of σ pixels rises by at most h / (σ √(2π)) from one pixel to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exaid_evals.config.extras import optional

SHORTER_SIDE = 256
"""Pixels to which larger images are shrunk: blur is judged in parts of the image, not in the camera's pixels."""
_BAND = 64
"""Rows whose detail is measured at once: few enough to stay in the processor's cache."""
_WINDOW = 17
"""Pixels a side in which the height of a step is looked for."""
_LEAST_STEP, _LEAST_SHARE_OF_GREYS = 20.0, 0.3
"""Lower steps are texture, noise or the blocks of a JPEG: in greys, and as a share of the greys that the image has."""
_CONTAINED = 0.75
"""Of the greys in a window twice as wide: a step ends within its window, and a gradient goes on."""
_LEAST_EDGES = 0.005
"""Share of the pixels that must lie near a step; with fewer nothing can be told."""
_SHARPEST = 0.99


def detail(grey: Any, variance: float) -> tuple[float, float | None]:
    """Return the variance of the Laplacian, and the same over that of the grey; None where the image is blank.

    Args:
        grey: uint8, shape (height, width).
        variance: of the grey.
    """
    cv2 = optional("cv2", "opencv-python-headless", "measuring sharpness")
    total = squares = 0.0
    for top in range(0, len(grey), _BAND):
        above, bottom = min(top, 1), min(top + _BAND, len(grey))
        # With the rows above and below, which the edge of the band would otherwise be reflected into.
        band = cv2.Laplacian(grey[top - above : bottom + 1], cv2.CV_16S)[above : above + bottom - top]
        total += cv2.sumElems(band)[0]
        squares += cv2.norm(band, cv2.NORM_L2SQR)
    laplacian = max(squares / grey.size - (total / grey.size) ** 2, 0.0)
    return laplacian, laplacian / variance if variance >= 1 else None


def shrunk(grey: Any) -> Any:
    """Return an image of at most SHORTER_SIDE pixels on its shorter side.

    Args:
        grey: uint8, shape (height, width).
    """
    cv2 = optional("cv2", "opencv-python-headless", "measuring sharpness")
    if min(grey.shape) <= SHORTER_SIDE:
        return grey
    scale = SHORTER_SIDE / min(grey.shape)
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def edge_steepness(grey: Any, greys: float) -> float | None:
    """Return how much of a step the sharpest edges take from one pixel to the next: 1 at best, 0.16 at σ = 2.5.

    Args:
        grey: uint8, shape (height, width), at most SHORTER_SIDE on its shorter side.
        greys: between the 1st and the 99th percentile of it.

    Returns:
        99th percentile over the pixels near a step, 0 to 1; None where there are no steps.
    """
    cv2 = optional("cv2", "opencv-python-headless", "measuring sharpness")
    window = np.ones((_WINDOW, _WINDOW), np.uint8)
    light, dark = cv2.dilate(grey, window), cv2.erode(grey, window)
    step = cv2.subtract(light, dark)[:-1, :-1]
    around = cv2.subtract(cv2.dilate(light, window), cv2.erode(dark, window))[:-1, :-1]
    rise = cv2.max(cv2.absdiff(grey[:-1, 1:], grey[:-1, :-1]), cv2.absdiff(grey[1:, :-1], grey[:-1, :-1]))
    high = cv2.compare(step, max(_LEAST_STEP, _LEAST_SHARE_OF_GREYS * greys), cv2.CMP_GE)
    contained = np.rint(np.arange(256) * _CONTAINED).astype(np.uint8)  # for each grey: faster than to multiply all
    near = cv2.bitwise_and(high, cv2.compare(step, cv2.LUT(around, contained), cv2.CMP_GE))
    count = int(cv2.countNonZero(near))
    if count < _LEAST_EDGES * near.size:
        return None
    shares = cv2.calcHist([cv2.divide(rise, step, scale=255)], [0], near, [256], [0, 256]).ravel()
    return float(np.searchsorted(np.cumsum(shares), _SHARPEST * count)) / 255

"""Everything that is measured of one image file, in one reading and one decoding."""

from __future__ import annotations

import hashlib
from typing import Any

from exaid_evals.analysis.images.files import ImageFacts, ImageFile
from exaid_evals.analysis.images.opening import ImageProblemError, decode, grey_of, open_image, pillow
from exaid_evals.analysis.images.settings import AuditSettings
from exaid_evals.analysis.images.sharpness import detail, edge_steepness, shrunk
from exaid_evals.analysis.images.skew import measure_skew
from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.config.extras import optional

_ORIENTATION, _EXIF_IFD, _EXIF_WIDTH, _EXIF_HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_SMALLEST = 8
"""Pixels a side below which a picture has no sharpness and no hash."""
_PERCENTILES = {
    "grey_darkest": 0.001,
    **{f"grey_p{percent:02d}": percent / 100 for percent in (1, 2, 5, 50, 95, 98, 99)},
}
"""Name → share of the pixels that is not lighter."""


class Measurer:
    """Measures files; pickled into each worker."""

    def __init__(self, max_bytes: int, max_pixels: int) -> None:
        self._max_bytes, self._max_pixels = max_bytes, max_pixels
        # The processes share the cores already.
        optional("cv2", "opencv-python-headless", "auditing images").setNumThreads(1)
        optional("imagehash", "imagehash", "finding duplicates among images")

    def __call__(self, file: ImageFile) -> ImageFacts:
        """Measure a file; whatever is wrong with it is in the result."""
        n_bytes: int | None = None
        try:
            if not file.path.is_file():
                what = "a link to nothing" if file.path.is_symlink() else "no regular file"
                return ImageFacts(file.name, problem="unreadable", reason=what)
            n_bytes = file.path.stat().st_size
            if n_bytes > self._max_bytes:
                reason = f"a file of {n_bytes / 2**20:.0f} MiB, which is not opened"
                return ImageFacts(file.name, n_bytes, problem="unreadable", reason=reason)
            data = file.path.read_bytes()
        except OSError as error:
            reason = f"cannot be read ({error.strerror or type(error).__name__})"
            return ImageFacts(file.name, n_bytes, problem="unreadable", reason=reason)
        return measure_bytes(file.name, data, self._max_pixels)


def measure_bytes(name: str, data: bytes, max_pixels: int | None = None) -> ImageFacts:
    """Measure an image file's content."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    known: dict[str, Any] = {"name": name, "n_bytes": len(data), "sha256": digest}
    try:
        image = open_image(data, max_pixels or AuditSettings().max_pixels)
        known |= {"width": image.width, "height": image.height, "mode": image.mode, "format": image.format}
        known |= _exif(image)
        return ImageFacts(**known, **_of_grey(decode(image, data)))
    except ImageProblemError as problem:
        return ImageFacts(**known, problem=problem.kind, reason=problem.reason)


def measure_image(image: Any) -> ImageFacts:
    """Measure an image in memory.

    Args:
        image: of Pillow.

    Raises:
        OSError: its pixels cannot be decoded.
    """
    known = {"width": image.width, "height": image.height, "mode": image.mode, **_exif(image)}
    return ImageFacts("image", **known, **_of_grey(grey_of(image)))


def _exif(image: Any) -> dict[str, Any]:
    """Return the orientation, and the size that the camera wrote; damaged EXIF tells nothing."""
    try:
        exif = image.getexif()
        inner = exif.get_ifd(_EXIF_IFD) if exif else {}
        orientation = exif.get(_ORIENTATION)
        size = inner.get(_EXIF_WIDTH), inner.get(_EXIF_HEIGHT)
    except Exception:  # EXIF is a foreign structure, and its readers raise anything
        return {}
    found: dict[str, Any] = {"orientation": orientation if isinstance(orientation, int) else None}
    if all(isinstance(side, int) for side in size):
        found["exif_size"] = size
    return found


def _of_grey(grey: Any) -> dict[str, Any]:
    import numpy as np

    cv2 = optional("cv2", "opencv-python-headless", "measuring images")
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    shares = np.cumsum(counts) / grey.size
    greys = np.arange(256)
    mean = float((counts * greys).sum() / grey.size)
    variance = float((counts * (greys - mean) ** 2).sum() / grey.size)
    measures: dict[str, float | None] = {"brightness": mean, "contrast": variance**0.5}
    percentiles = {name: float(np.searchsorted(shares, share - 1e-12)) for name, share in _PERCENTILES.items()}
    measures |= percentiles
    measures["white"] = float(counts[250:].sum() / grey.size)
    if min(grey.shape) < _SMALLEST:
        return {"measures": _rounded(measures | {"sharpness": None, "laplacian": None, "edge_steepness": None})}
    measures["laplacian"], measures["sharpness"] = detail(grey, variance)
    small = shrunk(grey)
    measures["edge_steepness"] = edge_steepness(small, percentiles["grey_p99"] - percentiles["grey_p01"])
    # There are fewer marks than ground, so that the mean lies on the marks' side of the median.
    skew = measure_skew(grey, on_light=percentiles["grey_p50"] >= mean)
    upright = skew.stands_upright
    measures |= {"ink": skew.ink, "line_power": skew.peak, "lines": skew.lines, "rotation": skew.tilt,
                 "rotation_error": skew.error if skew.is_document else None,
                 "upright_lines": None if upright is None else float(upright)}  # fmt: skip
    return {"measures": _rounded(measures), **_hashes(grey)}


def _rounded(measures: dict[str, float | None]) -> dict[str, float | None]:
    """Round as records do, so that an audit that is resumed judges the same numbers."""
    return {name: None if value is None else round(value, FLOAT_DECIMALS) for name, value in measures.items()}


def _hashes(grey: Any) -> dict[str, Any]:
    imagehash = optional("imagehash", "imagehash", "finding duplicates among images")
    cv2 = optional("cv2", "opencv-python-headless", "measuring images")
    # Both hashes shrink the picture to 32 pixels and less: from here that costs nothing.
    image = pillow().fromarray(cv2.resize(grey, (64, 64), interpolation=cv2.INTER_AREA))
    every = [image, *(image.transpose(way) for way in pillow().Transpose)]
    hashes = [(str(imagehash.phash(one)), str(imagehash.dhash(one))) for one in every]
    return {"phash": hashes[0][0], "dhash": hashes[0][1], "turned": tuple(f"{p}{d}" for p, d in hashes[1:])}

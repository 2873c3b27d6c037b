"""Image files opened, which may be damaged, huge or hostile, and measured in one reading and one decoding.

Blur takes fine detail, so that the variance of the Laplacian falls (Pech-Pacheco et al. 2000). But a drawing or a sky
has little detail and is not blurred: its edges are steep. Blur makes every edge wide (Marziliano et al. 2002), and it
is the sharpest edges that tell: a background may well be out of focus. A step of height h that was blurred by a
Gaussian of σ pixels rises by at most h / (σ √(2π)) from one pixel to the next.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import warnings
from typing import Any

import numpy as np

from exaid_evals.analysis.images.files import AuditSettings, ImageFacts, ImageFile
from exaid_evals.analysis.images.skew import measure_skew
from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.config.plugins import optional

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "HEIF", "MPO")
"""Formats that are decoded by libraries alone: others start programs (EPS) or hold anything."""
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
SIDE = 512
"""Of the grey picture that everything is measured on."""
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError)
"""What Pillow's plugins raise where a file is not as they expect."""


class ImageProblemError(Exception):
    """An image cannot be decoded whole.

    Attributes:
        kind: as `ImageFacts.problem`.
        reason: what is wrong, as one clause.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


def pillow() -> Any:
    """Return Pillow's Image module."""
    return optional("PIL.Image", "pillow", "measuring images")


def open_image(data: bytes, max_pixels: int) -> Any:
    """Open an image, without decoding it.

    Raises:
        ImageProblemError: it is not an image, or one of too many pixels.
    """
    image_module = pillow()
    if not data:
        raise ImageProblemError("unreadable", "the file is empty")
    image_module.init()
    if _is_heif(data) and not _reads_heif():
        remedy = "install pillow-heif (the extra `heif`)"
        raise ImageProblemError("no_decoder", f"a HEIC or HEIF picture, which Pillow alone does not read: {remedy}")
    if data[8:12] == b"avif" and "AVIF" not in image_module.OPEN:
        remedy = "install Pillow 11.3 or newer"
        raise ImageProblemError("no_decoder", f"an AVIF picture, which this Pillow does not read: {remedy}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of size, which is judged below, and of odd EXIF
            image = image_module.open(io.BytesIO(data), formats=[one for one in FORMATS if one in image_module.OPEN])
    except image_module.DecompressionBombError:
        raise ImageProblemError("decompression_bomb", "unpacks to more pixels than Pillow opens") from None
    except _DAMAGED as error:
        raise ImageProblemError("unreadable", f"is not an image that can be read ({type(error).__name__})") from None
    width, height = image.size
    if width * height > max_pixels:
        raise ImageProblemError("decompression_bomb", f"unpacks to {width} × {height} pixels")
    return image


def _is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


@functools.cache
def _reads_heif() -> bool:
    """Let Pillow read HEIF, where the plug-in is installed."""
    try:
        heif = importlib.import_module("pillow_heif")
    except ImportError:
        return False
    heif.register_heif_opener()
    return True


def decode(image: Any, data: bytes) -> Any:
    """Decode an opened image into grey.

    Where a JPEG can be decoded at a half, a quarter or an eighth without going below SIDE, it is.

    Returns:
        uint8, shape (height, width), at most SIDE a side.

    Raises:
        ImageProblemError: the pixels are damaged, or the file ends too early.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if image.format == "JPEG":
                image.draft("L", (SIDE, SIDE))
            image.load()
            grey = grey_of(image)
    except _DAMAGED as error:
        early = any(word in str(error).lower() for word in ("truncated", "not enough", "unexpected end", "broken data"))
        kind = "truncated" if early or not _ends(image.format, data) else "unreadable"
        raise ImageProblemError(kind, _early(image.format) if kind == "truncated" else
                                f"its pixels cannot be decoded ({type(error).__name__})") from None  # fmt: skip
    if not _ends(image.format, data):
        raise ImageProblemError("truncated", _early(image.format))
    return grey


def grey_of(image: Any) -> Any:
    """Return an image in grey: transparency laid on white, other ranges scaled to 8 bits, at most SIDE a side."""
    image_module = pillow()
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        values = np.asarray(image, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError("holds NaN or infinity")
        low, top = _range_of(values, floats=image.mode.startswith("F"))
        image = image_module.fromarray(np.clip((values - low) / (top - low) * 255, 0, 255).astype(np.uint8))
    elif "A" in image.mode or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = image_module.alpha_composite(image_module.new("RGBA", rgba.size, "white"), rgba)
    grey = image if image.mode == "L" else image.convert("L")
    if max(grey.size) > SIDE:
        grey.thumbnail((SIDE, SIDE), image_module.Resampling.BOX)
    return np.asarray(grey)


def _range_of(values: Any, *, floats: bool) -> tuple[float, float]:
    """Return the values that are black and white: floats may be of 0 to 1, whole numbers of 8, 10, 12, 14 or 16 bits.

    Anything else, with negative values or larger ones, is taken by the values that it has.
    """
    low, high = float(values.min()), float(values.max())
    usual = [1.0, 255.0, 65535.0] if floats else [255.0, 1023.0, 4095.0, 16383.0, 65535.0]
    if low >= 0 and high <= usual[-1]:
        return 0.0, next(top for top in usual if high <= top)
    return low, high if high > low else low + 1


def _ends(form: str | None, data: bytes) -> bool:
    """Return whether a file holds its format's end: a decoder may have all pixels it asked for and miss the rest."""
    if form == "JPEG":
        return b"\xff\xd9" in data[-65536:]
    if form == "PNG":
        return b"IEND" in data[-65536:]
    if form == "WEBP":
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return True


def _early(form: str | None) -> str:
    return f"the {form} file ends before its end mark"


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
"""Share of the pixels that must lie near a step; with fewer nothing can be known."""
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

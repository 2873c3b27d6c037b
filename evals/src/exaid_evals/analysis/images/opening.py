"""Opening image files that may be damaged, huge or hostile."""

from __future__ import annotations

import functools
import importlib
import io
import warnings
from typing import Any

from exaid_evals.config.extras import optional

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
        kind: one of `facts.PROBLEMS`.
        reason: what is wrong, as one clause.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


def pillow() -> Any:
    """Return Pillow's Image module.

    Raises:
        MissingDependencyError: it is not installed.
    """
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
    import numpy as np

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
    """Tell whether a file holds its format's end: a decoder may have all pixels it asked for and miss the rest."""
    if form == "JPEG":
        return b"\xff\xd9" in data[-65536:]
    if form == "PNG":
        return b"IEND" in data[-65536:]
    if form == "WEBP":
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return True


def _early(form: str | None) -> str:
    return f"the {form} file ends before its end mark"

"""Which files of a folder are images, what is known of each, and what counts as bad (docs/image_audit.md)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from exaid_evals.artifacts.redaction import printable
from exaid_evals.config.base import Config
from exaid_evals.files import is_folder

Positive = Annotated[float, Field(gt=0)]
Grey = Annotated[float, Field(ge=0, le=255)]
Count = Annotated[int, Field(ge=1)]


class AuditSettings(Config):
    """Thresholds of the checks; greys are of 0 to 255."""

    max_bytes: Count = 256 * 1024 * 1024
    """A larger file is not opened."""
    max_pixels: Count = 64_000_000
    """An image that unpacks to more is not decoded: a small file may hold what no memory does."""
    min_side: Count = 32
    """Pixels of the shorter side; what is smaller is tiny."""
    max_aspect: Annotated[float, Field(ge=1)] = 4.0
    """Of the longer side to the shorter one."""
    blur_threshold: Positive = 0.05
    """Variance of the Laplacian over the variance of the grey, of at most 512 pixels a side; less has no detail."""
    min_steepness: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of a step that sharp edges take within a pixel of 256 a side; no detail and less than this is blurred."""
    dark_below: Grey = 68.0
    """An image is too dark where 98 % of it lies below this grey."""
    bright_above: Grey = 95.0
    """An image is too bright where 99.9 % of it lies above this grey, and enough of it is white."""
    min_contrast: Grey = 40.0
    """Greys between the 1st and the 99th percentile."""
    max_rotation: Annotated[float, Field(ge=0, le=45)] = 5.0
    """Degrees by which a document may be turned."""
    duplicate_distance: Annotated[int, Field(ge=0, le=12)] = 4
    """Bits of 64 in which the perceptual hashes of near duplicates differ at most."""
    checks: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Further checks, by entry point or `module:attribute`."""
    expect_mode: str | None = None
    """Colour mode that every image should have (Pillow's name); None takes the folder's majority."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Measures of an image; greys are of 0 to 255, and None is what could not be measured.

    Attributes:
        name: path below the folder.
        n_bytes: of the file; None where it cannot be known.
        sha256: of the file; None where it was not read.
        problem: what kept it from being decoded whole, `unreadable`, `truncated`, `decompression_bomb` or `no_decoder`;
            None where nothing did.
        reason: what the problem is.
        width: in pixels, as stored.
        height: the same.
        mode: Pillow's colour mode.
        format: Pillow's name of the file format.
        orientation: value of the EXIF tag; None where there is none.
        exif_size: width and height that EXIF tells; None where it tells none.
        phash: perceptual hash, 16 hexadecimal digits.
        dhash: difference hash, the same.
        turned: both hashes together of the seven other ways to turn and mirror it, 32 hexadecimal digits each.
        measures: name → number.
    """

    name: str
    n_bytes: int | None = None
    sha256: str | None = None
    problem: str | None = None
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    mode: str | None = None
    format: str | None = None
    orientation: int | None = None
    exif_size: tuple[int, int] | None = None
    phash: str | None = None
    dhash: str | None = None
    turned: tuple[str, ...] = ()
    measures: Mapping[str, float | None] = field(default_factory=dict)

    def measure(self, name: str) -> float | None:
        """Return a measure; None where it was not taken."""
        return self.measures.get(name)

    def as_record(self) -> dict[str, Any]:
        """Return plain data, which shares the measures with this."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> ImageFacts:
        """Return facts from what `as_record` gave, through JSON.

        Raises:
            TypeError: the record has other fields.
        """
        size = record.get("exif_size")
        turned = tuple(record.get("turned") or ())
        return cls(**{**record, "exif_size": tuple(size) if size else None, "turned": turned})


SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".tif", ".tiff"),
        *(".webp", ".jp2", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm"),
    }
)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to audit.

    Attributes:
        path: where it lies.
        name: its path below the folder, with `/`; what no text can hold is escaped.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds.

    Attributes:
        images: in the order of their names' bytes.
        n_others: files that are not images by their names.
        unread: folders that could not be listed, with the reason.
    """

    images: tuple[ImageFile, ...]
    n_others: int
    unread: tuple[tuple[str, str], ...]


def list_images(root: Path) -> Listing:
    """List a folder and all below it. Links are followed, each folder is entered once; names with a dot first are not.

    Real folders go before links, so that an image has its own name where it has two.
    """
    images: list[ImageFile] = []
    unread: list[tuple[str, str]] = []
    others, waiting, seen = 0, [root], set()
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            unread.append((_name(folder, root), error.strerror or type(error).__name__))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if is_folder(entry):
                waiting.insert(0 if entry.is_symlink() else len(waiting), folder / entry.name)
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - of tens of thousands
                images.append(ImageFile(folder / entry.name, _name(folder / entry.name, root)))
            else:
                others += 1
    images.sort(key=lambda image: os.fsencode(image.path))  # all begin with the root
    return Listing(tuple(images), others, tuple(sorted(unread)))


def _name(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return printable(name)
    return name

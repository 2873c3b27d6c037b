"""Which files of a folder are images, which are near duplicates, and what counts as bad (docs/image_audit.md)."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from exaid_evals.artifacts.redaction import printable
from exaid_evals.config.base import Config
from exaid_evals.files import is_folder

_BITS = 64
_MASK = (1 << _BITS) - 1


def nearest_leaders(
    hashes: Sequence[int], distance: int, others: Sequence[Sequence[int]] | None = None
) -> dict[int, tuple[int, int]]:
    """Group hashes around the first of each group.

    A hash joins the earliest leader that is near, and leads a group of its own where there is none; so a chain of
    small changes does not join what is far apart.

    Not every pair is compared. Two hashes of 64 bits that differ in at most d bits agree in at least one of d + 1 bands
    (pigeonhole; multi-index hashing, Norouzi, Punjani and Fleet 2012). So only those that share a band are compared,
    and none is missed. With d = 4 a band has 12 or 13 bits: among 10,000 images each meets about a dozen others.

    Args:
        hashes: of 128 bits: a perceptual hash, which finds, and below it a second one, which must agree to within
            twice the distance.
        distance: bits.
        others: of each image, hashes of further forms of it (turned, mirrored), by which it may be near to a leader.

    Returns:
        Place of each member → place of its leader, and their distance.
    """
    edges = [round(_BITS * band / (distance + 1)) for band in range(distance + 2)]
    bands = [(low, (1 << (high - low)) - 1) for low, high in itertools.pairwise(edges)]
    tables: list[dict[int, list[int]]] = [{} for _ in bands]
    same: dict[int, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for place, whole in enumerate(hashes):
        # Equal hashes would fill one bucket: only the first of them is looked up and kept.
        if whole in same:
            leader = same[whole]
            found[place] = found.get(leader, (leader, 0))
            continue
        same[whole] = place
        forms = (whole, *(others[place] if others is not None else ()))
        near = next((one for form in forms if (one := _nearest(form, tables, bands, hashes, distance))), None)
        if near is not None:
            found[place] = near
            continue
        for table, (low, mask) in zip(tables, bands, strict=True):
            table.setdefault((whole >> _BITS >> low) & mask, []).append(place)
    return found


def _nearest(
    whole: int,
    tables: Sequence[dict[int, list[int]]],
    bands: Sequence[tuple[int, int]],
    hashes: Sequence[int],
    distance: int,
) -> tuple[int, int] | None:
    """Return the earliest leader that is near, and its distance."""
    upper, lower = whole >> _BITS, whole & _MASK
    keys = [(upper >> low) & mask for low, mask in bands]
    near = [
        leader
        for leader in {leader for table, key in zip(tables, keys, strict=True) for leader in table.get(key, ())}
        if (upper ^ (hashes[leader] >> _BITS)).bit_count() <= distance
        and (lower ^ (hashes[leader] & _MASK)).bit_count() <= 2 * distance
    ]
    return (min(near), (upper ^ (hashes[min(near)] >> _BITS)).bit_count()) if near else None


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

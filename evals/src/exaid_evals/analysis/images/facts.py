"""What is known of one image before it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROBLEMS = ("unreadable", "truncated", "decompression_bomb", "no_decoder")


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Measures of an image; greys are of 0 to 255, and None is what could not be measured.

    Attributes:
        name: path below the folder.
        n_bytes: of the file; None where it cannot be told.
        sha256: of the file; None where it was not read.
        problem: one of PROBLEMS that kept it from being decoded whole; None where nothing did.
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

"""The settings of an audit of images: what counts as bad. docs/image_audit.md has what they were measured on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from exaid_evals.config.base import Config

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

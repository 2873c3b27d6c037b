"""A filter of images for a training loop: the checks of the audit, on images in memory or in files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from exaid_evals.analysis.images.checks import Finding, judge
from exaid_evals.analysis.images.files import AuditSettings, ImageFacts, ImageFile
from exaid_evals.analysis.images.measure import Measurer, measure_image, pillow
from exaid_evals.errors import ConfigError, DataError

Image = TypeVar("Image")
_CHECKS = ("unreadable", "truncated", "decompression_bomb", "tiny", "blurred", "too_dark", "too_bright", "low_contrast",
           "rotated")  # fmt: skip

_RATIOS_END = 5.0
"""Of white noise, the variance of the Laplacian is 20 times that of the grey; of pictures, below 1."""
_ANY_RATIO = 1e9


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """What was found of one image.

    Attributes:
        facts: its measures.
        findings: what is wrong with it.
    """

    facts: ImageFacts
    findings: tuple[Finding, ...]

    @property
    def acceptable(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.findings

    def __getitem__(self, key: str) -> Any:
        """Return `is_acceptable`, `metrics` (name → number) or `issues` (what is wrong, by check).

        Raises:
            KeyError: it is none of these.
        """
        if key == "is_acceptable":
            return self.acceptable
        if key == "metrics":
            return {"width": self.facts.width, "height": self.facts.height, **self.facts.measures}
        if key == "issues":
            return {one.check: one.text for one in self.findings}
        raise KeyError(key)


class FilteredBatch(list[Image]):
    """The acceptable images of a batch, in their order.

    Attributes:
        indices: their places in the batch.
        rejected: place → what is wrong with the image.
    """

    def __init__(self) -> None:
        super().__init__()
        self.indices: list[int] = []
        self.rejected: dict[int, ImageQuality] = {}

    @property
    def kept(self) -> list[Image]:
        """The images, as a list of its own."""
        return list(self)


class ImageQualityFilter:
    """Keeps images that a model can learn from.

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    >>> batch = ImageQualityFilter(min_resolution=32).filter_batch([noise, noise[:16, :16], noise // 200])
    >>> batch.indices, [quality.findings[0].check for quality in batch.rejected.values()]
    ([0], ['tiny', 'too_dark'])
    """

    def __init__(
        self,
        min_resolution: int | tuple[int, int] = 32,
        max_rotation: float = 5.0,
        blur_threshold: float = AuditSettings.model_fields["blur_threshold"].default,
    ) -> None:
        """Choose thresholds.

        Args:
            min_resolution: pixels of the shorter side, or of width and height.
            max_rotation: degrees, of documents.
            blur_threshold: as in `AuditSettings`; above 5, where that has no meaning, the variance of the Laplacian of
                8-bit greys below which an image whose edges are wide is blurred.

        Raises:
            ConfigError: a threshold has no meaning.
        """
        self._least = (min_resolution,) * 2 if isinstance(min_resolution, int) else tuple(min_resolution)
        if len(self._least) != 2 or min(self._least) < 1 or not 0 <= max_rotation <= 45 or not blur_threshold > 0:
            raise ConfigError(
                f"min_resolution={min_resolution}, max_rotation={max_rotation}, blur_threshold={blur_threshold}",
                where="ImageQualityFilter",
                remedy="give pixels of 1 and more, degrees of 0 to 45, a threshold above 0",
            )
        self._least_laplacian = blur_threshold if blur_threshold > _RATIOS_END else None
        ratio = blur_threshold if self._least_laplacian is None else _ANY_RATIO
        self._settings = AuditSettings(min_side=min(self._least), max_rotation=max_rotation, blur_threshold=ratio)
        self._measure = Measurer(self._settings.max_bytes, self._settings.max_pixels)

    def assess_image_quality(self, image: Any) -> ImageQuality:
        """Judge one image; a damaged file is a finding and no error.

        Args:
            image: a path, an image of Pillow, or an array of shape (height, width), (height, width, 3 or 4): uint8, or
                floats of 0 to 1.

        Raises:
            DataError: it is none of these.
        """
        if isinstance(image, str | os.PathLike):
            path = Path(image)
            facts = self._measure(ImageFile(path, path.name))
        else:
            facts = _in_memory(image)
        findings = [one for one in judge([facts], self._settings, _CHECKS)[0] if not self._has_detail(one, facts)]
        return ImageQuality(facts, tuple(self._too_small(facts, findings)))

    def filter_batch(self, images: Iterable[Image]) -> FilteredBatch[Image]:
        """Part a batch into what is acceptable and what is not.

        Raises:
            DataError: one is not an image at all.
        """
        batch = FilteredBatch[Image]()
        for at, image in enumerate(images):
            quality = self.assess_image_quality(image)
            if quality.acceptable:
                batch.append(image)
                batch.indices.append(at)
            else:
                batch.rejected[at] = quality
        return batch

    def _has_detail(self, finding: Finding, facts: ImageFacts) -> bool:
        """Return whether an image that is called blurred is above the Laplacian that was asked for."""
        if finding.check != "blurred" or self._least_laplacian is None:
            return False
        return (facts.measure("laplacian") or 0.0) >= self._least_laplacian

    def _too_small(self, facts: ImageFacts, findings: list[Finding]) -> list[Finding]:
        width, height = facts.width, facts.height
        if width is None or height is None or any(one.check == "tiny" for one in findings):
            return findings
        if width >= self._least[0] and height >= self._least[1]:
            return findings
        return [*findings, Finding("tiny", "medium", f"only {width} × {height} pixels",
                                   {"width": width, "height": height})]  # fmt: skip


def _in_memory(image: Any) -> ImageFacts:
    image_module = pillow()
    if isinstance(image, np.ndarray):
        image = image_module.fromarray(_bytes_of(image))
    if not isinstance(image, image_module.Image):
        remedy = "give a path, an image of Pillow or an array"
        raise DataError(f"a {type(image).__name__} is not an image", where="ImageQualityFilter", remedy=remedy)
    try:
        return measure_image(image)
    except (OSError, ValueError, SyntaxError) as error:
        return ImageFacts("image", problem="unreadable", reason=f"cannot be decoded ({type(error).__name__})")


def _bytes_of(pixels: Any) -> Any:
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4))
    if (
        not fits
        or 0 in pixels.shape
        or pixels.dtype.kind not in "fu"
        or (pixels.dtype.kind == "u" and pixels.itemsize > 1)
    ):
        what = f"an array of {pixels.dtype} and shape {pixels.shape} is not an image"
        remedy = "give uint8, or floats of 0 to 1, of shape (height, width) or (height, width, 3 or 4)"
        raise DataError(what, where="ImageQualityFilter", remedy=remedy)
    if pixels.dtype.kind == "f":
        if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
            remedy = "undo the normalisation, or give uint8"
            raise DataError("floats outside 0 to 1", where="ImageQualityFilter", remedy=remedy)
        pixels = np.round(pixels * 255).astype(np.uint8)
    return pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels

"""Orientation tags that are invalid, contradict the image, or are easily missed."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_QUARTER = (5, 6, 7, 8)
"""Tags that turn an image by 90°."""


class ExifOrientation(ImageCheck):
    """A viewer obeys the tag and a loader mostly does not; where the pixels were turned and the tag kept, both err."""

    name = "exif_orientation"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Hold the tag against its values, against the size that EXIF tells, and against the lines of a document."""
        tag = image.orientation
        if tag is None or tag == 1:
            return None
        evidence: dict[str, float | int | str | None] = {"orientation": tag}
        if not 1 <= tag <= 8:
            return Finding(self.name, "medium", f"the orientation {tag} has no meaning", evidence)
        if tag in _QUARTER and self._turned_already(image):
            return Finding(self.name, "high", f"the pixels were turned already, and orientation {tag} stayed", evidence)
        return Finding(self.name, "low", f"orientation {tag}: loaders that ignore EXIF see it turned", evidence)

    @staticmethod
    def _turned_already(image: ImageFacts) -> bool:
        if image.measure("upright_lines") == 0.0:  # lines of text that run level as they are stored
            return True
        stored = (image.width, image.height)
        return image.exif_size is not None and image.exif_size == stored[::-1] and stored[0] != stored[1]

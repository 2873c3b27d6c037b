"""Files that unpack to more than memory should hold."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class DecompressionBomb(ImageCheck):
    """Such an image is not decoded, here or by a careful loader."""

    name = "decompression_bomb"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Repeat what opening the file has met."""
        if image.problem != self.name:
            return None
        evidence = {"n_bytes": image.n_bytes, "max_pixels": settings.max_pixels}
        return Finding(self.name, "critical", image.reason or "too many pixels", evidence)

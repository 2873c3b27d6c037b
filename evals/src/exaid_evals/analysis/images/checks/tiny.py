"""Images of too few pixels."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class Tiny(ImageCheck):
    """The shorter side has fewer pixels than `min_side`."""

    name = "tiny"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the shorter side."""
        if image.width is None or image.height is None or min(image.width, image.height) >= settings.min_side:
            return None
        evidence = {"width": image.width, "height": image.height, "min_side": settings.min_side}
        return Finding(self.name, "medium", f"only {image.width} × {image.height} pixels", evidence)

"""Images that are much longer than wide, or the other way round."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class OddAspect(ImageCheck):
    """A crop or a resize to a square would keep little of them."""

    name = "odd_aspect"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the longer side with the shorter one."""
        if not image.width or not image.height:
            return None
        aspect = max(image.width, image.height) / min(image.width, image.height)
        if aspect <= settings.max_aspect:
            return None
        evidence = {"aspect": aspect, "max_aspect": settings.max_aspect}
        return Finding(self.name, "low", f"one side is {aspect:.3g} times the other", evidence)

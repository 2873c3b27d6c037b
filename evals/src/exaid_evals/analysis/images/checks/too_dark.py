"""Images that are black nearly everywhere."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.checks.tiny import Tiny
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class TooDark(ImageCheck):
    """Of a dark picture of something some part is lit: so its brightest greys count, and not the mean."""

    name = "too_dark"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the grey below which 98 % of the image lie."""
        high = image.measure("grey_p98")
        if high is None or high >= settings.dark_below or Tiny().judge_one(image, settings):
            return None  # shrinking takes lights away, and the size is said
        evidence = {"grey_p98": high, "brightness": image.measure("brightness"), "dark_below": settings.dark_below}
        return Finding(self.name, "high", f"98 % of it is darker than {high:.0f} of 255", evidence)

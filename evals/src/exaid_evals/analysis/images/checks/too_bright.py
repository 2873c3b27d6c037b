"""Images in which light is clipped and dark is missing."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.checks.edges import wide_edges
from exaid_evals.analysis.images.checks.tiny import Tiny
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_WHITE, _WHITE_BLURRED = 0.03, 0.45


class TooBright(ImageCheck):
    """Over-exposed: light is clipped, and no dark grey is left.

    A page or a product on white is mostly white too, but holds dark marks: so the darkest thousandth counts, and not
    the mean.
    """

    name = "too_bright"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the grey above which 99.9 % of the image lie, and the share that is white."""
        low, white = image.measure("grey_darkest"), image.measure("white")
        if low is None or white is None or low <= settings.bright_above or Tiny().judge_one(image, settings):
            return None  # shrinking takes dark marks away, and the size is said
        # A blurred page has lost its dark marks too: without edges more of it must be white.
        if white < (_WHITE_BLURRED if wide_edges(image, settings) else _WHITE):
            return None
        if image.measure("rotation") is not None:
            return None  # lines can be read: a page with little on it
        evidence = {"grey_darkest": low, "white": white, "bright_above": settings.bright_above}
        text = f"{white:.0%} is white, and 99.9 % brighter than {low:.0f} of 255"
        return Finding(self.name, "high", text, evidence)

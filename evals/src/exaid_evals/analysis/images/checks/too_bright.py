"""Images that are white nearly everywhere."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_WHITE, _WHITE_WITH_DETAIL = 0.45, 0.2


class TooBright(ImageCheck):
    """A page or a product on white holds dark marks: so the darkest greys count, and not the mean."""

    name = "too_bright"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the grey above which 98 % of the image lie, and the share that is white."""
        low, white = image.measure("grey_p02"), image.measure("white")
        if low is None or white is None or low <= settings.bright_above:
            return None
        # A blurred page has lost its dark marks too: without detail more of it must be white.
        detailed = (image.measure("sharpness") or 0) >= settings.blur_threshold
        if white < (_WHITE_WITH_DETAIL if detailed else _WHITE):
            return None
        if image.measure("rotation") is not None:
            return None  # lines can be read: a page with little on it
        evidence = {"grey_p02": low, "white": white, "bright_above": settings.bright_above}
        return Finding(self.name, "high", f"98 % of it is brighter than {low:.0f} of 255", evidence)

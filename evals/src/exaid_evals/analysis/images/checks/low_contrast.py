"""Images of few greys."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.checks.blurred import Blurred
from exaid_evals.analysis.images.checks.tiny import Tiny
from exaid_evals.analysis.images.checks.too_bright import TooBright
from exaid_evals.analysis.images.checks.too_dark import TooDark
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_BLANK = 2.0


class LowContrast(ImageCheck):
    """Where size, exposure or blur took the greys, that is what is said, and this not again."""

    name = "low_contrast"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the greys between the 1st and the 99th percentile."""
        low, high, contrast = image.measure("grey_p01"), image.measure("grey_p99"), image.measure("contrast")
        if low is None or high is None or contrast is None or high - low >= settings.min_contrast:
            return None
        evidence = {"greys": high - low, "contrast": contrast, "min_contrast": settings.min_contrast}
        if any(check.judge_one(image, settings) for check in (Tiny(), TooDark(), TooBright(), Blurred())):
            return None
        if contrast < _BLANK:
            return Finding(self.name, "high", f"blank: contrast is {contrast:.2g}", evidence)
        return Finding(self.name, "medium", f"only {high - low:.0f} greys of 255", evidence)

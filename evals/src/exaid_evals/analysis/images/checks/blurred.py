"""Images without detail."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.checks.too_bright import TooBright
from exaid_evals.analysis.images.checks.too_dark import TooDark
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_FAINT = 3.0
"""Contrast below which what looks like detail may be rounding."""


class Blurred(ImageCheck):
    """Variance of the Laplacian over the variance of the grey: the scale does not depend on contrast."""

    name = "blurred"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the sharpness; what is tiny or blank has none."""
        sharpness, contrast = image.measure("sharpness"), image.measure("contrast")
        if sharpness is None or contrast is None or contrast < _FAINT or sharpness >= settings.blur_threshold:
            return None
        if image.width is None or image.height is None or min(image.width, image.height) < settings.min_side:
            return None
        if any(check.judge_one(image, settings) for check in (TooDark(), TooBright())):
            return None  # detail was lost to exposure, and that is said
        evidence = {
            "sharpness": sharpness,
            "laplacian": image.measure("laplacian"),
            "threshold": settings.blur_threshold,
        }
        return Finding(self.name, "medium", f"no detail: sharpness is {sharpness:.2g}", evidence)

"""Documents whose lines do not run level."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck, Severity
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_FAR = 15.0


class Rotated(ImageCheck):
    """Only of documents: no one can tell from a photograph's pixels alone which way is up."""

    name = "rotated"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Compare the tilt of the lines, and tell lines that run from top to bottom."""
        tilt = image.measure("rotation")
        if tilt is None:
            return None
        evidence = {"rotation": tilt, "line_power": image.measure("line_power"), "lines": image.measure("lines")}
        if abs(tilt) - (image.measure("rotation_error") or 0.0) > settings.max_rotation:
            way = "counter-clockwise" if tilt > 0 else "clockwise"
            severity: Severity = "high" if abs(tilt) > _FAR else "medium"
            return Finding(self.name, severity, f"turned by {abs(tilt):.1f}° {way}", evidence)
        if image.measure("upright_lines") == 1.0 and (image.orientation or 1) not in (5, 6, 7, 8):
            return Finding(self.name, "medium", "lines run from top to bottom: turned by a quarter", evidence)
        return None

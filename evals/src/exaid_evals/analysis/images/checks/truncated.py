"""Files that end before their pixels do."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class Truncated(ImageCheck):
    """Many loaders fill what is missing with grey, without a word."""

    name = "truncated"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Repeat what decoding the file has met."""
        if image.problem != self.name:
            return None
        return Finding(self.name, "critical", image.reason or "ends too early", {"n_bytes": image.n_bytes})

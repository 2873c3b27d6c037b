"""Files that are not images, or cannot be opened."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class Unreadable(ImageCheck):
    """Nothing of the file can be used."""

    name = "unreadable"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Repeat what opening the file has met."""
        if image.problem != self.name:
            return None
        return Finding(self.name, "critical", image.reason or "cannot be read", {"n_bytes": image.n_bytes})

"""Formats that nothing here reads, because a package is not installed."""

from __future__ import annotations

from exaid_evals.analysis.images.checks.base import Finding, ImageCheck
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings


class NoDecoder(ImageCheck):
    """The file may be as it should: nobody has looked."""

    name = "no_decoder"

    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Say what to install."""
        if image.problem != self.name:
            return None
        return Finding(self.name, "medium", image.reason or "cannot be decoded here", {"n_bytes": image.n_bytes})

"""Images whose colour mode is not that of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from exaid_evals.analysis.images.checks.base import Finding
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

_MAJORITY = 0.8


class ColourMode:
    """A model that was built for three channels fails on one, or silently repeats it."""

    name = "colour_mode"

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Compare with the expected mode, or with that of at least 80 % of the images."""
        modes = Counter(image.mode for image in images if image.mode is not None)
        wanted, source = settings.expect_mode, "expected"
        if wanted is None:
            if not modes:
                return {}
            wanted, count = max(modes.items(), key=lambda item: (item[1], item[0]))
            if count < _MAJORITY * modes.total():
                return {}
            source = "that of most images"
        return {
            at: Finding(self.name, "medium", f"{image.mode} where {wanted} is {source}",
                        {"mode": image.mode, "wanted": wanted})
            for at, image in enumerate(images)
            if image.mode is not None and image.mode != wanted
        }  # fmt: skip

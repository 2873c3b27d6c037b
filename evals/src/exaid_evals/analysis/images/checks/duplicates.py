"""Images that stand in the folder twice, byte for byte or nearly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.analysis.images.checks.base import Finding, Severity, Value
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.near import nearest_leaders
from exaid_evals.analysis.images.settings import AuditSettings

_BLANK = 2.0


class Duplicates:
    """The first of a group by name is the original; the others are found, turned or mirrored too, and name it."""

    name = "duplicate"

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Compare hashes of bytes, then perceptual hashes; blank images are alike and mean nothing."""
        first: dict[str, int] = {}
        found: dict[int, Finding] = {}
        distinct: list[int] = []
        for at, image in enumerate(images):
            if image.sha256 is None or not image.n_bytes:
                continue
            original = first.setdefault(image.sha256, at)
            if original != at:
                found[at] = self._finding("medium", "the same file as", images[original], 0)
            elif image.phash and image.dhash and (image.measure("contrast") or 0) >= _BLANK:
                distinct.append(at)
        hashes = [int(f"{images[at].phash}{images[at].dhash}", 16) for at in distinct]
        turned = [[int(form, 16) for form in images[at].turned] for at in distinct]
        for place, (leader, distance) in nearest_leaders(hashes, settings.duplicate_distance, turned).items():
            own = (hashes[place] >> 64 ^ hashes[leader] >> 64).bit_count() == distance
            relation = "looks like" if own else "turned or mirrored, looks like"
            found[distinct[place]] = self._finding("low", relation, images[distinct[leader]], distance)
        return found

    def _finding(self, severity: Severity, relation: str, original: ImageFacts, distance: int) -> Finding:
        evidence: dict[str, Value] = {"original": original.name, "distance": distance}
        return Finding(self.name, severity, f"{relation} {original.name}", evidence)

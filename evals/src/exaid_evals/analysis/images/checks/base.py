"""What a check of images is: it judges facts, and says what it found, how bad that is, and by which evidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

Severity = Literal["low", "medium", "high", "critical"]
Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an image.

    Attributes:
        check: name of the check.
        severity: how bad it is.
        text: what was found, as one clause.
        evidence: the numbers behind it.
    """

    check: str
    severity: Severity
    text: str
    evidence: Mapping[str, Value] = field(default_factory=dict)


class Check(Protocol):
    """Judges images."""

    @property
    def name(self) -> str:
        """The check's name, as `--fail-on` takes it."""

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Return the place in `images` → finding, of those that have one."""


class ImageCheck(ABC):
    """A check that needs to see one image at a time."""

    name: str

    def judge(self, images: Sequence[ImageFacts], settings: AuditSettings) -> Mapping[int, Finding]:
        """Judge each image alone."""
        found = ((at, self.judge_one(image, settings)) for at, image in enumerate(images))
        return {at: finding for at, finding in found if finding is not None}

    @abstractmethod
    def judge_one(self, image: ImageFacts, settings: AuditSettings) -> Finding | None:
        """Return what is wrong with an image; None where nothing is, or it cannot be told."""

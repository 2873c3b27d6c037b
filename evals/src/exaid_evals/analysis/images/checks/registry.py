"""The checks that ship, in the order in which findings are told. A check is added by a file and its line here."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.images.checks.base import Check, Finding
from exaid_evals.analysis.images.checks.blurred import Blurred
from exaid_evals.analysis.images.checks.colour_mode import ColourMode
from exaid_evals.analysis.images.checks.decompression_bomb import DecompressionBomb
from exaid_evals.analysis.images.checks.duplicates import Duplicates
from exaid_evals.analysis.images.checks.exif_orientation import ExifOrientation
from exaid_evals.analysis.images.checks.low_contrast import LowContrast
from exaid_evals.analysis.images.checks.odd_aspect import OddAspect
from exaid_evals.analysis.images.checks.rotated import Rotated
from exaid_evals.analysis.images.checks.tiny import Tiny
from exaid_evals.analysis.images.checks.too_bright import TooBright
from exaid_evals.analysis.images.checks.too_dark import TooDark
from exaid_evals.analysis.images.checks.truncated import Truncated
from exaid_evals.analysis.images.checks.unreadable import Unreadable
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings

CHECKS: tuple[Check, ...] = (
    Unreadable(),
    Truncated(),
    DecompressionBomb(),
    Tiny(),
    OddAspect(),
    Blurred(),
    TooDark(),
    TooBright(),
    LowContrast(),
    Rotated(),
    ExifOrientation(),
    ColourMode(),
    Duplicates(),
)
NAMES = tuple(check.name for check in CHECKS)


def judge(images: Sequence[ImageFacts], settings: AuditSettings, names: Sequence[str] = NAMES) -> list[list[Finding]]:
    """Return the findings of each image, in the order of the checks."""
    found: list[list[Finding]] = [[] for _ in images]
    for check in CHECKS:
        if check.name in names:
            for at, finding in check.judge(images, settings).items():
                found[at].append(finding)
    return found

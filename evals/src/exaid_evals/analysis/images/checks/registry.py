"""The checks by name, in the order in which findings are told. To add one, write a file and name it here.

Other packages add theirs by entry point; settings name those that are to judge, beside the ones that ship.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache

from exaid_evals.analysis.images.checks.base import Check, Finding
from exaid_evals.analysis.images.facts import ImageFacts
from exaid_evals.analysis.images.settings import AuditSettings
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError

_NAME = re.compile(r"[a-z_]+")
_PACKAGE = "exaid_evals.analysis.images.checks"
CHECKS = Kind(
    "check of images",
    "exaid_evals.image_checks",
    {
        "unreadable": f"{_PACKAGE}.unreadable:Unreadable",
        "truncated": f"{_PACKAGE}.truncated:Truncated",
        "decompression_bomb": f"{_PACKAGE}.decompression_bomb:DecompressionBomb",
        "no_decoder": f"{_PACKAGE}.no_decoder:NoDecoder",
        "tiny": f"{_PACKAGE}.tiny:Tiny",
        "odd_aspect": f"{_PACKAGE}.odd_aspect:OddAspect",
        "blurred": f"{_PACKAGE}.blurred:Blurred",
        "too_dark": f"{_PACKAGE}.too_dark:TooDark",
        "too_bright": f"{_PACKAGE}.too_bright:TooBright",
        "low_contrast": f"{_PACKAGE}.low_contrast:LowContrast",
        "rotated": f"{_PACKAGE}.rotated:Rotated",
        "exif_orientation": f"{_PACKAGE}.exif_orientation:ExifOrientation",
        "colour_mode": f"{_PACKAGE}.colour_mode:ColourMode",
        "duplicate": f"{_PACKAGE}.duplicates:Duplicates",
    },
)
"""Each part is a class without arguments; see `checks.base.Check`."""


@cache
def _built(others: tuple[str, ...]) -> tuple[Check, ...]:
    checks = tuple(CHECKS.build(name) for name in (*CHECKS, *others))
    for kind, check in zip((*CHECKS, *others), checks, strict=True):
        if not _NAME.fullmatch(check.name):  # it becomes a key of records and a class of pages
            what = f"the check {kind!r} is called {check.name!r}"
            raise ConfigError(what, where="checks", remedy="name it by lower-case letters and `_`")
    return checks


def check_names(settings: AuditSettings) -> tuple[str, ...]:
    """Return the names of the checks that judge, in their order.

    Raises:
        ConfigError: the settings name a check that cannot be had.
    """
    return tuple(check.name for check in _built(settings.checks))


def judge(
    images: Sequence[ImageFacts], settings: AuditSettings, names: Collection[str] | None = None
) -> list[list[Finding]]:
    """Return the findings of each image, in the order of the checks; of all checks, or those of some names."""
    found: list[list[Finding]] = [[] for _ in images]
    for check in _built(settings.checks):
        if names is None or check.name in names:
            for at, finding in check.judge(images, settings).items():
                found[at].append(finding)
    return found

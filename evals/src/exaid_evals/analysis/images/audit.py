"""The audit of a folder, from its files to the findings of each image."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.analysis.images.checks import Finding, judge
from exaid_evals.analysis.images.files import ImageFacts, ImageFile, Listing, list_images
from exaid_evals.analysis.images.journal import Journal
from exaid_evals.analysis.images.measure import Measurer
from exaid_evals.analysis.images.settings import AuditSettings
from exaid_evals.errors import DataError
from exaid_evals.execution.base import Executor
from exaid_evals.execution.choose import executor

JOURNAL = ".measured.jsonl"
_BATCH = 16
"""Images that a worker is sent at once: one by one, sending would cost as much as measuring a small one."""


@dataclass(frozen=True)
class Audit:
    """What was found in a folder.

    Attributes:
        root: the folder.
        images: in the order of their names.
        paths: of the images, in the same order.
        findings: of the images, in the same order.
        n_others: files that are not images by their names.
        unread: folders that could not be listed, with the reason.
        settings: thresholds.
    """

    root: Path
    images: tuple[ImageFacts, ...]
    paths: tuple[Path, ...]
    findings: tuple[tuple[Finding, ...], ...]
    n_others: int
    unread: tuple[tuple[str, str], ...]
    settings: AuditSettings


class _MeasureBatch:
    def __init__(self, max_bytes: int, max_pixels: int) -> None:
        self._measure = Measurer(max_bytes, max_pixels)

    def __call__(self, files: Sequence[ImageFile]) -> list[ImageFacts]:
        return [self._measure(file) for file in files]


def audit_folder(
    root: Path,
    settings: AuditSettings,
    out: Path,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    resume: bool = False,
    listing: Listing | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Audit:
    """Audit a folder of images.

    Args:
        root: the folder.
        settings: thresholds.
        out: folder of results, in which the journal is kept.
        jobs: processes at most; what is found does not depend on it.
        cluster: where images are measured, as `execution.choose.executor` takes it; it must reach the folder.
        resume: take over what the journal has of unchanged files.
        listing: of the folder, where it was made already.
        advance: is called for each image.

    Raises:
        DataError: there is no image.
        MissingDependencyError: a package of the extra `analysis` is not installed.
    """
    listing = listing or list_images(root)
    if not listing.images:
        reasons = f", and {len(listing.unread)} folders cannot be listed" if listing.unread else ""
        raise DataError(f"holds no image{reasons}", where=str(root), remedy="check the folder, or its permissions")
    limits = {"max_bytes": settings.max_bytes, "max_pixels": settings.max_pixels}
    facts: dict[str, ImageFacts] = {}
    with Journal(out / JOURNAL, limits, resume=resume) as journal:
        todo = []
        for file in listing.images:
            known = journal.known(file)
            if known is None:
                todo.append(file)
            else:
                facts[file.name] = known
                advance()
        for file, one in _measured(todo, limits, executor(jobs, cluster)):
            journal.record(file, one)
            facts[file.name] = one
            advance()
    images = tuple(facts[file.name] for file in listing.images)
    findings = tuple(tuple(found) for found in judge(images, settings))
    paths = tuple(file.path for file in listing.images)
    return Audit(root, images, paths, findings, listing.n_others, listing.unread, settings)


def _measured(
    files: Sequence[ImageFile], limits: dict[str, int], workers: Executor
) -> Iterator[tuple[ImageFile, ImageFacts]]:
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    for batch, measured in workers.map_ordered(functools.partial(_MeasureBatch, **limits), batches):
        yield from zip(batch, measured, strict=True)


def look_through(root: Path, settings: AuditSettings | None = None) -> Audit:
    """Audit a folder of images at once, without a journal.

    Raises:
        DataError: there is no image.
        MissingDependencyError: a package of the extra `analysis` is not installed.
    """
    settings = settings or AuditSettings()
    listing = list_images(root)
    if not listing.images:
        raise DataError("holds no image", where=str(root), remedy="check the folder, or its permissions")
    measure = Measurer(settings.max_bytes, settings.max_pixels)
    images = tuple(measure(file) for file in listing.images)
    findings = tuple(tuple(found) for found in judge(images, settings))
    paths = tuple(file.path for file in listing.images)
    return Audit(root, images, paths, findings, listing.n_others, listing.unread, settings)


_ISSUES = {
    "unreadable": "corruption",
    "truncated": "corruption",
    "decompression_bomb": "corruption",
    "tiny": "corruption",
    "odd_aspect": "corruption",
    "rotated": "rotation",
    "exif_orientation": "rotation",
}
"""Check → what it is about; another check is about what its name says."""


def audit_image_quality(image_dir: Path | str) -> list[dict[str, Any]]:
    """Return what is wrong with the images of a folder and those below it, in the order of their names.

    Returns:
        For each finding `path`, `issue` (`corruption`, `rotation`, else the check's name), `check`, `severity`, `text`.

    Raises:
        DataError: there is no image.
        MissingDependencyError: a package of the extra `analysis` is not installed.
    """
    audit = look_through(Path(image_dir))
    return [
        {
            "path": path,
            "issue": _ISSUES.get(one.check, one.check),
            "check": one.check,
            "severity": one.severity,
            "text": one.text,
        }
        for path, findings in zip(audit.paths, audit.findings, strict=True)
        for one in findings
    ]

"""Audits of images: the summary counts what the images' records say, and stands last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from exaid_evals.validation.base import FileCheck, Finding, Record
from exaid_evals.validation.surroundings import Surroundings


class ImageAuditCheck(FileCheck):
    """Counts images and findings again."""

    schema = "exaid.image_audit"
    remedy = "audit the images again with `exaid-evals audit-images`"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._counts: Counter[str] = Counter()
        self._n_images = self._n_found = 0
        self._ended = False

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        if self._ended:
            self.found(line, "a record after the summary, which is the last one")
        if record["record_type"] == "image":
            self._n_images += 1
            self._n_found += bool(record["findings"])
            self._counts.update(finding["check"] for finding in record["findings"])
            return
        self._ended = True
        if self.incomplete:
            return
        for field, counted in (("n_images", self._n_images), ("n_with_findings", self._n_found)):
            if record[field] != counted:
                self.found(line, f"{field} is {record[field]}, and the records make {counted}")
        for check in sorted({*record["findings"], *self._counts}):
            told = record["findings"].get(check, 0)
            if told != self._counts[check]:
                self.found(line, f"findings.{check:.40} is {told}, and the records make {self._counts[check]}")

    def end(self, digest: str | None) -> None:
        """Note that the file is over."""
        if not self._ended and not self.incomplete:
            self.found(0, "no summary at the end")

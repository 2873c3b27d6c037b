"""Reports of `analyze`, `impact`, `compare`, `compare-logs` and `audit-images`: whole, and as their schemas say.

Whether their numbers follow from the runs is not asked here: it would be the analysis a second time.
"""

from __future__ import annotations

from exaid_evals.validation.base import FileCheck, Record


class _OneRecordCheck(FileCheck):
    """Checks a file that holds one record."""

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        if line > 1:
            self.found(line, "a second record: a report has one")


class AnalysisCheck(_OneRecordCheck):
    """An analysis of a run."""

    schema = "exaid.analysis"
    remedy = "analyse the run again with `exaid-evals analyze`"


class ImpactCheck(_OneRecordCheck):
    """An analysis of hyper-parameters."""

    schema = "exaid.impact"
    remedy = "analyse the runs again with `exaid-evals impact`"


class RunComparisonCheck(_OneRecordCheck):
    """A comparison of runs."""

    schema = "exaid.run_comparison"
    remedy = "compare the runs again with `exaid-evals compare`"


class LogComparisonCheck(_OneRecordCheck):
    """A comparison of two logs."""

    schema = "exaid.log_comparison"
    remedy = "compare the logs again with `exaid-evals compare-logs`"


class CorrectedCheck(FileCheck):
    """Measures that labels have corrected: a record a variant."""

    schema = "exaid.corrected"
    remedy = "compute them again with `exaid-evals compute-metrics --labels`"

    def record(self, line: int, record: Record) -> None:
        """Take the next record; the schema says all of it."""


class ImageAuditCheck(FileCheck):
    """An audit of images: a record an image, and a summary that ends it."""

    schema = "exaid.image_audit"
    remedy = "audit the images again with `exaid-evals audit-images`"
    _ended = False

    def record(self, line: int, record: Record) -> None:
        """Take the next record."""
        if self._ended:
            self.found(line, "a record after the summary, which is the last one")
        self._ended = record["record_type"] != "image"

    def end(self, digest: str | None) -> None:
        """Note that the file is over."""
        if not self._ended and not self.incomplete:
            self.found(0, "no summary at the end: it was cut")

"""The kinds of files that can be checked. A kind is added by adding a file and its line here."""

from __future__ import annotations

from exaid_evals.validation.base import FileCheck
from exaid_evals.validation.case import CaseCheck
from exaid_evals.validation.export import ExportCheck
from exaid_evals.validation.manifest import ManifestCheck
from exaid_evals.validation.metrics import MetricsCheck
from exaid_evals.validation.recordings import CassetteCheck, MacCassetteCheck
from exaid_evals.validation.recovery import RecoveryCheck
from exaid_evals.validation.reports import (
    AnalysisCheck,
    CorrectedCheck,
    ImageAuditCheck,
    ImpactCheck,
    LogComparisonCheck,
    RunComparisonCheck,
)
from exaid_evals.validation.run import RunCheck
from exaid_evals.validation.trace import TraceCheck

CHECKS: dict[str, type[FileCheck]] = {
    check.schema: check
    for check in (
        ManifestCheck,
        CaseCheck,
        TraceCheck,
        RunCheck,
        MetricsCheck,
        CorrectedCheck,
        ExportCheck,
        CassetteCheck,
        MacCassetteCheck,
        AnalysisCheck,
        ImageAuditCheck,
        RunComparisonCheck,
        LogComparisonCheck,
        ImpactCheck,
        RecoveryCheck,
    )
}

"""One file: every line read, every record held against its schema and its neighbours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import scan_document, scan_jsonl
from exaid_evals.artifacts.schemas import compiled_for, violations
from exaid_evals.errors import SchemaVersionError
from exaid_evals.validation.base import FileCheck, Finding
from exaid_evals.validation.registry import CHECKS
from exaid_evals.validation.scan.targets import Target
from exaid_evals.validation.surroundings import Surroundings

UNKNOWN = "unknown"
_DOCUMENT_SUFFIXES = (".json", ".json.gz")
# A file with so many problems is not a file of records, or a bomb of bad lines that would take hours.
_GIVE_UP_AFTER = 10_000
_CORRECT = "correct the record, or make the file again"


@dataclass(slots=True)
class FileReport:
    """What one file holds.

    Attributes:
        path: the file.
        keep: number of findings to keep.
        kind: `trace`, `run`, …; `unknown` where no record says.
        n_records: lines that are JSON objects.
        findings: the first findings, by line.
        n_findings: all findings, kept or not.
    """

    path: Path
    keep: int
    kind: str = UNKNOWN
    n_records: int = 0
    findings: list[Finding] = field(default_factory=list)
    n_findings: int = 0

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room: a hostile file has millions."""
        self.n_findings += 1
        if len(self.findings) < self.keep:
            self.findings.append(finding)


def check_file(target: Target, surroundings: Surroundings, *, keep: int) -> FileReport:
    """Check a file.

    Args:
        target: the file.
        surroundings: shared by all files that are checked together.
        keep: number of findings to keep; all are counted.
    """
    report = FileReport(target.path, keep)
    if target.obstacle is not None:
        report.add(target.obstacle)
        return report
    path = target.path
    # Only a manifest asks for a file's hash, and only for that of its own traces.
    digest = hashlib.sha256() if path.parent.name == "traces" else None
    scan = scan_document if path.name.endswith(_DOCUMENT_SUFFIXES) else scan_jsonl
    check: FileCheck | None = None
    for number, record, problem, remedy in scan(path, digest=digest):
        if record is None:
            report.add(Finding(number, problem or "no record", remedy or _CORRECT))
            sound = False
        else:
            report.n_records += 1
            if check is None:
                check = _check_for(report, record, surroundings)
            sound = _is_sound(report, check, number, record)
        if check is not None:
            if sound and record is not None:
                check.record(number, record)
            else:
                check.broken()
        if report.n_findings >= _GIVE_UP_AFTER:
            report.add(Finding(number, "too many problems: what follows is not read", "is it a file of records?"))
            break
    if check is not None:
        check.end(f"sha256:{digest.hexdigest()}" if digest is not None else None)
    if not report.n_records and not report.n_findings:
        report.add(Finding(0, "is empty", "remove it, or make it again"))
    report.findings.sort()
    return report


def _check_for(report: FileReport, record: dict[str, Any], surroundings: Surroundings) -> FileCheck | None:
    """Begin the check of the kind that a file's first record declares; None where it declares none that is known."""
    kind = record.get("schema_name")
    if not isinstance(kind, str) or kind not in CHECKS:
        return None
    report.kind = kind.removeprefix("exaid.")
    check = CHECKS[kind](report.path, surroundings, report.add)
    if report.n_findings:  # of the lines above
        check.broken()
    return check


def _is_sound(report: FileReport, check: FileCheck | None, number: int, record: dict[str, Any]) -> bool:
    """Tell whether a record is valid and of the file's kind, and add what is wrong with it."""
    try:
        compiled = compiled_for(record)
    except SchemaVersionError as error:
        report.add(Finding(number, error.what, error.remedy or _CORRECT))
        return False
    if check is not None and record["schema_name"] != check.schema:
        what = f"a record of {record['schema_name']} in a file of {check.schema}"
        report.add(Finding(number, what, "keep one kind of record a file"))
        return False
    if compiled.is_valid(record):
        return True
    for where, message in violations(record):
        report.add(Finding(number, f"{where}: {message}" if where else message, _CORRECT))
    return False

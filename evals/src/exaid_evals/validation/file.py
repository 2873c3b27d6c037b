"""What one file holds, line by line: by its schemas, and by the check of its kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import Line, Records, scan_batches, scan_document
from exaid_evals.artifacts.schemas import all_valid, compiled_for, violations
from exaid_evals.errors import SchemaVersionError
from exaid_evals.validation.base import FileCheck, Finding, Surroundings, TraceFacts
from exaid_evals.validation.metrics import MetricsCheck
from exaid_evals.validation.records import CaseCheck, CassetteCheck, MacCassetteCheck, ManifestCheck, RecoveryCheck
from exaid_evals.validation.reports import (
    AnalysisCheck,
    CorrectedCheck,
    ExportCheck,
    ImageAuditCheck,
    ImpactCheck,
    LogComparisonCheck,
    RunComparisonCheck,
)
from exaid_evals.validation.run import RunCheck
from exaid_evals.validation.targets import Target
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


UNKNOWN = "unknown"
_DOCUMENT_SUFFIXES = (".json", ".json.gz")
# A file with so many problems is not a file of records, or a bomb of bad lines that would take hours.
_GIVE_UP_AFTER = 10_000


@dataclass(slots=True)
class FileReport:
    """What one file holds.

    Attributes:
        name: path of the file.
        keep: number of findings to keep.
        kind: `trace`, `run`, …; `unknown` where no record says.
        n_records: lines that are JSON objects.
        findings: the first findings, by line.
        n_findings: all findings, kept or not.
        sha256: hash of the content, of a run log that was wanted with it and could be read to its end.
        facts: what a manifest may say of a trace; None of other files, and of what is not a sound trace.
    """

    name: str
    keep: int
    kind: str = UNKNOWN
    n_records: int = 0
    findings: list[Finding] = field(default_factory=list)
    n_findings: int = 0
    sha256: str | None = None
    facts: TraceFacts | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.name)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room: a hostile file has millions."""
        self.n_findings += 1
        if len(self.findings) < self.keep:
            self.findings.append(finding)


def check_file(target: Target, surroundings: Surroundings, *, keep: int, hashed: bool = False) -> FileReport:
    """Check a file.

    Args:
        target: the file.
        surroundings: shared by all files that are checked together.
        keep: number of findings to keep; all are counted.
        hashed: whether the report is to hold the content's hash.
    """
    report = FileReport(target.name, keep)
    if target.obstacle is not None:
        report.add(target.obstacle)
        return report
    path = target.path
    # Hashes are asked for by a manifest, of its own traces, and by metrics, of their runs.
    digest = hashlib.sha256() if hashed or path.parent.name == "traces" else None
    scan = scan_document if path.name.endswith(_DOCUMENT_SUFFIXES) else scan_batches
    reading = _Reading(path, report, surroundings)
    if not all(reading.goes_on(found) for found in scan(path, digest=digest)):
        report.add(Finding(reading.last, "too many problems: what follows is not read", "name the right file"))
    if reading.check is not None:
        reading.check.end(f"sha256:{digest.hexdigest()}" if digest is not None else None)
    if hashed and digest is not None and not report.n_findings:
        report.sha256 = f"sha256:{digest.hexdigest()}"
    if not report.n_records and not report.n_findings:
        report.add(Finding(0, "is empty", "remove it, or make it again"))
    report.findings.sort()
    return report


def begins_well(target: Target, line: Line, surroundings: Surroundings) -> bool:
    """Return whether nothing is wrong with a file's first line, by itself and with what is known of other files."""
    report = FileReport(target.name, keep=0)
    _Reading(target.path, report, surroundings).goes_on(line)
    return not report.n_findings


class _Reading:
    """Takes what is read of a file, and asks schema and check of its kind about it.

    Attributes:
        report: where findings go.
        check: of the kind that the first record declares; None before it, and where no such kind is known.
        last: number of the line that was read last.
    """

    def __init__(self, path: Path, report: FileReport, surroundings: Surroundings) -> None:
        self.report = report
        self.check: FileCheck | None = None
        self.last = 0
        self._path = path
        self._surroundings = surroundings

    def goes_on(self, found: Records | Line) -> bool:
        """Take what comes next, and return whether it is worth to read on."""
        if isinstance(found, Line):
            return self._line(found.number, found.value, found.problem, found.remedy)
        first = found.number
        for records in _of_one_type(found.values):
            if not self._together(first, records) and not all(
                self._line(line, record) for line, record in enumerate(records, first)
            ):
                return False
            first += len(records)
        return True

    def _together(self, first: int, records: list[dict[str, Any]]) -> bool:
        """Take records of one type where all of them are valid and nothing was found before; return whether so."""
        if self.check is None:
            self._begin(records[0])
        if self.check is None or self.report.n_findings or records[0].get("schema_name") != self.check.schema:
            return False
        try:
            if not all_valid(records):
                return False
        except SchemaVersionError:
            return False
        self.report.n_records += len(records)
        self.check.records(first, records)
        return True

    def _line(
        self, number: int, record: dict[str, Any] | None, problem: str | None = None, remedy: str | None = None
    ) -> bool:
        self.last = number
        if record is None:
            self.report.add(Finding(number, problem or "no record", remedy or FileCheck.remedy))
            sound = False
        else:
            self.report.n_records += 1
            if self.check is None:
                self._begin(record)
            sound = _is_sound(self.report, self.check, number, record)
        if self.check is not None:
            if sound and record is not None:
                self.check.record(number, record)
            else:
                self.check.broken()
        return self.report.n_findings < _GIVE_UP_AFTER

    def _begin(self, record: dict[str, Any]) -> None:
        """Begin the check of the kind that a file's first record declares."""
        kind = record.get("schema_name")
        if not isinstance(kind, str) or kind not in CHECKS:
            return
        self.report.kind = kind.removeprefix("exaid.")
        self.check = CHECKS[kind](self._path, self._surroundings, self.report.add)
        if self.report.n_findings:  # of the lines above
            self.check.broken()


_AT_ONCE = 256
"""Records at most that are checked before findings are counted: in a hostile file each has many."""
_TYPED = itemgetter("schema_name", "schema_version", "record_type")
_UNTYPED = itemgetter("schema_name", "schema_version")


def _of_one_type(records: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Divide records, in order, where their schema, version or type changes; into single ones where one has none."""
    kind_of = _TYPED if "record_type" in records[0] else _UNTYPED
    try:
        found = [list(group) for _, group in groupby(records, kind_of)]
    except KeyError:
        yield from ([record] for record in records)
        return
    for group in found:
        yield from (group[start : start + _AT_ONCE] for start in range(0, len(group), _AT_ONCE))


def _is_sound(report: FileReport, check: FileCheck | None, number: int, record: dict[str, Any]) -> bool:
    """Return whether a record is valid and of the file's kind, and add what is wrong with it."""
    try:
        compiled = compiled_for(record)
    except SchemaVersionError as error:
        report.add(Finding(number, error.what, error.remedy or FileCheck.remedy))
        return False
    if check is not None and record["schema_name"] != check.schema:
        what = f"a record of {record['schema_name']} in a file of {check.schema}"
        report.add(Finding(number, what, "keep one kind of record a file"))
        return False
    if compiled.is_valid(record):
        return True
    for where, message in violations(record):
        report.add(Finding(number, f"{where}: {message}" if where else message, (check or FileCheck).remedy))
    return False

"""From what a user names to findings: which files are meant, and what each of them holds, line by line."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.artifacts.jsonl import scan_document, scan_jsonl
from exaid_evals.artifacts.schemas import compiled_for, violations
from exaid_evals.artifacts.storage import INDEX, is_shard, packed
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError, SchemaVersionError
from exaid_evals.files import is_folder, lies_in, unreadable
from exaid_evals.validation.base import FileCheck, Finding, Surroundings
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


_RECORD_SUFFIXES = (".jsonl", ".jsonl.gz")
_EXPORT = "exported_summary.json"
# Folders of a campaign that hold results for readers, not records.
_PASSED_OVER = frozenset({"tables", "figures"})


class Target(NamedTuple):
    """A file to check.

    Attributes:
        path: absolute, without `..`; links stay as they are named.
        obstacle: why it cannot be checked; None where nothing is known against it.
    """

    path: Path
    obstacle: Finding | None = None


def campaign_targets(campaign: Campaign) -> list[Target]:
    """Return every record file of a campaign."""
    folders = (
        campaign.manifests,
        campaign.cases,
        campaign.traces,
        campaign.runs,
        campaign.cassettes,
        campaign.metrics,
        campaign.exports,
    )
    return _in_order(target for folder in folders if os.path.lexists(folder) for target in _walk(folder))


def named_targets(arguments: Sequence[str]) -> list[Target]:
    """Return the files that the arguments name: themselves, or the record files below a folder.

    Raises:
        ConfigError: names every path that does not exist and every glob that matches nothing.
    """
    found: list[Target] = []
    problems: list[ConfigError] = []
    for argument in arguments:
        if os.path.lexists(argument):
            found += _named(Path(argument))
        elif glob.has_magic(argument):
            matches = [Path(match) for match in glob.glob(argument, recursive=True)]  # noqa: PTH207 - keeps absolute ones
            chosen = [match for match in matches if match.is_dir() or _is_record_file(match.name)]
            found += [target for match in chosen for target in _named(match)]
            if not chosen:
                remedy = "quote it and check it; record files end in .jsonl or .jsonl.gz"
                problems.append(ConfigError("matches no record file or folder", where=argument, remedy=remedy))
        else:
            problems.append(ConfigError("no such file or folder", where=argument, remedy="check the path"))
    if problems:
        raise ConfigError.of(problems)
    return _in_order(found)


def _in_order(targets: Iterator[Target] | Sequence[Target]) -> list[Target]:
    """Sort and drop what is named twice; manifests come last, when the traces that they list have been read."""
    unique = {target.path: target for target in targets}
    return sorted(unique.values(), key=lambda target: (target.path.parent.name == "manifests", target.path.parts))


def _named(path: Path) -> Iterator[Target]:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would rename links
    if path.is_dir():
        yield from _walk(path)
    else:
        yield Target(path)


def _is_record_file(name: str) -> bool:
    return not name.startswith(".") and (name.endswith(_RECORD_SUFFIXES) or name == _EXPORT)


def _walk(top: Path) -> Iterator[Target]:
    """Yield the record files below a folder, and what stands in the way. Links are followed, but not in circles."""
    waiting = [top]
    seen: set[str] = set()
    while waiting:
        folder = waiting.pop()
        if _is_record_file(folder.name):
            yield Target(folder, Finding(0, "is a folder, where a file must stand", "move or rename it"))
            continue
        real = os.path.realpath(folder)
        if folder.is_symlink() and lies_in(folder.parent, Path(real)):
            yield Target(folder, Finding(0, "a link that leads back to a folder above it", "remove the link"))
            continue
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found = unreadable(folder, error)
            yield Target(folder, Finding(0, found.what, found.remedy or ""))
            continue
        in_shards: set[str] = set()
        try:
            in_shards = set(packed(folder))
        except DataError as error:
            yield Target(folder / INDEX, Finding(0, error.what, error.remedy or FileCheck.remedy))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if is_folder(entry):
                if entry.name not in _PASSED_OVER:
                    # Links wait until every real folder has been seen, under its own name.
                    waiting.insert(0 if entry.is_symlink() else len(waiting), folder / entry.name)
            elif _is_record_file(entry.name) and not is_shard(entry.name):
                yield Target(folder / entry.name)
        yield from (Target(folder / name) for name in sorted(in_shards - {entry.name for entry in entries}))


UNKNOWN = "unknown"
_DOCUMENT_SUFFIXES = (".json", ".json.gz")
# A file with so many problems is not a file of records, or a bomb of bad lines that would take hours.
_GIVE_UP_AFTER = 10_000


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
        sha256: hash of the content, of a run log that was wanted with it and could be read to its end.
    """

    path: Path
    keep: int
    kind: str = UNKNOWN
    n_records: int = 0
    findings: list[Finding] = field(default_factory=list)
    n_findings: int = 0
    sha256: str | None = None

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room: a hostile file has millions."""
        self.n_findings += 1
        if len(self.findings) < self.keep:
            self.findings.append(finding)


_CASES_A_BATCH = 4
_WORTH_PROCESSES = 1500
"""Run logs that take longer to check than another process takes to start."""


def check_files(
    targets: Sequence[Target],
    *,
    keep: int,
    jobs: int | None = None,
    trust_ledger: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[FileReport]:
    """Check files; run logs, of which a campaign has most, in several processes, those of a case in one.

    Args:
        targets: what to check.
        keep: findings to keep a file; others are counted.
        jobs: processes at most; None: as many as there are cores, for many logs. No finding depends on it.
        trust_ledger: pass run logs that are, by their hash, what their stage wrote.
        advance: called for each file.
    """
    surroundings = Surroundings()
    others: list[Target] = []
    by_case: dict[tuple[Path, str], list[Target]] = {}
    for target in targets:
        if target.path.parent.parent.name == "runs":
            by_case.setdefault((target.path.parents[2], target.path.name), []).append(target)
            continue
        others.append(target)
    cases = list(by_case.values())
    batches = [
        [target for case in cases[start : start + _CASES_A_BATCH] for target in case]
        for start in range(0, len(cases), _CASES_A_BATCH)
    ]
    # Metrics ask for the hashes of the runs that they were made from: those are taken while the logs are read.
    hashed = any(target.path.parent.name == "metrics" for target in others)
    here = _BatchCheck(keep, trust_ledger, hashed, surroundings)
    checked = ((batch, here(batch)) for batch in batches)
    if jobs is None:
        jobs = (os.cpu_count() or 1) if sum(map(len, cases)) >= _WORTH_PROCESSES else 1
    if min(jobs, len(batches)) > 1:
        from exaid_evals.execution.local import Processes  # a single file is checked before this is imported

        checked = Processes(jobs).map_ordered(partial(_BatchCheck, keep, trust_ledger, hashed), batches, here=here)
    reports: list[FileReport] = []
    for _, found in checked:
        reports += found
        for report in found:
            if report.sha256 is not None:
                surroundings.note_run(report.path, report.sha256)
            advance()
    for place, target in enumerate(others):
        reports.insert(place, check_file(target, surroundings, keep=keep))
        advance()
    return reports


class _BatchCheck:
    """Checks files in a process that remembers what it has read of their surroundings."""

    def __init__(self, keep: int, trust_ledger: bool, hashed: bool, surroundings: Surroundings | None = None) -> None:
        self._keep, self._trust_ledger, self._hashed = keep, trust_ledger, hashed
        self._surroundings = surroundings or Surroundings()

    def __call__(self, targets: Sequence[Target]) -> list[FileReport]:
        return [
            (self._trust_ledger and _vouched_for(target, self._surroundings, self._keep))
            or check_file(target, self._surroundings, keep=self._keep, hashed=self._hashed)
            for target in targets
        ]


def _vouched_for(target: Target, surroundings: Surroundings, keep: int) -> FileReport | None:
    """Return the report of a run log that is what its stage wrote, after checking it; None of any other file."""
    written = None if target.obstacle else surroundings.written_run(target.path)
    if written is None:
        return None
    digest, n_records = hashlib.sha256(), 0
    try:
        for chunk in content_chunks(target.path):
            digest.update(chunk)
            n_records += chunk.count(b"\n")
    except DataError:  # the whole check says what is wrong
        return None
    if f"sha256:{digest.hexdigest()}" != written:
        return None
    return FileReport(target.path, keep, "run", n_records, sha256=written)


def check_file(target: Target, surroundings: Surroundings, *, keep: int, hashed: bool = False) -> FileReport:
    """Check a file.

    Args:
        target: the file.
        surroundings: shared by all files that are checked together.
        keep: number of findings to keep; all are counted.
        hashed: whether the report is to hold the content's hash.
    """
    report = FileReport(target.path, keep)
    if target.obstacle is not None:
        report.add(target.obstacle)
        return report
    path = target.path
    # Hashes are asked for by a manifest, of its own traces, and by metrics, of their runs.
    digest = hashlib.sha256() if hashed or path.parent.name == "traces" else None
    scan = scan_document if path.name.endswith(_DOCUMENT_SUFFIXES) else scan_jsonl
    check: FileCheck | None = None
    for number, record, problem, remedy in scan(path, digest=digest):
        if record is None:
            report.add(Finding(number, problem or "no record", remedy or FileCheck.remedy))
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
            report.add(Finding(number, "too many problems: what follows is not read", "name the right file"))
            break
    if check is not None:
        check.end(f"sha256:{digest.hexdigest()}" if digest is not None else None)
    if hashed and digest is not None and not report.n_findings:
        report.sha256 = f"sha256:{digest.hexdigest()}"
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

"""Many files checked, in one process or several."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby, islice
from typing import NamedTuple, TypeVar

from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES, parse_line
from exaid_evals.errors import DataError
from exaid_evals.validation.base import Surroundings, TraceFacts
from exaid_evals.validation.file import FileReport, begins_well, check_file
from exaid_evals.validation.targets import Target

Item = TypeVar("Item")

_CASES_A_BATCH = 4
_TRACES_A_BATCH = 16
_WORTH_PROCESSES = 1500
"""Run logs that take longer to check than another process takes to start."""


def check_files(
    targets: Sequence[Target],
    *,
    keep: int,
    jobs: int | None = None,
    cluster: str | None = None,
    trust_ledger: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Iterator[FileReport]:
    """Check files, and yield what each holds; run logs and traces, of which a campaign has most, in several processes.

    Args:
        targets: what to check.
        keep: findings to keep a file; others are counted.
        jobs: processes at most; None: as many as there are cores, for many logs. No finding depends on it.
        cluster: where run logs and traces are checked instead, as `execution.choose.executor` takes it.
        trust_ledger: pass run logs and traces that are, by their hash, what their stage wrote.
        advance: called for each file.
    """
    runs = sorted((target for target in targets if _kind_of(target) == "runs"), key=_case_of)
    traces = [target for target in targets if _kind_of(target) == "traces"]
    others = [target for target in targets if _kind_of(target) == ""]
    if jobs is None:
        jobs = (os.cpu_count() or 1) if len(runs) >= _WORTH_PROCESSES else 1
    surroundings = Surroundings()
    # Metrics ask for the hashes of the runs that they were made from: those are taken while the logs are read.
    hashed = any(target.folder == "metrics" for target in others)
    here = _BatchCheck(keep, trust_ledger, hashed, surroundings)
    batches = chain(_batches_of_runs(runs), _chunks(iter(traces), _TRACES_A_BATCH))
    alone = jobs == 1 and cluster is None
    # The first is checked here, so that processes that begin as copies of this one have the schemas.
    checked: Iterator[tuple[list[Target], list[FileReport | _Sound]]] = (
        (batch, here(batch)) for batch in islice(batches, None if alone else 1)
    )
    if not alone:
        from exaid_evals.execution.choose import executor  # a single file is checked before this is imported

        build = partial(_BatchCheck, keep, trust_ledger, hashed)
        checked = chain(checked, executor(jobs, cluster).map_ordered(build, batches, here=here))
    for batch, reports in checked:
        for target, found in zip(batch, reports, strict=True):
            report = found if isinstance(found, FileReport) else FileReport(target.name, keep, **found._asdict())
            if report.sha256 is not None:
                surroundings.note_run(report.name, report.sha256)
            if _kind_of(target) == "traces":
                surroundings.note_trace(report.name, report.facts)
            yield report
            advance()
    for target in others:
        yield check_file(target, surroundings, keep=keep)
        advance()


def _kind_of(target: Target) -> str:
    """Return `runs` or `traces` of a file that lies where a campaign has those."""
    if target.folder == "traces":
        return "traces"
    return "runs" if target.name.rsplit(os.sep, 3)[-3:-2] == ["runs"] else ""


def _case_of(run: Target) -> tuple[str, str]:
    root, _, _, name = run.name.rsplit(os.sep, 3)
    return root, name


def _batches_of_runs(runs: Sequence[Target]) -> Iterator[list[Target]]:
    """Yield the run logs of some cases after the other, those of a case together."""
    cases = (list(case) for _, case in groupby(runs, _case_of))
    for some in _chunks(cases, _CASES_A_BATCH):
        yield [run for case in some for run in case]


def _chunks(items: Iterator[Item], length: int) -> Iterator[list[Item]]:
    return iter(lambda: list(islice(items, length)), [])


class _Sound(NamedTuple):
    """The report of a file without findings, as small as it is when it comes from another process."""

    kind: str
    n_records: int
    sha256: str | None
    facts: TraceFacts | None


class _BatchCheck:
    """Checks files in a process that remembers what it has read of their surroundings, but for the files themselves."""

    def __init__(self, keep: int, trust_ledger: bool, hashed: bool, surroundings: Surroundings | None = None) -> None:
        self._keep, self._trust_ledger, self._hashed = keep, trust_ledger, hashed
        self._surroundings = surroundings or Surroundings()

    def __call__(self, targets: Sequence[Target]) -> list[FileReport | _Sound]:
        return [self._report(target, _kind_of(target)) for target in targets]

    def _report(self, target: Target, kind: str) -> FileReport | _Sound:
        if self._trust_ledger and (passed := _vouched_for(target, kind, self._surroundings)):
            return passed
        report = check_file(target, self._surroundings, keep=self._keep, hashed=self._hashed and kind == "runs")
        report.facts = self._surroundings.taken_trace(target.name)
        return report if report.n_findings else _Sound(report.kind, report.n_records, report.sha256, report.facts)


def _vouched_for(target: Target, kind: str, surroundings: Surroundings) -> _Sound | None:
    """Return the report of a run log or trace that is what its stage wrote; None of any other file.

    A run log must be of the traces that are frozen now, too: it may be older than they are.
    """
    root, *folders, name = target.name.rsplit(os.sep, 3 if kind == "runs" else 2)
    stage = "run-variants" if kind == "runs" else "make-traces"
    key = "/".join([*folders[1:], name.removesuffix(".jsonl.gz")])
    written = None if target.obstacle else surroundings.written(root, stage, key)
    if written is None:
        return None
    digest, n_records, opening = hashlib.sha256(), 0, b""
    try:
        for chunk in content_chunks(target.path):
            digest.update(chunk)
            opening += b"" if n_records or len(opening) > MAX_LINE_BYTES else chunk
            n_records += chunk.count(b"\n")
    except DataError:  # the whole check says what is wrong
        return None
    if f"sha256:{digest.hexdigest()}" != written:
        return None
    if kind == "runs":
        first = parse_line(opening.partition(b"\n")[0], 1)
        return _Sound("run", n_records, written, None) if begins_well(target, first, surroundings) else None
    return _Sound("trace", n_records, None, TraceFacts(written, n_records, None, None))

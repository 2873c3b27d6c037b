"""Stage 01: make the traces of the selected cases and freeze them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, write_manifest
from exaid_evals.cases.base import Case
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.dataset import OnFailure
from exaid_evals.errors import CaseFailedError, DataError
from exaid_evals.traces.freeze import TRACE_PATTERN, entry_of
from exaid_evals.traces.model import Trace, failed_trace, read_trace, write_trace
from exaid_evals.traces.plan import Plan, plan_traces
from exaid_evals.traces.source import TraceSource

__all__ = ["CaseDone", "Plan", "Result", "make_traces", "plan_traces"]

# Below so many cases a process, starting processes takes longer than the work.
_WORTH_A_PROCESS = 20


@dataclass(frozen=True, slots=True)
class CaseDone:
    """One finished case, as the caller's progress is told.

    Attributes:
        case_id: which.
        failed: whether it has no talk.
        reused: whether an interrupted call had already made it.
    """

    case_id: str
    failed: bool
    reused: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What a call did.

    Attributes:
        manifest: the freeze.
        made: ids of the traces made now.
        reused: ids of the traces that an interrupted call had made.
        removed: ids of traces that belong to no selected case any more.
        failed: ids and reasons of the cases that have no talk.
        nothing_to_do: whether the same traces were frozen already.
    """

    manifest: Manifest
    made: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    nothing_to_do: bool = False


def make_traces(plan: Plan, *, jobs: int = 1, on_case: Callable[[CaseDone], None] = lambda _: None) -> Result:
    """Make what is planned, and freeze it.

    Each trace is written as soon as it is made and noted in a ledger, so that an interrupted call is gone on
    with; the manifest, which freezes them, is written last.

    Args:
        plan: from `plan_traces`.
        jobs: cases made at the same time, each in a process of its own; the bytes do not depend on it.
        on_case: told of each finished case, in order.

    Raises:
        CaseFailedError: a case failed and the configuration says to stop; what is done is kept, nothing frozen.
    """
    if plan.frozen is not None:
        return Result(plan.frozen, failed=_reasons(plan.campaign, plan.frozen), nothing_to_do=True)
    # Imported here: a freeze that needs no work needs no numpy either.
    from exaid_evals.traces.stub.generator import StubSource

    source: TraceSource = StubSource(plan.generation_config, plan.provenance, plan.every_case)
    campaign = plan.campaign
    if plan.force:
        # Without a manifest nothing counts as frozen; without a ledger nothing counts as current.
        campaign.manifest_file.unlink(missing_ok=True)
        plan.ledger_file.unlink(missing_ok=True)
    plan.ledger_file.parent.mkdir(parents=True, exist_ok=True)
    plan.ledger_file.touch()  # marks what lies in traces/ as ours, even if we are killed before the first entry
    entries: list[TraceEntry] = []
    made: list[str] = []
    reused: list[str] = []
    failed: list[tuple[str, str]] = []
    with Ledger(plan.ledger_file) as ledger:
        inputs = {case.case_id: fingerprint(**source.inputs(case)) for case in plan.cases}
        missing = [
            case
            for case in plan.cases
            if not ledger.is_current(case.case_id, inputs[case.case_id], campaign.trace_file(case.case_id))
        ]
        new = _generated(source, missing, jobs)
        wanted = {case.case_id for case in missing}
        for case in plan.cases:
            path = campaign.trace_file(case.case_id)
            if case.case_id in wanted:
                trace = _accepted(next(new), case, plan)
                write_trace(path, trace)
                ledger.record(case.case_id, inputs[case.case_id], path)
                made.append(case.case_id)
            else:
                trace = read_trace(path)
                reused.append(case.case_id)
            if trace.failure_reason is not None:
                failed.append((case.case_id, trace.failure_reason))
            entries.append(entry_of(campaign, trace))
            on_case(CaseDone(case.case_id, trace.failed, case.case_id not in wanted))
        removed = _remove_others(plan)
        ledger.keep_only(plan.case_ids)
    manifest = replace(plan.manifest, traces=tuple(entries))
    write_manifest(campaign.manifest_file, manifest)
    return Result(manifest, tuple(made), tuple(reused), removed, tuple(failed))


def _generated(source: TraceSource, cases: Sequence[Case], jobs: int) -> Iterator[Trace | str]:
    """Yield each case's trace, or why it failed, in the order of the cases."""
    if jobs == 1 or len(cases) < _WORTH_A_PROCESS * jobs:
        for case in cases:
            yield _attempt(source, case)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs, initializer=_start_worker, initargs=(source,)) as pool:
        try:
            yield from pool.map(_work, cases, chunksize=4)
        finally:
            # Closed early, by a failure or an interruption: what has not begun is not begun.
            pool.shutdown(wait=False, cancel_futures=True)


def _attempt(source: TraceSource, case: Case) -> Trace | str:
    try:
        return source.generate(case)
    except CaseFailedError as error:
        return error.what


_worker_source: TraceSource | None = None


def _start_worker(source: TraceSource) -> None:
    # A worker is sent its source once; it holds the diagnoses of all cases.
    global _worker_source
    _worker_source = source


def _work(case: Case) -> Trace | str:
    assert _worker_source is not None  # noqa: S101 - set by the pool's initializer
    return _attempt(_worker_source, case)


def _accepted(outcome: Trace | str, case: Case, plan: Plan) -> Trace:
    if not isinstance(outcome, str):
        return outcome
    if plan.dataset.on_failure is OnFailure.RAISE:
        remedy = "the traces made so far are kept; remove the cause, or set `on_failure: log_stub`"
        raise CaseFailedError(outcome, where=case.case_id, remedy=remedy)
    return failed_trace(case.case_id, plan.manifest.created_at, plan.provenance, outcome)


def _remove_others(plan: Plan) -> tuple[str, ...]:
    """Remove traces of cases that are not selected; `plan_traces` has made sure that they are ours to remove."""
    wanted = {plan.campaign.trace_file(case_id).name for case_id in plan.case_ids}
    removed = []
    for path in sorted(plan.campaign.traces.glob(TRACE_PATTERN)):
        if path.name not in wanted:
            path.unlink()
            removed.append(path.name.removesuffix(".jsonl.gz"))
    return tuple(removed)


def _reasons(campaign: Campaign, manifest: Manifest) -> tuple[tuple[str, str], ...]:
    found = []
    for case_id in manifest.failed_cases:
        trace = read_trace(campaign.trace_file(case_id))
        if trace.failure_reason is None:
            raise DataError(
                "the manifest calls it failed, the trace does not", where=case_id, remedy="make the traces again"
            )
        found.append((case_id, trace.failure_reason))
    return tuple(found)

"""Stage 01: make the traces of the selected cases and freeze them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from exaid_evals.artifacts.atomic import remove_leftovers
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ledger import Ledger, Part, fingerprint
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, to_record, write_manifest
from exaid_evals.artifacts.storage import packed, stored_names
from exaid_evals.cases.base import Case, Chosen
from exaid_evals.clients.base import Budget, Spent, StoppedError
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import OnFailure
from exaid_evals.errors import CaseFailedError, ConfigError, DataError
from exaid_evals.execution.choose import asking_executor, executor
from exaid_evals.execution.local import map_threads
from exaid_evals.execution.questions import Ask
from exaid_evals.traces.freeze import TRACE_PATTERN, entry_of
from exaid_evals.traces.model import Provenance, Trace, failed_trace, read_trace, write_trace
from exaid_evals.traces.plan import Plan

if TYPE_CHECKING:
    from exaid_evals.traces.mac.source import WorkerSource


class TraceSource(Protocol):
    """Makes the trace of a case; the result depends on the case and the source's own settings alone."""

    def generate(self, case: Case) -> Trace:
        """Return the conversation about a case.

        Raises:
            CaseFailedError: there is none; the message's `what` is the reason.
        """

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """Return, as plain data, everything that the trace of a case depends on, for the ledger."""


__all__ = ["CaseDone", "Plan", "Result", "make_traces"]

# Below so many cases a process, starting processes takes longer than the work.
_WORTH_A_PROCESS = 20


@dataclass(frozen=True, slots=True)
class CaseDone:
    """One finished case, as the caller's progress reports it.

    Attributes:
        case_id: which.
        failed: whether it has no conversation.
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
        failed: ids and reasons of the cases that have no conversation.
        nothing_to_do: whether the same traces were frozen already.
        stopped: why no more calls are made; None where all cases are done. Nothing is frozen then, and `manifest`
            lists the traces that are done.
        left: number of cases that are not done for that reason.
        spent: what MAC's model was asked, beyond what was recorded already.
    """

    manifest: Manifest
    made: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    nothing_to_do: bool = False
    stopped: str | None = None
    left: int = 0
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class _Finished:
    """What is kept of a trace that is written: its entry in the manifest, and why it has no conversation."""

    entry: TraceEntry
    reason: str | None
    reused: bool = False


def make_traces(
    plan: Plan,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    budget: Budget | None = None,
    on_case: Callable[[CaseDone], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Result:
    """Make what is planned, and freeze it.

    Each trace is written as soon as it is made and noted in a ledger, so that an interrupted call is gone on
    with; the manifest, which freezes them, is written last.

    Args:
        plan: from `plan.plan_traces`.
        jobs: cases made at the same time; the bytes do not depend on it.
        cluster: where conversations are made, as `execution.choose.executor` takes it; calls are made here.
        budget: what the calls of a live conversation may cost. When it is used up, the cases that need more are left
            for the next call; what is under way is waited for, since it is paid for.
        on_case: called with each finished case: of those that were there first.
        on_note: called with what a user may want to know meanwhile.

    Raises:
        CaseFailedError: a case failed and the configuration says to stop; what is done is kept, nothing frozen.
        LLMError: the provider refuses every call of a live conversation; likewise.
        DataError: a replay comes to something else than its recording; likewise.
    """
    campaign = plan.campaign
    remove_leftovers(campaign.state, campaign.cases, campaign.manifests, campaign.traces, campaign.cassettes)
    budget = budget or Budget()
    if plan.frozen is not None:
        return Result(plan.frozen, failed=_reasons(plan.campaign, plan.frozen), nothing_to_do=True)
    part = _begin(plan)
    finished, removed = _make(plan, jobs, cluster, budget, on_case, on_note)
    done = {case_id: finished[case_id] for case_id in plan.case_ids if case_id in finished}
    manifest = replace(plan.manifest, traces=tuple(one.entry for one in done.values()))
    left = len(plan.case_ids) - len(done)
    if not left:
        if part is None:
            write_manifest(campaign.manifest_file, manifest)
        else:
            part.end(campaign, manifest)
    return Result(
        manifest,
        stopped=budget.stop_reason if left else None,
        left=left,
        spent=budget.spent,
        made=tuple(case_id for case_id, one in done.items() if not one.reused),
        reused=tuple(case_id for case_id, one in done.items() if one.reused),
        removed=removed,
        failed=tuple((case_id, one.reason) for case_id, one in done.items() if one.reason is not None),
    )


def _begin(plan: Plan) -> Part | None:
    """Make the folder ready for new traces; return the part of the stage that they are, if they are one."""
    part = None if plan.shard is None else Part("make-traces", plan.shard, sha256_structure(to_record(plan.manifest)))
    traces = plan.campaign.traces
    if part is not None:
        part.begin(plan.campaign)
    if packed(traces):
        what, remedy = "the traces are in shards", "run `exaid-evals unpack` first, or name another --data-dir"
        raise ConfigError(what, where=str(traces), remedy=remedy)
    _clear(plan)
    plan.ledger_file.parent.mkdir(parents=True, exist_ok=True)
    plan.ledger_file.touch()  # marks what lies in traces/ as ours, even if we are killed before the first entry
    return part


def _make(
    plan: Plan,
    jobs: int,
    cluster: str | None,
    budget: Budget,
    on_case: Callable[[CaseDone], None],
    on_note: Callable[[str], None],
) -> tuple[dict[str, _Finished], tuple[str, ...]]:
    """Make the traces that are missing; return what is kept of all that are there, and which others were removed."""
    finished: dict[str, _Finished] = {}
    missing: list[int] = []
    with Ledger(plan.ledger_file) as ledger, _conversation(plan, jobs, cluster, on_note, budget) as (source, generated):
        inputs = {case.case_id: fingerprint(**source.inputs(case)) for case in plan.cases}
        for place, case_id in enumerate(plan.case_ids):
            trace = _finished(plan, ledger, case_id, inputs[case_id])
            if trace is None:
                missing.append(place)
            else:
                finished[case_id] = _Finished(entry_of(plan.campaign, trace), trace.failure_reason, reused=True)
                on_case(CaseDone(case_id, trace.failed, reused=True))
        with closing(generated(Chosen(plan.cases, missing))) as outcomes:
            for case, outcome in outcomes:
                if outcome is None:
                    continue
                if isinstance(outcome, str):
                    raise _failure(outcome, case)
                ledger.record(case.case_id, inputs[case.case_id], outcome.entry.sha256)
                finished[case.case_id] = outcome
                on_case(CaseDone(case.case_id, outcome.entry.failed, reused=False))
        removed = _remove_others(plan)
        ledger.keep_only(plan.case_ids)
    return finished, removed


def _clear(plan: Plan) -> None:
    """Take away what stands in the way of what is planned."""
    if plan.force or plan.retry_failed:
        # Without a manifest nothing counts as frozen.
        plan.campaign.manifest_file.unlink(missing_ok=True)
    if plan.force:
        # Without a ledger nothing counts as current, and without a recording every call is made anew.
        plan.ledger_file.unlink(missing_ok=True)
        if plan.live is not None and plan.live.endpoint is not None:
            from exaid_evals.traces.mac.recording import set_aside

            set_aside(plan.live.recording)


def _finished(plan: Plan, ledger: Ledger, case_id: str, inputs: str) -> Trace | None:
    """Return the trace that an earlier call made of a case, if it still stands."""
    path = plan.campaign.trace_file(case_id)
    if not ledger.is_current(case_id, inputs, path):
        return None
    trace = read_trace(path)
    return None if trace.failed and plan.retry_failed else trace


_Outcomes = Generator[tuple[Case, _Finished | str | None], None, None]
"""A case with what is kept of its trace, or why it has none; None where it was left for lack of calls."""


@contextmanager
def _conversation(
    plan: Plan, jobs: int, cluster: str | None, on_note: Callable[[str], None], budget: Budget
) -> Iterator[tuple[TraceSource, Callable[[Sequence[Case]], _Outcomes]]]:
    """Yield where the conversation comes from, and how many cases get theirs: each a trace, or why it failed."""
    if plan.live is None:
        # Imported here: a freeze that needs no work needs no numpy either.
        from exaid_evals.traces.stub.generator import StubSource

        stub = StubSource(plan.generation_config, plan.provenance, plan.every_case)
        # A simulation computes: processes, in the order of the cases.
        workers = partial(_Writer, _Making.of(plan), stub.generate)
        yield (
            stub,
            lambda cases: executor(jobs, cluster, at_most=len(cases) // _WORTH_A_PROCESS).map_ordered(workers, cases),
        )
        return
    from exaid_evals.traces.mac.call_service import CallServer, RecordedCalls
    from exaid_evals.traces.mac.recording import RecordedRun
    from exaid_evals.traces.mac.source import MacSource, WorkerSource

    made, epoch = plan.provenance, plan.manifest.created_at
    run = RecordedRun(made.mas_run_id, epoch, made.mac_commit, made.model)
    with RecordedCalls(plan.live, run, on_note, budget) as service, MacSource(plan.live, made, epoch, service) as mac:
        if cluster is None:
            # MAC waits, in a process of its own: threads, each case as it ends.
            yield (
                mac,
                lambda cases: map_threads(_Writer(_Making.of(plan), mac.generate), cases, jobs=jobs, stop=mac.stop),
            )
            return
        asking = asking_executor(cluster)
        there = partial(WorkerSource, replace(plan.live, endpoint=None), made, epoch, service.replaying)
        build = partial(_asking_writer, _Making.of(plan), there)
        stop = partial(budget.stop, "interrupted")
        yield mac, lambda cases: asking.map_asking(build, cases, answer=CallServer(service), stop=stop)


def _asking_writer(making: _Making, source: Callable[[Ask], WorkerSource], ask: Ask) -> _Writer:
    return _Writer(making, source(ask).generate)


class _Making(NamedTuple):
    """What is known of a plan where traces are made: its cases and its manifest stay behind."""

    campaign: Campaign
    provenance: Provenance
    epoch: str
    writes_failures: bool

    @classmethod
    def of(cls, plan: Plan) -> Self:
        writes_failures = plan.dataset.on_failure is not OnFailure.RAISE
        return cls(plan.campaign, plan.provenance, plan.manifest.created_at, writes_failures)


class _Writer:
    """Makes traces and writes them, where the work is done: the process that asks for them holds none."""

    def __init__(self, making: _Making, generate: Callable[[Case], Trace]) -> None:
        self._making, self._generate = making, generate

    def __call__(self, case: Case) -> _Finished | str | None:
        """Return what is kept of a case's trace; why it has none, where that is to stop the stage."""
        making = self._making
        try:
            trace = self._generate(case)
        except StoppedError:
            return None
        except CaseFailedError as error:
            if not making.writes_failures:
                return error.what
            trace = failed_trace(case.case_id, making.epoch, making.provenance, error.what)
        sha256 = write_trace(making.campaign.trace_file(case.case_id), trace)
        return _Finished(entry_of(making.campaign, trace, sha256), trace.failure_reason)


def _failure(reason: str, case: Case) -> CaseFailedError:
    remedy = "the traces made so far are kept; remove the cause, or set `on_failure: log_stub`"
    failure = CaseFailedError(reason, where=case.case_id, remedy=remedy)
    failure.exit_status = 1  # not 3: the stage is not done
    return failure


def _remove_others(plan: Plan) -> tuple[str, ...]:
    """Remove traces of cases that are not selected; `plan_traces` has made sure that they are ours to remove."""
    wanted = {plan.campaign.trace_file(case_id).name for case_id in plan.case_ids}
    removed = []
    for name in stored_names(plan.campaign.traces, TRACE_PATTERN):
        if name not in wanted:
            (plan.campaign.traces / name).unlink()
            removed.append(name.removesuffix(".jsonl.gz"))
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

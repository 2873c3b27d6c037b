"""Stage 01: make the traces of the selected cases and freeze them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.manifest import Generation, Manifest, TraceEntry, write_manifest
from exaid_evals.cases.base import Case, SourceContext, content_of
from exaid_evals.cases.registry import load_cases
from exaid_evals.cases.selection import case_list_hash, mas_run_id, select
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.dataset import DatasetConfig, OnFailure
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.errors import CaseFailedError, ConfigError, DataError, FrozenError
from exaid_evals.traces.freeze import TRACE_PATTERN, entry_of, verify_frozen
from exaid_evals.traces.model import Provenance, Trace, failed_trace, read_trace, write_trace
from exaid_evals.traces.source import TraceSource

LEDGER = "make-traces.jsonl"
STUB_DECODING = "simulated talk: no language model, nothing was sampled"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call would make, before anything is written.

    Attributes:
        campaign: where.
        dataset: the data set's configuration.
        generation_config: the generation's configuration.
        cases: the selected cases, in order.
        every_case: all cases of the source.
        source_reason: why this source of cases, for the user; may be empty.
        manifest: what will be frozen, still without traces.
        frozen: the existing freeze where it is the planned one, verified; None otherwise.
        force: whether to make again what exists.
    """

    campaign: Campaign
    dataset: DatasetConfig
    generation_config: MasGenerationConfig
    cases: tuple[Case, ...]
    every_case: tuple[Case, ...]
    source_reason: str
    manifest: Manifest
    frozen: Manifest | None
    force: bool

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The ordered case list."""
        return self.manifest.generation.ordered_case_list


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


def plan_traces(
    campaign: Campaign,
    dataset: DatasetConfig,
    generation: MasGenerationConfig,
    *,
    stub: bool,
    mac_dir: Path | None = None,
    wanted: tuple[str, ...] | None = None,
    limit: int | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> Plan:
    """Find out what is to be made, and whether that may be.

    Args:
        campaign: the data folder.
        dataset: source and selection of the cases.
        generation: how the talk is made.
        stub: whether it is simulated; a live talk is not part of this release.
        mac_dir: the folder of MAC.
        wanted: exactly these cases.
        limit: only the first so many of the selected.
        force: make again what exists.
        dry_run: write nothing, not even synthetic cases.

    Raises:
        ConfigError: a live talk is asked for, or source or selection are impossible.
        DataError: the cases are damaged.
        FrozenError: other traces are frozen in the campaign, or its traces differ from their manifest, and
            `force` is off.
    """
    if not stub:
        raise ConfigError(
            "live generation is not part of this release", where="make-traces", remedy="use --stub (EXAID_STUB_MODE=1)"
        )
    case_set = load_cases(SourceContext(dataset, campaign, mac_dir, may_write=not dry_run))
    by_id = {case.case_id: case for case in case_set.cases}
    ids = select(by_id, dataset, wanted=wanted, limit=limit)
    cases = tuple(by_id[case_id] for case_id in ids)
    model = generation.stub.model
    manifest = Manifest(
        created_at=generation.epoch,
        config_hash=sha256_structure(
            {"dataset": dataset.model_dump(mode="json"), "mas_generation": generation.model_dump(mode="json")}
        ),
        generation=Generation(
            mas_run_id=mas_run_id(mac_commit=generation.mac.commit, model=model, cases=ids),
            mac_commit=generation.mac.commit,
            base_model=model,
            decoding_note=STUB_DECODING,
            selection_mode=dataset.mode.value,
            selection_seed=dataset.seed,
            n_cases_available=len(by_id),
            case_list_hash=case_list_hash(ids),
            ordered_case_list=ids,
            case_source=case_set.source,
            case_content_hash=sha256_structure([content_of(case) for case in cases]),
            generation_seed=generation.seed,
        ),
        traces=(),
        stub=True,
    )
    frozen = None if force else _frozen_already(campaign, manifest)
    return Plan(campaign, dataset, generation, cases, case_set.cases, case_set.reason, manifest, frozen, force)


def make_traces(plan: Plan, *, on_case: Callable[[CaseDone], None] = lambda _: None) -> Result:
    """Make what is planned, and freeze it.

    Each trace is written as soon as it is made and noted in a ledger, so that an interrupted call is gone on
    with; the manifest, which freezes them, is written last.

    Args:
        plan: from `plan_traces`.
        on_case: told of each finished case, in order.

    Raises:
        CaseFailedError: a case failed and the configuration says to stop; what is done is kept, nothing frozen.
    """
    if plan.frozen is not None:
        return Result(plan.frozen, failed=_reasons(plan.campaign, plan.frozen), nothing_to_do=True)
    source = _source(plan)
    campaign, ledger_file = plan.campaign, plan.campaign.state / LEDGER
    if plan.force:
        # Without a manifest nothing counts as frozen; without a ledger nothing counts as current.
        campaign.manifest_file.unlink(missing_ok=True)
        ledger_file.unlink(missing_ok=True)
    ledger_file.parent.mkdir(parents=True, exist_ok=True)
    ledger_file.touch()  # marks what lies in traces/ as ours, even if we are killed before the first entry
    entries: list[TraceEntry] = []
    made, reused = [], []
    failed: list[tuple[str, str]] = []
    with Ledger(ledger_file) as ledger:
        for case in plan.cases:
            path = campaign.trace_file(case.case_id)
            inputs = fingerprint(**source.inputs(case))
            current = ledger.is_current(case.case_id, inputs, path)
            trace = read_trace(path) if current else _generate(source, case, plan)
            if current:
                reused.append(case.case_id)
            else:
                write_trace(path, trace)
                ledger.record(case.case_id, inputs, path)
                made.append(case.case_id)
            if trace.failure_reason is not None:
                failed.append((case.case_id, trace.failure_reason))
            entries.append(entry_of(campaign, trace))
            on_case(CaseDone(case.case_id, trace.failed, current))
        removed = _remove_others(plan)
        ledger.keep_only(plan.case_ids)
    manifest = replace(plan.manifest, traces=tuple(entries))
    write_manifest(campaign.manifest_file, manifest)
    return Result(manifest, tuple(made), tuple(reused), removed, tuple(failed))


def _source(plan: Plan) -> TraceSource:
    # Imported here: a freeze that needs no work needs no numpy either.
    from exaid_evals.traces.stub.generator import StubSource

    return StubSource(plan.generation_config, _provenance(plan), plan.every_case)


def _provenance(plan: Plan) -> Provenance:
    generation = plan.manifest.generation
    return Provenance(generation.mas_run_id, generation.mac_commit, generation.base_model, plan.manifest.stub)


def _generate(source: TraceSource, case: Case, plan: Plan) -> Trace:
    try:
        return source.generate(case)
    except CaseFailedError as error:
        if plan.dataset.on_failure is OnFailure.RAISE:
            remedy = "the traces made so far are kept; remove the cause, or set `on_failure: log_stub`"
            raise CaseFailedError(error.what, where=case.case_id, remedy=remedy) from error
        return failed_trace(case.case_id, plan.manifest.created_at, _provenance(plan), error.what)


def _frozen_already(campaign: Campaign, planned: Manifest) -> Manifest | None:
    """Return the existing freeze if it is the planned one; None if nothing is frozen."""
    if not campaign.manifest_file.exists():
        foreign = [path.name for path in sorted(campaign.traces.glob(TRACE_PATTERN))]
        if foreign and not (campaign.state / LEDGER).exists():
            raise FrozenError(
                f"{len(foreign)} traces without a manifest ({', '.join(foreign[:3])}, …), which this stage did not make",
                where=str(campaign.traces),
                remedy="--force replaces them; another --data-dir leaves them alone",
            )
        return None
    remedy = "--force makes them again; another --data-dir leaves them alone"
    frozen = verify_frozen(campaign)
    differences = _differences(frozen, planned)
    if differences:
        what = f"other traces are frozen here: {'; '.join(differences)}"
        raise FrozenError(what, where=str(campaign.root), remedy=remedy)
    return frozen


def _differences(frozen: Manifest, planned: Manifest) -> list[str]:
    """Say in what two freezes differ, most telling first."""
    old, new = frozen.generation, planned.generation
    found = []
    if frozen.stub != planned.stub:
        found.append("stub or live")
    if old.case_source != new.case_source:
        found.append(f"cases of {old.case_source}, not {new.case_source}")
    if old.ordered_case_list != new.ordered_case_list:
        found.append(f"{len(old.ordered_case_list)} cases, not these {len(new.ordered_case_list)}")
    elif old.case_content_hash != new.case_content_hash:
        found.append("the same cases with other texts")
    if old.generation_seed != new.generation_seed:
        found.append(f"generation seed {old.generation_seed}, not {new.generation_seed}")
    elif frozen.config_hash != planned.config_hash:
        found.append("another configuration")
    return found


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
            raise DataError("the manifest calls it failed, the trace does not", where=case_id, remedy="make the traces again")
        found.append((case_id, trace.failure_reason))
    return tuple(found)

"""What stage 01 would make, and whether that may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.manifest import Generation, Manifest
from exaid_evals.artifacts.printable import printable
from exaid_evals.cases.base import Case, SourceContext, content_of
from exaid_evals.cases.mac import data_file
from exaid_evals.cases.registry import load_cases
from exaid_evals.cases.selection import case_list_hash, mas_run_id, select
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.dataset import DatasetConfig
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.errors import ConfigError, FrozenError
from exaid_evals.traces.freeze import TRACE_PATTERN, verify_frozen
from exaid_evals.traces.model import Provenance

if TYPE_CHECKING:
    from exaid_evals.traces.mac.source import MacSettings

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
        live: how MAC is run, with everything in place; None for a simulated talk, or where nothing is to be made.
        retry_failed: whether cases that failed before are made again, and no others.
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
    live: MacSettings | None = None
    retry_failed: bool = False

    @property
    def case_ids(self) -> tuple[str, ...]:
        """The ordered case list."""
        return self.manifest.generation.ordered_case_list

    @property
    def ledger_file(self) -> Path:
        """Where finished traces are noted."""
        return self.campaign.state / LEDGER

    @property
    def provenance(self) -> Provenance:
        """What every record says about its making."""
        generation = self.manifest.generation
        return Provenance(generation.mas_run_id, generation.mac_commit, generation.base_model, self.manifest.stub)


def plan_traces(
    campaign: Campaign,
    dataset: DatasetConfig,
    generation: MasGenerationConfig,
    *,
    stub: bool,
    mac_dir: Path | None = None,
    wanted: tuple[str, ...] | None = None,
    limit: int | None = None,
    excluded: tuple[str, ...] = (),
    force: bool = False,
    dry_run: bool = False,
    model: MacModelConfig | None = None,
    replay: bool = False,
    retry_failed: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Plan:
    """Find out what is to be made, and whether that may be.

    Args:
        campaign: the data folder.
        dataset: source and selection of the cases.
        generation: how the talk is made.
        stub: whether it is simulated; else MAC itself talks.
        mac_dir: the folder of MAC.
        wanted: exactly these cases.
        limit: only the first so many of the selected.
        excluded: the case list of another campaign, none of whose cases may be selected.
        force: make again what exists.
        dry_run: write nothing, not even synthetic cases.
        model: MAC's language model; None takes the default one. For a live talk alone, as the rest is.
        replay: answer MAC's calls from their recording alone.
        retry_failed: make the failed cases of a finished call again, and no others.
        environment: where keys and base URLs stand; None takes the process's own.

    Raises:
        ConfigError: source or selection are impossible, or something that a live talk needs is missing.
        DataError: the cases are damaged, or the recording is.
        FrozenError: other traces are frozen in the campaign, or its traces differ from their manifest, and
            `force` is off.
    """
    if not stub:
        _require_macs_cases(dataset, mac_dir)
    source = dataset if stub else dataset.model_copy(update={"source": "mac"})
    case_set = load_cases(SourceContext(source, campaign, mac_dir, may_write=not dry_run))
    by_id = {case.case_id: case for case in case_set.cases}
    ids = select(by_id, dataset, wanted=wanted, limit=limit, excluded=excluded)
    cases = tuple(by_id[case_id] for case_id in ids)
    model = model or MacModelConfig()
    name = generation.stub.model if stub else model.model
    manifest = Manifest(
        created_at=generation.epoch,
        config_hash=sha256_structure(
            {"dataset": dataset.model_dump(mode="json")}
            | _settings_of(generation, None if stub else model)
            | ({"excluded": case_list_hash(excluded)} if excluded else {})
        ),
        generation=Generation(
            mas_run_id=mas_run_id(mac_commit=generation.mac.commit, model=name, cases=ids),
            mac_commit=generation.mac.commit,
            base_model=name,
            decoding_note=STUB_DECODING,
            selection_mode=dataset.mode.value,
            selection_seed=dataset.seed,
            n_cases_available=len(by_id.keys() - set(excluded)),
            case_list_hash=case_list_hash(ids),
            ordered_case_list=ids,
            case_source=case_set.source,
            case_content_hash=sha256_structure([content_of(case) for case in cases]),
            generation_seed=generation.seed if stub else None,
        ),
        traces=(),
        stub=stub,
    )
    frozen = None if force else _frozen_already(campaign, manifest)
    if retry_failed and frozen is not None and frozen.failed_cases:
        manifest, frozen = replace(manifest, created_at=frozen.created_at), None
    plan = Plan(
        campaign,
        dataset,
        generation,
        cases,
        case_set.cases,
        case_set.reason,
        manifest,
        frozen,
        force,
        retry_failed=retry_failed,
    )
    return plan if stub else _live(plan, model, mac_dir, replay=replay, environment=environment)


def _settings_of(generation: MasGenerationConfig, model: MacModelConfig | None) -> dict[str, Any]:
    """Return the part of a manifest's `config_hash` that says how the talk is made."""
    if model is None:
        return {"mas_generation": generation.for_stub()}
    return {"mas_generation": generation.for_live(), "mac_model": model.model_dump(mode="json")}


def _require_macs_cases(dataset: DatasetConfig, mac_dir: Path | None) -> None:
    if dataset.source not in ("auto", "mac"):
        raise ConfigError(
            f"a live talk is about MAC's own cases, and the source is {dataset.source}",
            where="dataset: source",
            remedy="take `source: mac`, or simulate the talk with --stub (EXAID_STUB_MODE=1)",
        )
    if data_file(mac_dir) is None:
        raise ConfigError(
            "MAC is not here",
            where=str(mac_dir or "third_party/mac"),
            remedy="initialise the submodule (`git submodule update --init third_party/mac`), name a checkout with "
            "--mac-dir or EXAID_MAC_DIR, or simulate the talk with --stub (EXAID_STUB_MODE=1)",
        )


def _live(
    plan: Plan, model: MacModelConfig, mac_dir: Path | None, *, replay: bool, environment: Mapping[str, str] | None
) -> Plan:
    """Complete the plan of a live talk: its clock, and what MAC needs, which is checked only if it is to run."""
    # Imported here: a simulated talk needs nothing of what MAC runs on.
    from exaid_evals.traces.mac.prepare import decoding_note, prepare, started_at
    from exaid_evals.traces.mac.recording import recording_file

    recording = recording_file(plan.campaign, plan.manifest.generation.mas_run_id)
    generation = replace(plan.manifest.generation, decoding_note=decoding_note(model))
    if plan.frozen is not None:
        return replace(plan, manifest=replace(plan.manifest, generation=generation))
    retried = plan.retry_failed and plan.campaign.manifest_file.exists()
    live = prepare(
        plan.generation_config,
        model,
        mac_dir=mac_dir,
        recording=recording,
        case_ids=plan.case_ids,
        replay=replay,
        environment=environment,
    )
    begun = plan.manifest.created_at if retried else started_at(recording, anew=plan.force and not replay)
    return replace(plan, manifest=replace(plan.manifest, generation=generation, created_at=begun), live=live)


def _frozen_already(campaign: Campaign, planned: Manifest) -> Manifest | None:
    """Return the existing freeze if it is the planned one; None if nothing is frozen."""
    if not campaign.manifest_file.exists():
        foreign = [path.name for path in sorted(campaign.traces.glob(TRACE_PATTERN))]
        if foreign and not (campaign.state / LEDGER).exists():
            raise FrozenError(
                f"holds {len(foreign)} traces that no manifest freezes and this stage did not make "
                f"({printable(', '.join(foreign[:3]))}{', …' if len(foreign) > 3 else ''})",
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
    elif old.ordered_case_list != new.ordered_case_list:
        found.append(f"{len(old.ordered_case_list)} cases, not these {len(new.ordered_case_list)}")
    elif old.case_content_hash != new.case_content_hash:
        found.append("the same cases with other texts")
    if old.generation_seed != new.generation_seed:
        found.append(f"generation seed {old.generation_seed}, not {new.generation_seed}")
    elif frozen.config_hash != planned.config_hash:
        found.append("another configuration")
    return found

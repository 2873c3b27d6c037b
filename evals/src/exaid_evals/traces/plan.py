"""What stage 01 would make, and whether that may be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.manifest import Generation, Manifest
from exaid_evals.cases.base import Case, SourceContext, content_of
from exaid_evals.cases.registry import load_cases
from exaid_evals.cases.selection import case_list_hash, mas_run_id, select
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.dataset import DatasetConfig
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.errors import ConfigError, FrozenError
from exaid_evals.traces.freeze import TRACE_PATTERN, verify_frozen
from exaid_evals.traces.model import Provenance

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


def _frozen_already(campaign: Campaign, planned: Manifest) -> Manifest | None:
    """Return the existing freeze if it is the planned one; None if nothing is frozen."""
    if not campaign.manifest_file.exists():
        foreign = [path.name for path in sorted(campaign.traces.glob(TRACE_PATTERN))]
        if foreign and not (campaign.state / LEDGER).exists():
            raise FrozenError(
                f"holds {len(foreign)} traces that no manifest freezes and this stage did not make "
                f"({', '.join(foreign[:3])}{', …' if len(foreign) > 3 else ''})",
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

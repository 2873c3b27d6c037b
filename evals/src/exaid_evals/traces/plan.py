"""What stage 01 would make, and whether that may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.hashing import sha256_of_items, sha256_structure
from exaid_evals.artifacts.manifest import Generation, Manifest, read_manifest
from exaid_evals.cases.base import Case, SourceContext, content_of
from exaid_evals.cases.mac import data_file, require_named
from exaid_evals.cases.registry import CaseSet, case_list_hash, load_cases, mas_run_id, select
from exaid_evals.config.base import ConfigT, Loaded, Problems, joined, load_config
from exaid_evals.config.campaign import Campaign, default_mac_dir
from exaid_evals.config.mas_generation import DatasetConfig, MacModelConfig, MasGenerationConfig
from exaid_evals.config.request import Shard
from exaid_evals.config.requests import TracesRequest
from exaid_evals.errors import ConfigError, ExaidError
from exaid_evals.execution.local import without_cycle_search
from exaid_evals.traces.freeze import LEDGER, frozen_already
from exaid_evals.traces.model import Provenance

if TYPE_CHECKING:
    from exaid_evals.traces.mac.settings import MacSettings

STUB_DECODING = "simulated conversation: no language model, nothing was sampled"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a call would make, before anything is written.

    Attributes:
        campaign: where.
        dataset: the data set's configuration.
        generation_config: the generation's configuration.
        case_ids: ids of the selected cases, in order; of a part, its own.
        cases: the cases with these ids; each may be read when it is asked for.
        every_case: all cases of the source.
        source_reason: why this source of cases, for the user; may be empty.
        manifest: what will be frozen, still without traces.
        frozen: the existing freeze where it is the planned one, verified; None otherwise.
        force: whether to make again what exists.
        live: how MAC is run, with everything in place; None for a simulated conversation, or where nothing is to be
            made.
        retry_failed: whether cases that failed before are made again, and no others.
        shard: which part of the selected cases is to be made; None for all of them.
    """

    campaign: Campaign
    dataset: DatasetConfig
    generation_config: MasGenerationConfig
    case_ids: tuple[str, ...]
    cases: Sequence[Case]
    every_case: Sequence[Case]
    source_reason: str
    manifest: Manifest
    frozen: Manifest | None
    force: bool
    live: MacSettings | None = None
    retry_failed: bool = False
    shard: Shard | None = None

    @property
    def ledger_file(self) -> Path:
        """Where finished traces are noted."""
        return self.campaign.state / LEDGER

    @property
    def provenance(self) -> Provenance:
        """What every record says about its making."""
        generation = self.manifest.generation
        return Provenance(generation.mas_run_id, generation.mac_commit, generation.base_model, self.manifest.stub)


@dataclass(frozen=True, slots=True)
class Settings:
    """What stage 01 is asked to do.

    Attributes:
        request: which cases, and how.
        dataset: source and selection of the cases.
        generation: how the conversation is made.
        model: MAC's language model, of a live conversation.
        mac_dir: the folder of MAC.
        excluded: the case list of another campaign, none of whose cases may be selected.
        environment: where keys and base URLs stand; None takes the process's own.
    """

    request: TracesRequest
    dataset: DatasetConfig
    generation: MasGenerationConfig
    model: MacModelConfig = field(default_factory=MacModelConfig)
    mac_dir: Path | None = None
    excluded: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None

    @property
    def campaign(self) -> Campaign:
        """The data folder, or that of a part."""
        return self.request.output

    @property
    def stub(self) -> bool:
        """Whether the conversation is simulated; else MAC itself speaks."""
        return self.request.simulated


def plan_traces(settings: Settings) -> Plan:
    """Find out what is to be made, and whether that may be.

    Raises:
        ConfigError: source or selection are impossible, or something that a live conversation needs is missing.
        DataError: the cases are damaged, or the recording is.
        FrozenError: other traces are frozen in the campaign, or its traces differ from their manifest, and
            `force` is off. All problems are reported at once.
    """
    problems = Problems()
    plan = sketch_traces(problems, settings)
    problems.require_none()
    assert plan is not None  # noqa: S101 - for the type checker: whatever is missing is a problem
    return plan


def sketch_traces(problems: Problems, settings: Settings) -> Plan | None:
    """Plan as `plan_traces` does; keep every problem instead of raising the first.

    Returns:
        The plan, as far as it can be known; None where it cannot be known what cases there are.
    """
    mac_is_here = settings.stub or problems.checked(lambda: _require_macs_cases(settings)) is not None
    selected = problems.checked(lambda: _selected(settings)) if mac_is_here else None
    plan = None if selected is None else _against_what_is_frozen(problems, settings, *selected)
    return plan if settings.stub else _live(problems, settings, plan, mac_is_here=mac_is_here)


def _selected(settings: Settings) -> tuple[CaseSet, tuple[str, ...]]:
    dataset = settings.dataset
    source = dataset if settings.stub else dataset.model_copy(update={"source": "mac"})
    context = SourceContext(source, settings.campaign, settings.mac_dir, may_write=not settings.request.dry_run)
    with without_cycle_search():  # a vocabulary is many objects
        case_set = load_cases(context)
    chosen = select(
        case_set.ids, dataset, wanted=settings.request.cases, limit=settings.request.limit, excluded=settings.excluded
    )
    return case_set, chosen


def _manifest(settings: Settings, case_set: CaseSet, ids: tuple[str, ...]) -> Manifest:
    """Return what will be frozen, still without traces."""
    dataset, generation, stub = settings.dataset, settings.generation, settings.stub
    name = generation.stub.model if stub else settings.model.model
    return Manifest(
        created_at=generation.epoch,
        config_hash=sha256_structure(
            # With the source that `auto` stands for: the same cases have one hash, whether or not somebody named it.
            {"dataset": dataset.model_dump(mode="json") | {"source": case_set.source}}
            | _settings_of_conversation(settings)
            | ({"excluded": case_list_hash(settings.excluded)} if settings.excluded else {})
        ),
        generation=Generation(
            mas_run_id=mas_run_id(mac_commit=generation.mac.commit, model=name, cases=ids),
            mac_commit=generation.mac.commit,
            base_model=name,
            decoding_note=STUB_DECODING,
            selection_mode=dataset.mode.value,
            selection_seed=dataset.seed,
            n_cases_available=len(set(case_set.ids) - set(settings.excluded)),
            case_list_hash=case_list_hash(ids),
            ordered_case_list=ids,
            case_source=case_set.source,
            case_content_hash=sha256_of_items(map(content_of, case_set.of(ids))),
            generation_seed=generation.seed if stub else None,
        ),
        traces=(),
        stub=stub,
    )


def _against_what_is_frozen(problems: Problems, settings: Settings, case_set: CaseSet, ids: tuple[str, ...]) -> Plan:
    campaign, manifest = settings.campaign, _manifest(settings, case_set, ids)
    anew = settings.request.force or settings.request.shard is not None
    frozen = None if anew else problems.checked(lambda: frozen_already(campaign, manifest))
    if settings.request.retry_failed and frozen is not None and frozen.failed_cases:
        manifest, frozen = replace(manifest, created_at=frozen.created_at), None
    shard = settings.request.shard
    wanted = shard.take(ids) if shard else ids
    return Plan(
        campaign,
        settings.dataset,
        settings.generation,
        tuple(wanted),
        case_set.of(wanted),
        case_set.cases,
        case_set.reason,
        manifest,
        frozen,
        settings.request.force,
        retry_failed=settings.request.retry_failed,
        shard=shard,
    )


def _settings_of_conversation(settings: Settings) -> dict[str, Any]:
    """Return the part of a manifest's `config_hash` that says how the conversation is made."""
    if settings.stub:
        return {"mas_generation": settings.generation.for_stub()}
    return {"mas_generation": settings.generation.for_live(), "mac_model": settings.model.model_dump(mode="json")}


def _require_macs_cases(settings: Settings) -> Path:
    if settings.dataset.source not in ("auto", "mac"):
        raise ConfigError(
            f"a live conversation is about MAC's own cases, and the source is {settings.dataset.source}",
            where="dataset: source",
            remedy="take `source: mac`, or simulate the conversation with --stub (EXAID_STUB_MODE=1)",
        )
    path = data_file(settings.mac_dir)
    if path is None:
        raise ConfigError(
            "MAC is not here",
            where=str(settings.mac_dir or "third_party/mac"),
            remedy="initialise the submodule (`git submodule update --init third_party/mac`), name a checkout with "
            "--mac-dir or EXAID_MAC_DIR, or simulate the conversation with --stub (EXAID_STUB_MODE=1)",
        )
    return path


def _live(problems: Problems, settings: Settings, plan: Plan | None, *, mac_is_here: bool) -> Plan | None:
    """Complete the plan of a live conversation: its clock, and what MAC needs, checked only if it is to run."""
    # Imported here: a simulated conversation needs nothing of what MAC runs on.
    from exaid_evals.traces.mac.prepare import LiveRequest, decoding_note, prepare, started_at
    from exaid_evals.traces.mac.recording import recording_file

    if plan is not None:
        note = decoding_note(settings.model)
        plan = replace(
            plan, manifest=replace(plan.manifest, generation=replace(plan.manifest.generation, decoding_note=note))
        )
        if plan.frozen is not None:
            return plan
    recording = None if plan is None else recording_file(settings.campaign, plan.manifest.generation.mas_run_id)
    wanted = LiveRequest(settings.campaign, recording, () if plan is None else plan.case_ids)
    live = problems.checked(
        lambda: prepare(
            settings.generation,
            settings.model,
            wanted,
            mac_dir=settings.mac_dir if mac_is_here else None,
            mac_is_here=mac_is_here,
            replay=settings.request.replayed,
            environment=settings.environment,
        )
    )
    if plan is None or recording is None:
        return None
    retried = plan.retry_failed and settings.campaign.manifest_file.exists()
    begun = plan.manifest.created_at
    if not retried:
        begun = (
            problems.checked(lambda: started_at(recording, anew=plan.force and not settings.request.replayed)) or begun
        )
    return replace(plan, manifest=replace(plan.manifest, created_at=begun), live=live)


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the stage.

    Attributes:
        dataset, generation, model: the configurations with the source of each value; None where one cannot be read,
            and for the model of a simulated conversation.
        plan: as far as it is known; None where the cases are unknown.
        problems: everything that keeps the stage from its work.
    """

    dataset: Loaded[DatasetConfig] | None
    generation: Loaded[MasGenerationConfig] | None
    model: Loaded[MacModelConfig] | None
    plan: Plan | None
    problems: tuple[ExaidError, ...]

    def required(self) -> Plan:
        """Return the plan.

        Raises:
            ConfigError: names every problem, one of the configuration at least.
            DataError: names every problem of the data.
        """
        error = joined(self.problems)
        if error is not None:
            raise error
        assert self.plan is not None  # noqa: S101 - for the type checker: whatever is missing is a problem
        return self.plan


def preflight(request: TracesRequest) -> Preflight:
    """Check everything that the stage needs, without asking a model."""
    problems = Problems()
    folder = request.configs
    dataset = problems.checked(partial(_loaded, request, DatasetConfig, "dataset.yaml"))
    generation = problems.checked(partial(_loaded, request, MasGenerationConfig, "mas_generation.yaml"))
    model = None
    if not request.simulated:
        settings = (generation.value if generation else MasGenerationConfig()).mac
        model = problems.checked(lambda: load_config(MacModelConfig, folder / settings.model_config_file))
    excluded = problems.checked(lambda: _cases_of(request.excluded))
    known = len(problems.found)
    if request.mac_dir is not None and dataset is not None:
        problems.checked(partial(require_named, request.mac_dir, dataset.value.source))
    if len(problems.found) > known:
        # What is wrong with the folder that was named has been reported; the rest would repeat it.
        return Preflight(dataset, generation, model, None, problems.found)
    plan = None
    if excluded is not None:
        settings_of_stage = Settings(
            request,
            dataset.value if dataset else DatasetConfig(),
            generation.value if generation else MasGenerationConfig(),
            model.value if model else MacModelConfig(),
            mac_dir=request.mac_dir or default_mac_dir(),
            excluded=excluded,
        )
        plan = sketch_traces(problems, settings_of_stage)
    sound = dataset is not None and generation is not None and (request.simulated or model is not None)
    return Preflight(dataset, generation, model, plan if sound else None, problems.found)


def _loaded(request: TracesRequest, model: type[ConfigT], file: str) -> Loaded[ConfigT]:
    return load_config(model, request.configs / file, request.overrides(file))


def _cases_of(other: Campaign | None) -> tuple[str, ...]:
    return () if other is None else read_manifest(other.manifest_file).generation.ordered_case_list

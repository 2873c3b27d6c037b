"""What stage 01 needs, checked before anything is spent: for `make-traces`, and for `plan`, which only tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.cases.mac import require_named
from exaid_evals.config.base import Loaded, load_config
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.dataset import DatasetConfig
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.config.override import Override
from exaid_evals.config.problems import Problems, joined
from exaid_evals.config.resources import default_mac_dir
from exaid_evals.errors import ExaidError
from exaid_evals.traces.plan import Plan, Request, sketch_traces


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks of stage 01.

    Attributes:
        config_dir: holds dataset.yaml, mas_generation.yaml and MAC's model configuration.
        stub: whether the talk is simulated.
        replay: whether MAC's calls are answered from their recording alone.
        dataset, generation: overrides of these two files, by dotted key.
        mac_dir: the folder of MAC that the user named; None takes the submodule's place.
        exclude_from: a frozen campaign, none of whose cases may be selected.
        cases, limit, force, dry_run, retry_failed: as in `traces.plan.Request`.
    """

    config_dir: Path
    stub: bool
    replay: bool = False
    dataset: Mapping[str, Override] = field(default_factory=dict)
    generation: Mapping[str, Override] = field(default_factory=dict)
    mac_dir: Path | None = None
    exclude_from: Campaign | None = None
    cases: tuple[str, ...] | None = None
    limit: int | None = None
    force: bool = False
    dry_run: bool = False
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the stage.

    Attributes:
        dataset, generation, model: the configurations with the source of each value; None where one cannot be read,
            and for the model of a simulated talk.
        plan: as far as it is known; None where the cases cannot be told.
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


def preflight(campaign: Campaign, asked: Asked) -> Preflight:
    """Check everything that the stage needs, without asking a model."""
    problems = Problems()
    folder = asked.config_dir
    dataset = problems.checked(lambda: load_config(DatasetConfig, folder / "dataset.yaml", asked.dataset))
    generation = problems.checked(
        lambda: load_config(MasGenerationConfig, folder / "mas_generation.yaml", asked.generation)
    )
    model = None
    if not asked.stub:
        settings = (generation.value if generation else MasGenerationConfig()).mac
        model = problems.checked(lambda: load_config(MacModelConfig, folder / settings.model_config_file))
    excluded = problems.checked(lambda: _cases_of(asked.exclude_from))
    known = len(problems.found)
    if asked.mac_dir is not None and dataset is not None:
        problems.checked(partial(require_named, asked.mac_dir, dataset.value.source))
    if len(problems.found) > known:
        # What is wrong with the folder that was named has been told; the rest would tell it again.
        return Preflight(dataset, generation, model, None, problems.found)
    plan = None
    if excluded is not None:
        request = Request(
            campaign,
            dataset.value if dataset else DatasetConfig(),
            generation.value if generation else MasGenerationConfig(),
            stub=asked.stub,
            mac_dir=asked.mac_dir or default_mac_dir(),
            wanted=asked.cases,
            limit=asked.limit,
            excluded=excluded,
            force=asked.force,
            dry_run=asked.dry_run,
            model=model.value if model else MacModelConfig(),
            replay=asked.replay,
            retry_failed=asked.retry_failed,
        )
        plan = sketch_traces(problems, request)
    sound = dataset is not None and generation is not None and (asked.stub or model is not None)
    return Preflight(dataset, generation, model, plan if sound else None, problems.found)


def _cases_of(other: Campaign | None) -> tuple[str, ...]:
    return () if other is None else read_manifest(other.manifest_file).generation.ordered_case_list

"""What stage 01 needs, checked before anything is spent: for `make-traces`, and for `plan`, which only tells it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.cases.mac import require_named
from exaid_evals.config.base import ConfigT, Loaded, load_config
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.dataset import DatasetConfig
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.config.problems import Problems, joined
from exaid_evals.config.requests import TracesRequest
from exaid_evals.config.resources import default_mac_dir
from exaid_evals.errors import ExaidError
from exaid_evals.traces.plan import Plan, Settings, sketch_traces


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the stage.

    Attributes:
        dataset, generation, model: the configurations with the source of each value; None where one cannot be read,
            and for the model of a simulated conversation.
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
        # What is wrong with the folder that was named has been told; the rest would tell it again.
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

"""Metric sets, adapters, tasks and models by name.

Metric sets, tasks and models are files: adding one to its folder is all that it takes. Other packages add theirs by
entry point, and a configuration can name any `module:attribute`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from types import ModuleType
from typing import Any

from torch.utils.data import DataLoader, DistributedSampler, default_collate

from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError
from exaid_evals.run_eval import metric_sets, models, tasks
from exaid_evals.run_eval.base import Adapter, MetricSet, Task
from exaid_evals.run_eval.distributed import Processes
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec

ADAPTERS = Kind(
    "adapter",
    "exaid_evals.adapters",
    {
        "vision_classification": "exaid_evals.run_eval.adapters.vision:VisionClassificationAdapter",
        "timm": "exaid_evals.run_eval.adapters.vision:TimmAdapter",
        "torchvision": "exaid_evals.run_eval.adapters.vision:TorchvisionAdapter",
        "transformers_vision": "exaid_evals.run_eval.adapters.vision:TransformersVisionAdapter",
        "causal_lm": "exaid_evals.run_eval.adapters.causal_lm:CausalLMAdapter",
        "transformers_causal_lm": "exaid_evals.run_eval.adapters.causal_lm:TransformersCausalLMAdapter",
    },
)
DEFAULT_MODALITY = "text"
"""Of a spec that says neither its modality nor a task type that tells."""


def files_of(package: ModuleType) -> dict[str, str]:
    """Return name → `module:build` of the files in a folder."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.name.startswith("_"))
    return {name: f"{package.__name__}.{name}:build" for name in names}


METRIC_SETS = Kind("metric set", "exaid_evals.metric_sets", files_of(metric_sets))
MODELS = Kind("model", "exaid_evals.models", files_of(models))
TASKS = Kind("task", "exaid_evals.tasks", files_of(tasks))


def metric_set_of(spec: TaskSpec, config: EvalConfig) -> MetricSet:
    """Return an empty metric set of the spec's modality.

    Raises:
        ConfigError: the modality is unknown; the known ones are named.
    """
    modality = spec.modality or _inferred(spec.task_type)
    if modality not in METRIC_SETS.names() and ":" not in modality:
        raise ConfigError(
            f"no metric set for the modality {modality!r}",
            where="task_spec.modality",
            remedy=f"known are {', '.join(sorted(METRIC_SETS.names()))}; your own goes by `module:attribute`",
        )
    found: MetricSet = METRIC_SETS.build(modality, spec, config)
    return found


def _inferred(task_type: str) -> str:
    """Return the modality that the words of a task type mean."""
    words = set(re.split(r"[^a-z0-9]+", str(task_type).lower()))
    meant = [
        name
        for name, target in METRIC_SETS.items()
        if words & set(getattr(importlib.import_module(target.partition(":")[0]), "WORDS", ()))
    ]
    if len(meant) > 1:
        raise ConfigError(
            f"the task type {task_type!r} may mean {' or '.join(meant)}",
            where="task_spec.modality",
            remedy="set the modality",
        )
    return meant[0] if meant else DEFAULT_MODALITY


def build_adapter(name: str) -> Adapter:
    """Return the adapter of a name.

    Raises:
        ConfigError: there is none, or it lacks `forward` or `compute_loss`.
    """
    adapter = ADAPTERS.build(name)
    if not isinstance(adapter, Adapter):
        raise ConfigError(f"the adapter {name!r} lacks forward or compute_loss", remedy="give it both")
    return adapter


def build_model(name: str, task: Task, settings: dict[str, Any]) -> Any:
    """Return a model for a task: `build(task, **settings) -> nn.Module`.

    Raises:
        ConfigError: there is no such model, or it does not take these settings.
    """
    return MODELS.build(name, task, **settings)


@cache
def build_task(name: str) -> Task:
    """Return a task of a name: its data are read, and divided.

    Raises:
        ConfigError: there is none.
    """
    task = TASKS.build(name)
    if not isinstance(task, Task):
        raise ConfigError(
            f"the task {name!r} is a {type(task).__name__}", remedy="return an exaid_evals.run_eval.base.Task"
        )
    return task


def build_eval_config(task_name: str, **settings: Any) -> EvalConfig:
    """Return a configuration with the defaults of a task, and what is given in their place.

    A name that no task bears is your own, which a `loader` goes with.

    Raises:
        ConfigError: an unknown or impossible setting.
    """
    defaults = {} if settings.get("loader") is not None else dict(build_task(task_name).eval_defaults)
    unknown = sorted(set(settings) - set(EvalConfig.__slots__))
    if unknown:
        raise ConfigError(
            f"EvalConfig has no {', '.join(unknown)}", remedy=f"its fields are {', '.join(EvalConfig.__slots__)}"
        )
    return EvalConfig(**{"task_name": task_name, **defaults, **settings})


def task_loader(config: EvalConfig, processes: Processes) -> DataLoader[Any]:
    """Return the batches of a task's split, in order, or this process's part of them.

    Raises:
        ConfigError: there is no such task or split.
    """
    task = build_task(config.task_name)
    if config.split not in task.splits:
        raise ConfigError(
            f"{task.name} has no split {config.split!r}", where="split", remedy=f"it has {', '.join(task.splits)}"
        )
    items, sampler = task.splits[config.split], None
    if processes.size > 1:
        sampler = DistributedSampler(items, processes.size, processes.rank, shuffle=False)
    return DataLoader(
        items,
        batch_size=config.batch_size,
        sampler=sampler,
        num_workers=config.num_workers,
        collate_fn=default_collate,
    )

"""Metric sets, adapters, tasks and models by name.

A metric set is a file: adding one to its folder is all that it takes. Other packages add metric sets, adapters, tasks
and models by entry point, and a configuration can name any `module:attribute`.
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
from exaid_evals.run_eval import metric_sets
from exaid_evals.run_eval.base import Adapter, MetricSet, Task
from exaid_evals.run_eval.placement import Processes
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec


def files_of(package: ModuleType) -> dict[str, str]:
    """Return name → `module:build` of the files in a folder."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return {name: f"{package.__name__}.{name}:build" for name in names}


_HERE = "exaid_evals.run_eval"
ADAPTERS = Kind(
    "adapter",
    "exaid_evals.adapters",
    {
        name: f"{_HERE}.{of}Adapter"
        for name, of in {
            "vision_classification": "adapters:VisionClassification",
            "timm": "adapters:Timm",
            "torchvision": "adapters:Torchvision",
            "transformers_vision": "adapters:TransformersVision",
            "transformers_classification": "adapters:TransformersClassification",
            "logistic": "adapters:Logistic",
            "regression": "adapters:Regression",
            "segmentation": "adapters:Segmentation",
            "detection": "boxes:Detection",
            "transformers_detection": "boxes:TransformersDetection",
            "recorded": "boxes:Recorded",
            "causal_lm": "adapters:CausalLM",
            "transformers_causal_lm": "adapters:TransformersCausalLM",
            "transformers_seq2seq": "adapters:TransformersSeq2Seq",
        }.items()
    },
)
METRIC_SETS = Kind("metric set", "exaid_evals.metric_sets", files_of(metric_sets))
MODELS = Kind(
    "model",
    "exaid_evals.models",
    {name: f"{_HERE}.shipped:{name}" for name in ("bigram", "byte_gru", "nearest_centroid", "small_cnn")},
)
TASKS = Kind("task", "exaid_evals.tasks", {name: f"{_HERE}.shipped:{name}" for name in ("text_tiny", "vision_tiny")})
DEFAULT_MODALITY = "text"
"""Of a spec that says neither its modality nor a task type that tells."""


def metric_set_of(spec: TaskSpec, config: EvalConfig) -> MetricSet:
    """Return an empty metric set of the spec's modality.

    Raises:
        ConfigError: the modality is unknown; the known ones are named.
    """
    modality = modality_of(spec)
    # What other packages have registered takes long to find, and is looked for last.
    if modality not in METRIC_SETS and ":" not in modality and modality not in METRIC_SETS.names():
        raise ConfigError(
            f"no metric set for the modality {modality!r}",
            where="task_spec.modality",
            remedy=f"known are {', '.join(sorted(METRIC_SETS.names()))}; your own goes by `module:attribute`",
        )
    found: MetricSet = METRIC_SETS.build(modality, spec, config)
    return found


def modality_of(spec: TaskSpec) -> str:
    """Return the name of the metric set of a spec.

    A task type that a set names decides, where the modality is that set's, one that it refines, or missing; then the
    modality; then the words of the task type; then text.

    Raises:
        ConfigError: the words of the task type mean several.
    """
    task_type = re.sub(r"[^a-z0-9]+", "_", str(spec.task_type).lower()).strip("_")
    for name, module in _modules().items():
        of, refined = getattr(module, "TASK_TYPES", ()), {None, "", name, *getattr(module, "REFINES", ())}
        if spec.modality in of or (task_type in of and spec.modality in refined):
            return name
    if spec.modality:
        return spec.modality
    words = set(task_type.split("_"))
    meant = [name for name, module in _modules().items() if words & set(getattr(module, "WORDS", ()))]
    if len(meant) > 1:
        raise ConfigError(
            f"the task type {spec.task_type!r} may mean {' or '.join(meant)}",
            where="task_spec.modality",
            remedy="set the modality",
        )
    return meant[0] if meant else DEFAULT_MODALITY


def _modules() -> dict[str, ModuleType]:
    return {name: importlib.import_module(target.partition(":")[0]) for name, target in METRIC_SETS.items()}


def build_adapter(name: str) -> Adapter:
    """Return the adapter of a name.

    Raises:
        ConfigError: there is none, or it lacks `forward` or `compute_loss`.
    """
    adapter = ADAPTERS.build(name)
    if not isinstance(adapter, Adapter):
        raise ConfigError(
            f"the adapter {name!r} lacks forward or compute_loss",
            remedy="give it both, as exaid_evals.run_eval.base.Adapter describes them",
        )
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
    return loader_of(build_task(config.task_name), config, processes)


def loader_of(task: Task, config: EvalConfig, processes: Processes) -> DataLoader[Any]:
    """Return the batches of a split, in order, or this process's part of them.

    Raises:
        ConfigError: the task has no such split.
    """
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
        collate_fn=getattr(items, "collate", default_collate),
    )

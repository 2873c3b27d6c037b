"""What is evaluated and how, as plain data; needs no PyTorch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from exaid_evals.errors import ConfigError

IGNORE_INDEX = -100
"""The label that counts for nothing, as in `torch.nn.functional.cross_entropy`."""

MixedPrecision = Literal["no", "bf16", "fp16"]
WandbMode = Literal["offline", "online", "disabled"]


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What a task's inputs and outputs are.

    Attributes:
        modality: `vision` or `text`, or a metric set of your own; None infers it from `task_type`.
        task_type: such as `image_classification` or `causal_language_modeling`.
        input_schema: keys of a batch that is a mapping: `input_key`; whatever else describes the inputs.
        output_schema: `num_classes` (vision), `vocab_size`, `ignore_index` (text), `class_names`, `label_key`.
        name: of the task, for files and messages.
    """

    modality: str | None = None
    task_type: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None where the logits decide."""
        return self._count("num_classes")

    @property
    def vocab_size(self) -> int | None:
        """Number of tokens; None where the logits decide."""
        return self._count("vocab_size")

    @property
    def ignore_index(self) -> int:
        """The label of padding."""
        return int(self.output_schema.get("ignore_index", IGNORE_INDEX))

    def class_names(self, n: int) -> list[str]:
        """Return the names of n classes: the declared ones, else their numbers.

        Raises:
            ConfigError: another number of names is declared.
        """
        names = self.output_schema.get("class_names")
        if names is None:
            return [str(index) for index in range(n)]
        if len(names) != n:
            raise ConfigError(f"{len(names)} class_names for {n} classes", where="output_schema", remedy="name each")
        return [str(name) for name in names]

    def _count(self, key: str) -> int | None:
        value = self.output_schema.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigError(
                f"must be a whole number of at least 1 (got {value!r})",
                where=f"output_schema.{key}",
                remedy="give the number of outputs of the model, or leave it out",
            )
        return value


def as_task_spec(spec: Any) -> TaskSpec:
    """Return a spec as a `TaskSpec`: itself, or what an older mapping or object says.

    Args:
        spec: a TaskSpec, a mapping with its keys, or any object with its attributes; what is missing (older specs
            have no `modality`) takes its default.
    """
    if isinstance(spec, TaskSpec):
        return spec
    found = {}
    for one in fields(TaskSpec):
        value = spec.get(one.name) if isinstance(spec, Mapping) else getattr(spec, one.name, None)
        if value is not None:
            found[one.name] = value
    return TaskSpec(**found)


@dataclass(frozen=True, slots=True)
class EvalConfig:
    """How a model is evaluated.

    Attributes:
        task_name: a task that ships (`vision_tiny`, `text_tiny`), `module:attribute`, or any name beside a `loader`.
        batch_size: examples at a time, for the loader of a task that ships.
        split: `train`, `val` or `test`.
        max_batches: stop after so many batches; None takes all.
        loader: your own batches, any iterable of them; None takes the task's.
        device: such as `cpu` or `cuda:0`; `auto` takes the fastest there is; None leaves the model where it is.
        inference_mode: run under `torch.inference_mode`, which is a little faster, rather than `torch.no_grad`; a
            model that keeps a tensor for later cannot be trained with it afterwards.
        mixed_precision: `bf16` or `fp16` runs the forward pass under autocast; metrics are always computed in full.
        seed: of whatever the model or the loader draws, and of the intervals.
        metrics: names of those that are computed, such as `f1_macro`; None takes the usual ones of the task.
        per_class: add `class_0_acc`, ….
        calibration: add `ece` and `brier`.
        intervals: add `<metric>_ci95_low` and `_high`.
        resamples: of the paired bootstrap, where two models are compared.
        loss_resamples: of the streamed bootstrap behind the intervals of loss, perplexity and `ece`; each costs a draw
            an example.
        calibration_bins: of equal width, for `ece`.
        output_dir: write metrics/SPLIT_metrics.json and SPLIT_predictions.csv there.
        distributed: put the counts of all processes of `torch.distributed` together, and write from the first; None
            does where the loader's sampler divides the set among them, as DistributedSampler and Accelerate's do.
        num_workers: processes that load batches of a task that ships.
        progress: show a bar on a terminal.
        wandb_project: where `use_wandb` logs.
        wandb_mode: `offline` writes files only.
        wandb_step: of the W&B run under way; None adds the metrics to its present step, and leaves that open.

    Raises:
        ConfigError: names every value that cannot be.
    """

    task_name: str = "custom"
    batch_size: int = 32
    split: str = "val"
    max_batches: int | None = None
    loader: Iterable[Any] | None = None
    device: str | None = None
    inference_mode: bool = False
    mixed_precision: MixedPrecision = "no"
    seed: int = 42
    metrics: Sequence[str] | None = None
    per_class: bool = False
    calibration: bool = False
    intervals: bool = False
    resamples: int = 10_000
    loss_resamples: int = 1_000
    calibration_bins: int = 15
    output_dir: Path | None = None
    distributed: bool | None = None
    num_workers: int = 0
    progress: bool = True
    wandb_project: str = "exaid-evals"
    wandb_mode: WandbMode = "offline"
    wandb_step: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        problems = [
            ConfigError(
                f"must be a whole number of at least {least} (got {value!r})",
                where=f"EvalConfig.{name}",
                remedy="correct it",
            )
            for name, least in _LEAST.items()
            if not _is_count(value := getattr(self, name), least) and not (value is None and name == "max_batches")
        ]
        for name, choices in (("mixed_precision", get_args(MixedPrecision)), ("wandb_mode", get_args(WandbMode))):
            if getattr(self, name) not in choices:
                problems.append(
                    ConfigError(
                        f"is {getattr(self, name)!r}",
                        where=f"EvalConfig.{name}",
                        remedy=f"take one of {', '.join(choices)}",
                    )
                )
        if isinstance(self.metrics, str) or not all(isinstance(name, str) for name in self.metrics or ()):
            problems.append(
                ConfigError(f"is {self.metrics!r}", where="EvalConfig.metrics", remedy="give a list of names")
            )
        if not isinstance(self.split, str) or _SPLIT.fullmatch(self.split) is None:
            problems.append(
                ConfigError(
                    f"is {self.split!r}, which names no file",
                    where="EvalConfig.split",
                    remedy="take letters, digits, `_`, `-` and `.`",
                )
            )
        if problems:
            raise ConfigError.of(problems)


_SPLIT = re.compile(r"[\w-][\w.-]{0,63}", re.ASCII)
_LEAST = {
    "batch_size": 1,
    "max_batches": 1,
    "seed": 0,
    "resamples": 100,
    "loss_resamples": 100,
    "calibration_bins": 1,
    "num_workers": 0,
}


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least

"""What is evaluated and how, in Python and as configs/run_eval/*.json; needs no PyTorch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from exaid_evals.config.base import Config
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
        if isinstance(names, Mapping):  # as transformers' id2label
            names = [names[key] for at in range(n) for key in (at, str(at)) if key in names]
        if len(names) != n:
            raise ConfigError(
                f"{len(names)} class_names for {n} classes", where="output_schema", remedy="name each class once"
            )
        return [str(name) for name in names]

    def _count(self, key: str) -> int | None:
        value = self.output_schema.get(key)
        if value is None:
            return None
        if not _is_count(value, 1):
            raise ConfigError(
                f"must be a whole number of at least 1 (got {value!r})",
                where=f"output_schema.{key}",
                remedy="give the number of outputs of the model, or leave it out",
            )
        return int(value)


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
        selective: add `aurc` and `eaurc`: areas of the share wrong over how many are answered, the surest first.
        intervals: add `<metric>_ci95_low` and `_high`.
        resamples: of the paired bootstrap, where two models are compared.
        loss_resamples: of the streamed bootstrap behind the intervals of loss, perplexity and `ece`; each costs a draw
            an example.
        calibration_bins: of equal width, for `ece`.
        output_dir: write metrics/SPLIT_metrics.json and SPLIT_predictions.csv there.
        resume: keep what was counted so far beside the results, and go on from there where an evaluation of the same
            model, set and configuration was killed; the numbers and files are those of one that was not.
        parquet: write SPLIT_predictions.parquet too.
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
    selective: bool = False
    intervals: bool = False
    resamples: int = 10_000
    loss_resamples: int = 1_000
    calibration_bins: int = 15
    output_dir: Path | None = None
    resume: bool = False
    parquet: bool = False
    distributed: bool | None = None
    num_workers: int = 0
    progress: bool = True
    wandb_project: str = "exaid-evals"
    wandb_mode: WandbMode = "offline"
    wandb_step: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        problems: list[ConfigError] = []

        def wrong(name: str, what: str, remedy: str) -> None:
            problems.append(ConfigError(what, where=f"EvalConfig.{name}", remedy=remedy))

        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not _is_count(value, least) and not (value is None and name == "max_batches"):
                wrong(name, f"must be a whole number of at least {least} (got {value!r})", "correct it")
        for name, choices in (("mixed_precision", get_args(MixedPrecision)), ("wandb_mode", get_args(WandbMode))):
            if getattr(self, name) not in choices:
                wrong(name, f"is {getattr(self, name)!r}", f"take one of {', '.join(choices)}")
        if isinstance(self.metrics, str) or not all(isinstance(name, str) for name in self.metrics or ()):
            wrong("metrics", f"is {self.metrics!r}", "give a list of names")
        if not isinstance(self.split, str) or _SPLIT.fullmatch(self.split) is None:
            wrong("split", f"is {self.split!r}, which names no file", "take letters, digits, `_`, `-` and `.`")
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


_OF_THE_CALL = frozenset({"task_name", "loader", "output_dir", "progress", "seed", "device", "wandb_mode"})


class ModelConfig(Config):
    """A model by name, or `module:attribute` of a function `build(task, **settings)`, and its settings."""

    name: str = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class DataConfig(Config):
    """Images or texts.

    Attributes:
        folder: of images: with a folder for each class, or `train`, `val`, `test` with these. Of texts: a file .txt,
            .jsonl, .csv, .tsv or .parquet, a folder of .txt files, or a data set that datasets has saved.
        labels: CSV or JSON file of labels in place of folders for classes, or COCO's annotations of boxes.
        classes: file with the class of each of the model's outputs, one a line; None takes the folders' names in order.
        subset: only the classes that occur compete, as for a set that has a part of ImageNet's classes.
        transform: `resize`, `crop`, `mean`, `std` in place of the model's own.
        tokenizer: folder of a tokenizer of transformers; None takes the model's own, and bytes for other models.
        column: of the texts in a table.
        label: column of the texts' classes; None predicts tokens.
        length: tokens that a model is given at a time; None takes what it can take, at most 1,024.
        stride: tokens by which windows move; None takes the length.
    """

    folder: Path
    labels: Path | None = None
    classes: Path | None = None
    subset: bool = False
    transform: dict[str, Any] | None = None
    tokenizer: str | None = None
    column: str = "text"
    label: str | None = None
    length: int | None = Field(default=None, ge=1)
    stride: int | None = Field(default=None, ge=1)


class _Common(Config):
    task: str = Field(min_length=1)
    model: ModelConfig
    adapter: str | None = None
    seed: int = Field(default=42, ge=0)
    device: str | None = None
    num_threads: int | None = Field(default=None, ge=1)
    eval: dict[str, Any] = Field(default_factory=dict)
    use_wandb: bool = False
    wandb_mode: WandbMode = "offline"

    @field_validator("eval")
    @classmethod
    def _fields_of_eval_config(cls, value: dict[str, Any]) -> dict[str, Any]:
        known = sorted(set(EvalConfig.__slots__) - _OF_THE_CALL)
        if unknown := sorted(set(value) - set(known)):
            raise ValueError(f"{', '.join(unknown)} cannot be set here; it takes {', '.join(known)}")
        EvalConfig(**value)
        return value


class RunEvalConfig(_Common):
    """The file of `run-eval`.

    Attributes:
        task: a task that ships, or `module:attribute` of a function that builds one; with `data` its name in files.
        model: what is evaluated: one that ships, `module:attribute`, `timm:NAME`, `torchvision:NAME`,
            `transformers:FOLDER`, or a file `.onnx` or `.pt2`.
        data: images or texts, in place of a task.
        checkpoint: file of the model's weights.
        adapter: by name or `module:attribute`; None takes the task's.
        seed: of the evaluation, and of what the model draws when it is built.
        device: `cpu`, `cuda:0`, `auto`; None takes the CPU.
        num_threads: of PyTorch on the CPU; None takes its own choice. Weights repeat with the same number only.
        eval: fields of `EvalConfig` in place of the task's defaults.
        use_wandb: log to W&B.
        wandb_mode: `offline` writes files only.
    """

    task: str = ""
    data: DataConfig | None = None
    checkpoint: Path | None = None

    @model_validator(mode="after")
    def _task_or_data(self) -> Self:
        if not self.task and self.data is None:
            raise ValueError("names neither a task nor data; give --config a file with a task, or --data a folder")
        return self


class TrainingConfig(_Common):
    """The file of `run-training`: as of `run-eval`, and how the model is trained.

    Attributes:
        epochs: passes over the training split; the model is evaluated on `val` after each.
        batch_size: training examples at a time.
        learning_rate: of AdamW, at the beginning.
        schedule: `linear` lowers it to 0 over the training, `constant` leaves it.
        weight_decay: of AdamW.
        max_grad_norm: gradients are scaled down to this norm.
        mixed_precision: of the forward pass in training.
    """

    epochs: int = Field(default=2, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    schedule: Literal["linear", "constant"] = "linear"
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    mixed_precision: MixedPrecision = "no"

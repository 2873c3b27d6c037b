"""configs/run_eval/*.json: what is evaluated, or trained and evaluated; needs no PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from exaid_evals.config.base import Config
from exaid_evals.run_eval.spec import EvalConfig, MixedPrecision, WandbMode

_OF_THE_CALL = frozenset({"task_name", "loader", "output_dir", "progress", "seed", "device", "wandb_mode"})


class ModelConfig(Config):
    """A model by name, or `module:attribute` of a function `build(task, **settings)`, and its settings."""

    name: str = Field(min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class DataConfig(Config):
    """A folder of images.

    Attributes:
        folder: with a folder for each class, or `train`, `val`, `test` with these.
        labels: CSV or JSON file of labels in place of folders for classes.
        classes: file with the class of each of the model's outputs, one a line; None takes the folders' names in order.
        subset: only the classes that occur compete, as for a set that has a part of ImageNet's classes.
        transform: `resize`, `crop`, `mean`, `std` in place of the model's own.
    """

    folder: Path
    labels: Path | None = None
    classes: Path | None = None
    subset: bool = False
    transform: dict[str, Any] | None = None


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
        data: a folder of images, in place of a task.
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

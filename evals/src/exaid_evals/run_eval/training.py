"""The folder of a training run: summary.json, train_history.csv, weights.npz, beside what the evaluation writes."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import platform
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, default_collate

from exaid_evals import __version__
from exaid_evals.artifacts.atomic import atomic_file, write_text
from exaid_evals.config.campaign import checkout_root
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.report.formats.csv_table import write_csv
from exaid_evals.run_eval import batches
from exaid_evals.run_eval.base import Adapter, EvalResult, Task
from exaid_evals.run_eval.files import files_of, signature, tracked, write_json
from exaid_evals.run_eval.loading import load_checkpoint
from exaid_evals.run_eval.loop import evaluate
from exaid_evals.run_eval.placement import autocast, chosen_device, seeded, threads
from exaid_evals.run_eval.registry import build_adapter, build_eval_config, build_model, build_task
from exaid_evals.run_eval.spec import EvalConfig, ModelConfig, TrainingConfig

SUMMARY_FILE = Path("summary.json")
HISTORY_FILE = Path("train_history.csv")
WEIGHTS_FILE = Path("weights.npz")


def clear_run(folder: Path, split: str) -> None:
    """Take away what an earlier run has left, the summary first, so that no half of it passes for a run."""
    for name in (SUMMARY_FILE, HISTORY_FILE, WEIGHTS_FILE, *files_of(split)):
        (folder / name).unlink(missing_ok=True)


def write_history(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write a row per epoch; a metric that only the last evaluation has stands in metrics/val_metrics.json alone."""
    names = list(epochs[0].val)
    lines = []
    for epoch in epochs:
        values = [epoch.train_loss, *(epoch.val[name] for name in names)]
        lines.append([epoch.number, *(f"{value:.6f}" if math.isfinite(value) else "" for value in values)])
    write_text(folder / HISTORY_FILE, write_csv(["epoch", "train_loss", *(f"val_{name}" for name in names)], lines))


def write_summary(
    folder: Path,
    config: TrainingConfig,
    task: Task,
    eval_config: EvalConfig,
    epochs: Sequence[Epoch],
    *,
    n_parameters: int,
) -> None:
    """Write what the run was. Last, so that a folder with a summary is a finished run."""
    training = config.model_dump(mode="json")
    of_the_run = {"task", "model", "seed", "eval", "use_wandb", "wandb_mode", "adapter"}
    commit, dirty = _checkout()
    write_json(
        folder / SUMMARY_FILE,
        {
            "task": config.task,
            "seed": config.seed,
            "stub": False,
            "git_hash": commit,
            "git_dirty": dirty,
            "hyperparameters": {
                **{name: value for name, value in training.items() if name not in of_the_run},
                "model": config.model.name,
                **{f"model_{name}": value for name, value in config.model.settings.items()},
            },
            "model": {"name": config.model.name, "settings": dict(config.model.settings)},
            "adapter": config.adapter or task.adapter,
            "n_parameters": n_parameters,
            "n_train": len(task.splits["train"]),  # type: ignore[arg-type]
            "n_val": len(task.splits[eval_config.split]),  # type: ignore[arg-type]
            "epochs_completed": len(epochs),
            "primary_metric": task.primary_metric,
            "lower_is_better": task.lower_is_better,
            "data_sha256": task.data_sha256,
            "versions": {
                "exaid_evals": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
            },
            "n_threads": torch.get_num_threads(),
            "signature": signature(eval_config, task.spec, training=training, data=task.data_sha256),
        },
    )


def _checkout() -> tuple[str | None, bool | None]:
    """Return the commit of this package's checkout and whether files differ from it; None outside of one."""
    root = checkout_root()
    if root is None:
        return None, None
    outputs = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain"]):
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments
                ["git", "-C", str(root), *command],  # noqa: S607 - the user's own git
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None, None
        if done.returncode:
            return None, None
        outputs.append(done.stdout.strip())
    return outputs[0], bool(outputs[1])


def save_weights(folder: Path, model: nn.Module) -> None:
    """Save the weights as plain arrays: a checkpoint that needs no unpickling, so it can be read from anybody."""
    arrays: dict[str, Any] = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    with atomic_file(folder / WEIGHTS_FILE) as stream:
        np.savez(stream, **arrays)


def load_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of a run into a model of the same kind.

    Raises:
        DataError: they are missing, damaged, or of another model.
    """
    load_checkpoint(model, folder / WEIGHTS_FILE, remedy="train the run again with run-training")


def model_of_run(folder: Path) -> tuple[str, ModelConfig]:
    """Return the task and the model of a run, from its summary.

    Raises:
        ConfigError: the folder holds no summary, or one without them.
    """
    path = folder / SUMMARY_FILE
    summary = read_mapping(path)
    model = summary.get("model")
    if not isinstance(model, dict) or not isinstance(summary.get("task"), str):
        raise DataError("says no task and model", where=str(path), remedy="name a folder that run-training has written")
    try:
        return summary["task"], ModelConfig.model_validate(model)
    except ValueError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"names no model ({reason})", where=str(path), remedy="train the run again with run-training"
        ) from None


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training split gave.

    Attributes:
        number: counted from 1.
        train_loss: mean over the pass, while the weights changed.
        val: metrics on the validation split after it.
    """

    number: int
    train_loss: float
    val: dict[str, float]


@dataclass(frozen=True, slots=True)
class Trained:
    """A finished training.

    Attributes:
        epochs: in order.
        result: the last evaluation.
        folder: where it was written.
    """

    epochs: tuple[Epoch, ...]
    result: EvalResult
    folder: Path


def train(config: TrainingConfig, folder: Path, *, on_epoch: Callable[[Epoch], None] = lambda _: None) -> Trained:
    """Train a model, evaluate it after each epoch, and write the run.

    The last epoch's weights are kept: choosing the best epoch by the validation split would make its numbers
    flatter than they are.

    Args:
        config: task, model, and how to train.
        folder: of the run; what an earlier run has left there is replaced.
        on_epoch: called with each epoch.

    Raises:
        ConfigError: something in the configuration does not exist, or does not fit.
        DataError: the loss became NaN or infinite; the run's folder then lacks summary.json.
    """
    task = build_task(config.task)
    adapter = build_adapter(config.adapter or task.adapter)
    settings = {"batch_size": config.batch_size, **task.eval_defaults, **config.eval}
    eval_config = build_eval_config(
        config.task, **settings | {"seed": config.seed, "wandb_mode": config.wandb_mode, "progress": False}
    )
    device = chosen_device(config.device or "cpu")
    with seeded(config.seed), threads(config.num_threads), _deterministic():
        model = build_model(config.model.name, task, dict(config.model.settings)).to(device)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ConfigError(
                f"{config.model.name} has no weights to train", where="model", remedy="evaluate it with run-eval"
            )
        clear_run(folder, eval_config.split)
        loop = _Training(config, task, adapter, model, device)
        with _logging(config, eval_config, folder) as log:
            epochs, result = _epochs(loop, eval_config, folder, (on_epoch, log))
        write_history(folder, epochs)
        save_weights(folder, model)
        n_parameters = sum(parameter.numel() for parameter in model.parameters())
        write_summary(folder, config, task, eval_config, epochs, n_parameters=n_parameters)
    return Trained(tuple(epochs), result, folder)


def _epochs(
    loop: _Training, eval_config: EvalConfig, folder: Path, listeners: Sequence[Callable[[Epoch], None]]
) -> tuple[list[Epoch], EvalResult]:
    epochs: list[Epoch] = []
    last = dataclasses.replace(eval_config, output_dir=folder)
    for number in range(1, loop.config.epochs + 1):
        train_loss = loop.epoch(number)
        # Intervals and predictions are of the finished model alone.
        now = last if number == loop.config.epochs else dataclasses.replace(eval_config, intervals=False)
        result = evaluate(loop.model, loop.adapter, now, loop.task.spec)
        epochs.append(Epoch(number, train_loss, result.metrics))
        for listener in listeners:
            listener(epochs[-1])
    return epochs, result


class _Training:
    """A model, its optimiser and its data."""

    def __init__(
        self, config: TrainingConfig, task: Task, adapter: Adapter, model: nn.Module, device: torch.device
    ) -> None:
        self.config, self.task, self.adapter, self.model = config, task, adapter, model
        self._device = device
        self._optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        if not (n := len(task.splits["train"])):  # type: ignore[arg-type]
            raise DataError("the training split is empty", where=task.name, remedy="check the data set's split")
        n_steps = config.epochs * math.ceil(n / config.batch_size)
        decay = (lambda step: 1 - step / n_steps) if config.schedule == "linear" else (lambda _: 1.0)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, decay)
        self._scaler = torch.amp.GradScaler(device.type, enabled=config.mixed_precision == "fp16")
        self._loader = DataLoader(
            task.splits["train"],
            batch_size=config.batch_size,
            shuffle=True,
            generator=torch.Generator().manual_seed(config.seed),
            collate_fn=default_collate,
        )

    def epoch(self, number: int) -> float:
        """Pass over the training split once; return the mean loss, each batch weighted by its examples."""
        self.model.train()
        total, n_examples = 0.0, 0
        for index, given in enumerate(self._loader, 1):
            batch = batches.to_device(given, self._device)
            with autocast(self._device, self.config.mixed_precision):
                outputs = self.adapter.forward(self.model, batch, self.task.spec)
            loss = self.adapter.compute_loss(batches.in_full(outputs), batch, self.task.spec)
            if not bool(loss.isfinite()):
                raise DataError(
                    f"the training loss is {float(loss.detach())}",
                    where=f"epoch {number}, batch {index}",
                    remedy="lower learning_rate; under fp16 take bf16, or no mixed precision",
                )
            self._step(loss)
            n = len(batches.labels_of(batch, self.task.spec))
            total, n_examples = total + float(loss.detach()) * n, n_examples + n
        return total / n_examples

    def _step(self, loss: torch.Tensor) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.unscale_(self._optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.max_grad_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextlib.contextmanager
def _logging(config: TrainingConfig, eval_config: EvalConfig, folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Yield what logs an epoch to W&B, or nothing where that is not wanted."""
    if not config.use_wandb:
        yield lambda _: None
        return
    where = dataclasses.replace(eval_config, output_dir=folder)
    with tracked(where, name=folder.name, settings=config.model_dump(mode="json")) as run:

        def log(epoch: Epoch) -> None:
            values = {f"{eval_config.split}/{name}": value for name, value in epoch.val.items()}
            run.log({"epoch": epoch.number, "train/loss": epoch.train_loss, **values})

        yield log

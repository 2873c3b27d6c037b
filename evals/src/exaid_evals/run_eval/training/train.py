"""The training loop. A seed and a number of threads give the same weights on the same machine."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, default_collate

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.run_eval import batches
from exaid_evals.run_eval.base import Adapter, EvalResult, Task
from exaid_evals.run_eval.config import TrainingConfig
from exaid_evals.run_eval.loop import evaluate
from exaid_evals.run_eval.placement import autocast, chosen_device, seeded, threads
from exaid_evals.run_eval.registry import build_adapter, build_eval_config, build_model, build_task
from exaid_evals.run_eval.spec import EvalConfig
from exaid_evals.run_eval.tracking import tracked
from exaid_evals.run_eval.training.run_folder import clear_run, save_weights, write_history, write_summary


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
        on_epoch: is told of each epoch.

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
        clear_run(folder)
        loop = _Training(config, task, adapter, model, device)
        with _logging(config, eval_config, folder) as log:
            epochs, result = _epochs(loop, eval_config, folder, (on_epoch, log))
        write_history(folder, epochs)
        save_weights(folder, model)
        n_parameters = sum(parameter.numel() for parameter in model.parameters())
        write_summary(folder, config, task, eval_config, epochs, n_parameters=n_parameters)
    return Trained(tuple(epochs), result, folder)


def _epochs(
    loop: _Training, eval_config: EvalConfig, folder: Path, tell: Sequence[Callable[[Epoch], None]]
) -> tuple[list[Epoch], EvalResult]:
    epochs: list[Epoch] = []
    last = dataclasses.replace(eval_config, output_dir=folder)
    for number in range(1, loop.config.epochs + 1):
        train_loss = loop.epoch(number)
        # Intervals and predictions are of the finished model alone.
        now = last if number == loop.config.epochs else dataclasses.replace(eval_config, intervals=False)
        result = evaluate(loop.model, loop.adapter, now, loop.task.spec)
        epochs.append(Epoch(number, train_loss, result.metrics))
        for told in tell:
            told(epochs[-1])
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
        n_steps = config.epochs * math.ceil(len(task.splits["train"]) / config.batch_size)  # type: ignore[arg-type]
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
            loss = self.adapter.compute_loss(outputs, batch, self.task.spec)
            if not bool(loss.isfinite()):
                raise DataError(
                    f"the training loss is {float(loss.detach())}",
                    where=f"epoch {number}, batch {index}",
                    remedy="lower learning_rate; under fp16 take bf16, or no mixed precision",
                )
            self._step(loss)
            n = len(batches.labels_of(batch, self.task.spec))
            total, n_examples = total + float(loss.detach()) * n, n_examples + n
        if not n_examples:
            raise DataError("the training split is empty", where=self.task.name, remedy="check the task")
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
            run.log({"epoch": epoch.number, "train/loss": epoch.train_loss, **values}, step=epoch.number)

        yield log

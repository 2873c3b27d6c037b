"""The evaluation loop: batches in, metrics over the whole set out."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.run_eval import batches
from exaid_evals.run_eval.base import Adapter, EvalResult, MetricSet, Step
from exaid_evals.run_eval.files import PredictionsFile, write_evaluation
from exaid_evals.run_eval.placement import autocast, evaluating, seeded
from exaid_evals.run_eval.registry import metric_set_of, task_loader
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec, as_task_spec
from exaid_evals.run_eval.tracking import log_metrics


def run_eval(
    model: nn.Module, adapter: Adapter, eval_config: EvalConfig, task_spec: TaskSpec, use_wandb: bool = False
) -> dict[str, float]:
    """Evaluate a model on a held-out set with the metrics of the task's modality.

    Args:
        model: left in the mode, and on the device, in which it came.
        adapter: how the model is called.
        eval_config: data, size of batches, device, what to compute and to write.
        task_spec: modality and outputs; older ones without a modality work too.
        use_wandb: log the metrics to W&B: to the run under way, else to one of their own.

    Returns:
        Name → value: `loss`, `accuracy`, `top3_accuracy`, `top5_accuracy` of images, `loss` and `perplexity` of text,
        and what the configuration adds.

    Raises:
        ConfigError: an unknown modality (the known ones are named), task, split or device.
        DataError: the loader, labels or logits are not what the task says; nothing is written then.
    """
    return evaluate(model, adapter, eval_config, task_spec, use_wandb=use_wandb).flat()


def evaluate(
    model: nn.Module, adapter: Adapter, config: EvalConfig, task_spec: TaskSpec, *, use_wandb: bool = False
) -> EvalResult:
    """Evaluate as `run_eval` does, and return everything that was found."""
    spec = as_task_spec(task_spec)
    metric_set = metric_set_of(spec, config)
    with seeded(config.seed):
        loader = config.loader if config.loader is not None else task_loader(config)
        with evaluating(model, config.device) as device, PredictionsFile.of(config.output_dir) as predictions:
            loop = _Loop(model, adapter, config, spec, metric_set, device, predictions)
            n_batches = loop.run(loader)
            result = EvalResult(
                metrics=metric_set.compute(),
                intervals=metric_set.intervals(),
                further=metric_set.further(),
                details=(details := metric_set.details()),
                n_batches=n_batches,
                n_halved=loop.n_halved,
                warnings=(*loop.warnings, *details.pop("warnings", ())),
            )
    if config.output_dir is not None:
        write_evaluation(config.output_dir, result, config, spec)
    if use_wandb:
        log_metrics(result.flat(), config)
    return result


@dataclasses.dataclass
class _Loop:
    """One pass over the batches."""

    model: nn.Module
    adapter: Adapter
    config: EvalConfig
    spec: TaskSpec
    metric_set: MetricSet
    device: torch.device
    predictions: PredictionsFile
    n_halved: int = 0
    n_examples: int = 0
    too_large: int | None = None
    warnings: list[str] = dataclasses.field(default_factory=list)

    def run(self, loader: Iterable[Any]) -> int:
        """Evaluate every batch; return how many there were."""
        n_batches = 0
        for number, batch in enumerate(self._bar(_Limited(loader, self.config.max_batches)), 1):
            with _located(f"batch {number}"):
                self._evaluate(batch, f"batch {number}")
            n_batches = number
        if not self.n_examples:
            raise DataError(
                f"there is nothing to evaluate: the loader gave {'empty batches' if n_batches else 'no batch'}",
                where=self.config.task_name,
                remedy="check the split, and that the loader is not a generator that has been read before",
            )
        return n_batches

    def _bar(self, loader: Iterable[Any]) -> Iterable[Any]:
        if not self.config.progress:
            return loader
        total = None
        with contextlib.suppress(TypeError):
            total = len(loader)  # type: ignore[arg-type]
        # `disable=None` shows it on a terminal alone.
        return tqdm(
            loader, desc=f"evaluate {self.config.task_name}", total=total, unit="batch", file=sys.stderr, disable=None
        )

    def _evaluate(self, batch: Any, where: str) -> None:
        labels = self._labels(batch)
        if not len(labels):
            return
        if self.too_large is None or len(labels) < self.too_large:
            try:
                self._count(batch, where)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                self._note_too_large(len(labels), error, where)
            else:
                return
        self._in_halves(batch, len(labels), where)

    def _note_too_large(self, size: int, error: Exception, where: str) -> None:
        if self.too_large is None:
            self.warnings.append(
                f"{where}: {size} examples at a time are too many for the memory; batches so large go through in "
                "halves. The numbers are the same, the time is not: lower batch_size"
            )
            warnings.warn(self.warnings[-1], RuntimeWarning, stacklevel=2)
        self.too_large = min(size, self.too_large or size)
        # The traceback holds the tensors that did not fit.
        error.__traceback__ = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _in_halves(self, batch: Any, size: int, where: str) -> None:
        parts = batches.halves(batch)
        if parts is None:
            raise DataError(
                f"{size} examples do not fit the memory, and cannot be split",
                where=where,
                remedy="lower batch_size, or make batches of tensors and lists of equal length",
            )
        self.n_halved += 1
        for part in parts:
            try:
                self._count(part, where)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                raise DataError(
                    f"half a batch ({(size + 1) // 2} examples) does not fit the memory either",
                    where=where,
                    remedy=f"set batch_size well below {(size + 1) // 2}",
                ) from None

    def _count(self, batch: Any, where: str) -> None:
        """Run the model on a batch and count it, whole or not at all."""
        step = self._step(batches.to_device(batch, self.device), where)
        self.metric_set.update(step)
        self.n_examples += len(step.labels)
        self.predictions.write(self.metric_set, step)

    def _step(self, batch: Any, where: str) -> Step:
        with torch.inference_mode():
            with autocast(self.device, self.config.mixed_precision):
                outputs = self.adapter.forward(self.model, batch, self.spec)
            outputs = _in_full(outputs) if isinstance(outputs, Tensor) else outputs
            take = getattr(self.adapter, "logits", batches.logits_of)
            logits, labels = _in_full(take(outputs)), self._labels(batch)
            self.metric_set.check(logits, labels, where)
            loss = self.adapter.compute_loss(outputs, batch, self.spec)
            # Only the interval needs them.
            losses_of = getattr(self.adapter, "example_losses", None) if self.config.intervals else None
            losses = losses_of(outputs, batch, self.spec) if losses_of else None
            return Step(
                logits=logits,
                labels=labels,
                loss=float(loss.detach()),
                losses=losses,
                ids=self._ids(batch, len(labels)),
                where=where,
            )

    def _labels(self, batch: Any) -> Tensor:
        own = getattr(self.adapter, "labels", batches.labels_of)
        labels: Tensor = own(batch, self.spec)
        return labels

    def _ids(self, batch: Any, n: int) -> list[str]:
        own = getattr(self.adapter, "ids", None)
        ids = [str(one) for one in own(batch)] if own else batches.ids_of(batch, self.n_examples, n)
        if len(ids) != n:
            raise DataError(f"{len(ids)} ids for {n} examples", remedy="give each example one")
        return ids


def _in_full(tensor: Tensor) -> Tensor:
    """Return a tensor of half precision in single precision; others as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


class _Limited:
    """A loader up to a number of batches; what it raises says after how many."""

    def __init__(self, loader: Iterable[Any], max_batches: int | None) -> None:
        self._loader = loader
        self._max = max_batches

    def __len__(self) -> int:
        length = len(self._loader)  # type: ignore[arg-type]
        return length if self._max is None else min(length, self._max)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            iterator = iter(self._loader)
            while self._max is None or given < self._max:
                batch = next(iterator, _END)
                if batch is _END:
                    return
                given += 1
                yield batch
        except ExaidError:
            raise
        except Exception as error:
            raise DataError(
                f"the loader failed after {given} batches ({type(error).__name__}: {error})",
                remedy="nothing was written; mend what it reads, or set max_batches below",
            ) from error


_END = object()


@contextlib.contextmanager
def _located(where: str) -> Iterator[None]:
    """State of an error about data in which batch it arose."""
    try:
        yield
    except DataError as error:
        if error.where is not None:
            raise
        raise type(error)(error.what, where=where, remedy=error.remedy) from error


def _out_of_memory(error: Exception) -> bool:
    # The CPU's allocator has no exception of its own.
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)

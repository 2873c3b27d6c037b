"""The evaluation loop: batches in, metrics over the whole set out."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.run_eval import batches
from exaid_evals.run_eval.base import Adapter, EvalResult, Mergeable, MetricSet, Step
from exaid_evals.run_eval.files import (
    PredictionsFile,
    files_of,
    log_metrics,
    signature,
    write_evaluation,
    write_parquet,
)
from exaid_evals.run_eval.losses import loss_of
from exaid_evals.run_eval.placement import Processes, Share, autocast, evaluating, of_types, out_of_memory, seeded
from exaid_evals.run_eval.registry import metric_set_of, task_loader
from exaid_evals.run_eval.resume import Partial, resumable
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec, as_task_spec


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
    model: nn.Module,
    adapter: Adapter,
    config: EvalConfig,
    task_spec: TaskSpec,
    *,
    use_wandb: bool = False,
    leading: tuple[str, bool] | None = None,
) -> EvalResult:
    """Evaluate as `run_eval` does, and return everything that was found.

    Args:
        model: as for `run_eval`, and so are the next four.
        adapter: how the model is called.
        config: data, size of batches, device, what to compute and to write.
        task_spec: modality and outputs.
        use_wandb: log the metrics to W&B.
        leading: the metric that ranks models on this task, and whether it improves downwards, for whoever compares what
            is written; None where no task says.
    """
    spec = as_task_spec(task_spec)
    metric_set = metric_set_of(spec, config)
    _require_instance(adapter)
    processes = Processes.of(config)
    partial = None
    if config.resume:
        resumable(config, metric_set)
        made = signature(config, spec)
        partial = Partial(config.output_dir, config.split, made, model, processes)  # type: ignore[arg-type]
    with seeded(config.seed):
        loader = config.loader if config.loader is not None else task_loader(config, processes)
        share = Share(loader, processes)
        with (
            evaluating(model, config.device) as device,
            PredictionsFile.of(config.output_dir, config.split, processes, partial) as predictions,
        ):
            calls = processes.model(model)
            loop = _Loop(calls, adapter, config, spec, metric_set, device, processes, share, predictions, partial)
            failed: Exception | None = None
            n_batches = 0
            try:
                n_batches = loop.run(loader)
            except Exception as error:
                failed = error
            processes.agree(failed)
            result = _result(loop, sum(processes.gathered(n_batches)))
            if predictions is not None:
                predictions.finish()
    _publish(result, config, spec, processes, use_wandb=use_wandb, leading=leading)
    if partial is not None and not processes.rank:
        partial.remove()
    return result


def _require_instance(adapter: Any) -> None:
    if isinstance(adapter, type):
        raise ConfigError(
            f"the adapter is the class {adapter.__name__}", where="adapter", remedy=f"give {adapter.__name__}()"
        )
    if not isinstance(adapter, Adapter):
        raise ConfigError(
            f"the adapter, a {type(adapter).__name__}, lacks forward or compute_loss",
            where="adapter",
            remedy="give it both, as exaid_evals.run_eval.base.Adapter describes them",
        )


def _result(loop: _Loop, n_batches: int) -> EvalResult:
    """Return what all processes together have found.

    Raises:
        DataError: there was no example.
        ConfigError: the metric set cannot be put together from several processes.
    """
    gathered = loop.processes.gathered
    if not sum(gathered(loop.n_examples)):
        raise DataError(
            f"there is nothing to evaluate: the loader gave {'empty batches' if n_batches else 'no batch'}",
            where=loop.config.task_name,
            remedy="check the split, that the loader is not a generator that has been read before, and its drop_last",
        )
    metric_set = loop.metric_set if loop.processes.size == 1 else _merged(loop)
    details = metric_set.details()
    lines = [*chain.from_iterable(gathered(loop.warnings)), *details.pop("warnings", ())]
    return EvalResult(
        metrics=metric_set.compute(),
        intervals=metric_set.intervals(),
        further=metric_set.further(),
        details=details,
        n_batches=n_batches,
        n_halved=sum(gathered(loop.n_halved)),
        warnings=tuple(dict.fromkeys(lines)),
    )


def _merged(loop: _Loop) -> MetricSet:
    if not isinstance(loop.metric_set, Mergeable):
        raise ConfigError(
            f"{type(loop.metric_set).__name__} cannot be put together from several processes",
            where="task_spec.modality",
            remedy="give it `state()` and `absorb(state)`, or evaluate in one process",
        )
    merged = metric_set_of(loop.spec, loop.config)
    for state in loop.processes.gathered(loop.metric_set.state() if loop.n_examples else None):
        if state is not None:
            merged.absorb(state)  # type: ignore[attr-defined]
    return merged


def _publish(
    result: EvalResult,
    config: EvalConfig,
    spec: TaskSpec,
    processes: Processes,
    *,
    use_wandb: bool,
    leading: tuple[str, bool] | None,
) -> None:
    """Write and log, from the first process alone."""
    failed: Exception | None = None
    try:
        if config.output_dir is not None and not processes.rank:
            if config.parquet:
                write_parquet(config.output_dir / files_of(config.split)[2])
            write_evaluation(config.output_dir, result, config, spec, leading)
        if use_wandb and not processes.rank:
            log_metrics(result.flat(), config)
    except Exception as error:
        failed = error
    processes.agree(failed)


@dataclasses.dataclass
class _Loop:
    """One pass over the batches."""

    model: nn.Module
    adapter: Adapter
    config: EvalConfig
    spec: TaskSpec
    metric_set: MetricSet
    device: torch.device
    processes: Processes
    share: Share
    predictions: PredictionsFile | None
    partial: Partial | None = None
    n_halved: int = 0
    n_given: int = 0
    n_examples: int = 0
    too_large: int | None = None
    as_weights: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)

    def run(self, loader: Iterable[Any]) -> int:
        """Evaluate every batch; return how many there were."""
        n_batches = 0
        self._restore()
        for number, batch in enumerate(self._bar(batches.Limited(loader, self.config.max_batches)), 1):
            n_batches = number
            partial = self.partial
            with _located(f"batch {number}"):
                if partial is not None and number <= partial.n_batches:
                    if number > partial.in_all:
                        self._call(batch)
                    partial.note(number, batches.required_labels(self.adapter, self.spec, batch))
                    continue
                self._evaluate(batch, f"batch {number}")
                if partial is not None:
                    partial.note(number, batches.required_labels(self.adapter, self.spec, batch))
            if partial is not None:
                about = {name: getattr(self, name) for name in _SAVED}
                rows = {} if self.predictions is None else {"rows": self.predictions.kept}
                partial.save(number, about | rows, self.metric_set.state)  # type: ignore[attr-defined]
        if self.partial is not None and n_batches < self.partial.n_batches:
            raise DataError(
                f"the loader gave {n_batches} batches, and {self.partial.n_batches} before it was interrupted",
                remedy="set resume to false to evaluate anew",
            )
        self.warnings += self.share.warnings
        if n := batches.dropped(loader, self.config.max_batches):
            self.warnings.append(f"the loader drops the last {n} examples (drop_last), which count for nothing")
        return n_batches

    def _restore(self) -> None:
        """Take up what an earlier evaluation has counted."""
        if self.partial is not None and self.partial.n_batches:
            state = {name: value for name, value in self.partial.state.items() if name != "random"}
            self.metric_set.absorb(state)  # type: ignore[attr-defined]
            for name in _SAVED:
                setattr(self, name, self.partial.about[name])
            if self.predictions is not None:
                self.predictions.kept = self.partial.about["rows"]

    def _bar(self, loader: Iterable[Any]) -> Iterable[Any]:
        if not self.config.progress or self.processes.rank:
            return loader
        total = None
        with contextlib.suppress(TypeError):
            total = len(loader)  # type: ignore[arg-type]
        # `disable=None` shows it on a terminal alone.
        return tqdm(
            loader, desc=f"evaluate {self.config.task_name}", total=total, unit="batch", file=sys.stderr, disable=None
        )

    def _evaluate(self, batch: Any, where: str) -> None:
        size = len(batches.required_labels(self.adapter, self.spec, batch))
        if not size:
            return
        numbers, counted = self.share.take(self.n_given, size)
        self.n_given += size
        if counted is not None:
            if not counted:  # all of processes call the model equally often, lest one that is divided wait for a call
                self._call(batch)
                return
            batch, numbers = self._rows(batch, size, counted), numbers[counted]
            size = len(numbers)
        if self.too_large is None or size < self.too_large:
            try:
                self._count(batch, numbers, where)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._note_too_large(size, error, where)
            else:
                return
        self._in_halves(batch, numbers, where)

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

    def _in_halves(self, batch: Any, numbers: NDArray[np.int64], where: str) -> None:
        size = len(numbers)
        middle = (size + 1) // 2
        if size < 2 or (batches.size_of(batch) != size and not hasattr(self.adapter, "rows")):
            raise DataError(
                f"{size} examples do not fit the memory, and cannot be split",
                where=where,
                remedy="lower batch_size, or make batches of tensors and lists of equal length",
            )
        self.n_halved += 1
        for rows in (range(middle), range(middle, size)):
            try:
                self._count(self._rows(batch, size, rows), numbers[rows.start : rows.stop], where)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                raise DataError(
                    f"half a batch ({middle} examples) does not fit the memory either",
                    where=where,
                    remedy=f"set batch_size well below {middle}",
                ) from None

    def _rows(self, batch: Any, size: int, rows: Sequence[int]) -> Any:
        return getattr(self.adapter, "rows", batches.rows_of)(batch, size, rows)

    def _count(self, batch: Any, numbers: NDArray[np.int64], where: str) -> None:
        """Run the model on a batch and count it, whole or not at all."""
        step = self._step(batches.to_device(batch, self.device), numbers, where)
        self.metric_set.update(step)
        self.n_examples += step.n
        if self.predictions is not None:
            self.predictions.write(self.metric_set, step)

    def _call(self, batch: Any) -> None:
        """Call the model on a batch, and count nothing."""
        with self._without_gradients():
            self._forward(batches.to_device(batch, self.device))

    def _without_gradients(self) -> contextlib.AbstractContextManager[object]:
        context: contextlib.AbstractContextManager[object] = (
            torch.inference_mode() if self.config.inference_mode else torch.no_grad()
        )
        return context

    def _step(self, batch: Any, numbers: NDArray[np.int64], where: str) -> Step:
        with self._without_gradients():
            outputs = batches.in_full(self._forward(batch))
            take = getattr(self.adapter, "logits", batches.logits_of)
            logits, labels = batches.in_full(take(outputs)), batches.required_labels(self.adapter, self.spec, batch)
            if isinstance(logits, Tensor) and not logits.dim() and len(numbers) == 1:
                logits = logits[None]  # a model that squeezes its outputs has squeezed a last batch of one
            self.metric_set.check(logits, labels, where)
            if not self.n_examples and batches.are_probabilities(logits, labels):
                self.warnings.append(_PROBABILITIES)
            loss, losses = loss_of(self.adapter, outputs, batch, self.spec, len(numbers))
            ids = batches.required_ids(self.adapter, batch, numbers.tolist())
            return Step(logits, labels, loss, losses, ids, numbers, where, batch)

    def _forward(self, batch: Any) -> Any:
        """Call the model; where it refuses the type of numbers with a point, with those in the type of its weights.

        Raises:
            DataError: it takes none of the batch's types.
        """
        given = batches.as_weights(batch, self.model) if self.as_weights else batch
        with autocast(self.device, self.config.mixed_precision):
            try:
                return self.adapter.forward(self.model, batch if given is None else given, self.spec)
            except RuntimeError as error:
                if self.as_weights or out_of_memory(error) or not of_types(error):
                    raise
                changed = batches.as_weights(batch, self.model)
                if changed is None:
                    raise DataError(
                        f"the model refuses the type of its inputs ({' '.join(str(error).split())[:200]})",
                        remedy="make them what its weights are, in the data set (images.float() / 255) or in the "
                        "adapter's forward",
                    ) from error
                outputs = self.adapter.forward(self.model, changed, self.spec)
        self.as_weights = True
        self.warnings.append("the model refuses the type of its inputs; they are given in the type of its weights")
        return outputs


_PROBABILITIES = (
    "the model's outputs are probabilities, and the loss takes them for logits: leave its softmax out, or return their "
    "logarithm"
)
_SAVED = ("n_halved", "n_given", "n_examples", "too_large", "warnings")


@contextlib.contextmanager
def _located(where: str) -> Iterator[None]:
    """Name the batch in which an error about data arose."""
    try:
        yield
    except DataError as error:
        if error.where is not None:
            raise
        raise type(error)(error.what, where=where, remedy=error.remedy) from error

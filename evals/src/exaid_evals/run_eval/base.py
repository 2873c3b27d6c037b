"""What an adapter, a metric set and a task are, and what an evaluation yields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from exaid_evals.run_eval.spec import TaskSpec

Interval = tuple[float, float]
"""Lower and upper bound."""


@dataclass(frozen=True, slots=True)
class ExampleLosses:
    """The loss of each example of a batch.

    Attributes:
        sums: shape (N,), the sum over the example's units.
        units: shape (N,), what they weigh together: 1 for a classified image, or its class's weight; for a text the
            number of its tokens that count.
    """

    sums: Tensor
    units: Tensor


@runtime_checkable
class Adapter(Protocol):
    """How a model is called. Only these two are needed.

    An adapter may also have `labels(batch, task_spec)`, `logits(outputs)`, `ids(batch)`, `rows(batch, size, rows)` and
    `example_losses(outputs, batch, task_spec)`; without them labels, logits, ids and some of a batch's examples are
    looked for in the usual places, and the losses of examples are seen in what `compute_loss` calls
    (`losses.SeenLosses`).
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on a batch and return its outputs."""

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean loss over what counts in the batch, a scalar."""


@dataclass(frozen=True, slots=True)
class Step:
    """A batch after the forward pass: all that a metric set may look at.

    Attributes:
        logits: shape (N, C) or (N, T, V), float32; of detection a mapping for each image.
        labels: shape (N,) or (N, T); likewise.
        loss: the adapter's mean loss of the batch.
        losses: the loss of each example; None where the adapter does not say.
        ids: names of the examples.
        numbers: shape (N,), the examples' places in the set.
        where: the batch, for messages.
        batch: as the loader gave it, for what a metric set needs beside.
    """

    logits: Tensor
    labels: Tensor
    loss: float
    losses: ExampleLosses | None
    ids: Sequence[str]
    numbers: NDArray[np.int64]
    where: str
    batch: Any = None

    @property
    def n(self) -> int:
        """How many examples there are."""
        return len(self.numbers)

    def only(self, row: int) -> Step:
        """Return a step of one example, for its row in the predictions."""
        part = slice(row, row + 1)
        return replace(
            self,
            logits=self.logits[part],
            labels=self.labels[part],
            losses=None,
            ids=self.ids[part],
            numbers=self.numbers[part],
        )


class MetricSet(Protocol):
    """The metrics of one modality, accumulated batch by batch in memory that does not grow with the set.

    A file in metric_sets/ has `build(task_spec, eval_config) -> MetricSet`, and perhaps `WORDS`, the words of a
    `task_type` that mean its modality, or `TASK_TYPES`, whole task types that mean it, whatever the modality. For
    several processes, and to go on after a kill, a set also has `state() -> arrays by name` and `absorb(state)`, as
    `counting.Counting` has them.
    """

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check a batch before its loss is computed, which wrong labels would break, on a GPU for good.

        Raises:
            DataError: logits or labels are not what the task says.
        """

    def update(self, step: Step) -> None:
        """Count a checked batch in, or raise and leave the counts as they were.

        Raises:
            DataError: the loss is not a number.
        """

    def compute(self) -> dict[str, float]:
        """Return the metrics over all that was counted."""

    def intervals(self) -> dict[str, Interval | None]:
        """Return the 95 % intervals of metrics, where the configuration asks for them; None for one without."""

    def further(self) -> dict[str, Any]:
        """Return metrics for metrics/val_metrics.json beyond those of `compute`."""

    def details(self) -> dict[str, Any]:
        """Return what metrics/evaluation.json holds: counts, matrices, tables."""

    def columns(self) -> Sequence[str]:
        """Return the header of val_predictions.csv; known after the first update."""

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Return the rows of a batch."""


@runtime_checkable
class Mergeable(Protocol):
    """A metric set whose counts can be put together."""

    def state(self) -> Mapping[str, NDArray[Any]]:
        """Return all that was counted, as arrays by name."""

    def absorb(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Add what another of the same kind has counted."""


@dataclass(frozen=True, slots=True)
class Task:
    """A data set with its splits, and how it is evaluated by default.

    Attributes:
        name: as in a configuration.
        spec: inputs and outputs.
        splits: `train`, `val`, `test` → items, each a mapping with `id`.
        data_sha256: of the content and its division.
        adapter: the default one, by name.
        eval_defaults: fields of `EvalConfig`.
        primary_metric: the one that ranks models.
        lower_is_better: whether it improves downwards.
    """

    name: str
    spec: TaskSpec
    splits: Mapping[str, Dataset[Any]]
    data_sha256: str
    adapter: str
    primary_metric: str
    lower_is_better: bool
    eval_defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EvalResult:
    """What an evaluation found.

    Attributes:
        metrics: name → value.
        intervals: of those metrics that have one.
        further: metrics that only the file holds (kappa, macro F1, per class precision, …).
        details: counts, confusion matrix and the like, as plain data.
        n_batches: batches that were evaluated.
        n_halved: batches that were too large for the memory, and went through in halves.
        warnings: what a reader of the numbers should know.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval | None]
    further: dict[str, Any]
    details: dict[str, Any]
    n_batches: int
    n_halved: int = 0
    warnings: tuple[str, ...] = ()

    def flat(self) -> dict[str, float]:
        """Return the metrics, and the bounds of their intervals as `<metric>_ci95_low` and `_high`."""
        found = dict(self.metrics)
        for name, interval in self.intervals.items():
            if interval is not None:
                found |= {f"{name}_ci95_low": interval[0], f"{name}_ci95_high": interval[1]}
        return found

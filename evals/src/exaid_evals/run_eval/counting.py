"""What metric sets share: sums and columns that add up over batches, processes and a resumed evaluation."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from exaid_evals.errors import ConfigError
from exaid_evals.run_eval.base import Interval, Step
from exaid_evals.run_eval.losses import Draws, Resampled, loss_sum
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec

State = Mapping[str, NDArray[Any]]
Metric = Callable[[], float]
Metrics = dict[str, Metric]
_KEPT = "kept."


class Counting(ABC):
    """A metric set whose state is arrays: sums, which are added up, and columns, which are joined.

    Attributes:
        NAMES: what `EvalConfig.metrics` may name; one that ends in a digit after `top` stands for any.
        arrays: name → sums, changed in place.
        kept: name → parts of a column; `number` is the examples' numbers, by which columns are put in order.
    """

    NAMES: ClassVar[Sequence[str]] = ("loss",)

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        self.spec, self.config = task_spec, config
        self.arrays: dict[str, NDArray[Any]] = {}
        self.kept: dict[str, list[NDArray[Any]]] = {}
        self._draws = Draws(config.loss_resamples, config.seed)
        self.arrays |= {"loss": np.zeros(2), "n_examples": np.zeros(1, dtype=np.int64)}
        self.resampled_loss = self.resampled("loss", 2)
        if unknown := [name for name in config.metrics or () if not self.knows(name)]:
            raise ConfigError(
                f"no metric is called {', '.join(unknown)}",
                where="EvalConfig.metrics",
                remedy=f"for this task there are {', '.join(self.NAMES)}",
            )

    def knows(self, name: str) -> bool:
        """Return whether a metric can be asked for."""
        return name in self.NAMES

    def wants(self, *names: str) -> bool:
        """Return whether one of these metrics is asked for by name."""
        return any(name in (self.config.metrics or ()) for name in names)

    def resampled(self, name: str, columns: int) -> Resampled | None:
        """Return sums over resamples, where intervals are asked for."""
        if not self.config.intervals:
            return None
        found = Resampled(columns, self._draws)
        self.arrays |= {f"{name}.resampled": found.sums, f"{name}.n_resampled": found.n_examples}
        return found

    def count_loss(self, step: Step, units: float) -> None:
        """Count a batch's loss.

        Args:
            step: the batch.
            units: what its mean is taken over, where the adapter does not say.

        Raises:
            DataError: the loss is not a number.
        """
        total = loss_sum(step, units)
        self.arrays["n_examples"] += step.n
        self.arrays["loss"] += total
        if self.resampled_loss is not None and step.losses is not None:
            values = np.stack([step.losses.sums.double().cpu().numpy(), step.losses.units.double().cpu().numpy()])
            self.resampled_loss.add(values, step.numbers)

    def mean_loss(self) -> float:
        """Return the mean loss over all units; NaN where they weigh nothing."""
        total, units = self.arrays["loss"]
        return float(total / units) if units else math.nan

    def keep(self, step: Step, **columns: NDArray[Any]) -> None:
        """Keep a row of values for each example, for metrics that need all of them at once."""
        for name, values in ({"number": step.numbers} | columns).items():
            self.kept.setdefault(name, []).append(values)

    def column(self, name: str) -> NDArray[Any]:
        """Return a kept column, by the examples' numbers."""
        order = np.argsort(np.concatenate(self.kept["number"]), kind="stable")
        found: NDArray[Any] = np.concatenate(self.kept[name])[order]
        return found

    @property
    def n_examples(self) -> int:
        """How many examples have been counted."""
        return int(self.arrays["n_examples"][0])

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all that was counted, as arrays."""
        return self.arrays | {f"{_KEPT}{name}": np.concatenate(parts) for name, parts in self.kept.items()}

    def absorb(self, state: State) -> None:
        """Add what another of the same kind has counted."""
        self.prepare(state)
        for name, value in state.items():
            if name.startswith(_KEPT):
                self.kept.setdefault(name.removeprefix(_KEPT), []).append(value)
            else:
                self.arrays[name] += value

    def prepare(self, state: State) -> None:  # noqa: B027 - most kinds have nothing to make room for
        """Make room for a state, where the first batch would have."""

    @abstractmethod
    def available(self) -> Metrics:
        """Return every metric that can be computed from what was counted, each by a call."""

    @abstractmethod
    def default(self) -> Sequence[str]:
        """Return the names that are computed where none is asked for."""

    def compute(self) -> dict[str, float]:
        """Return the metrics that are asked for, else the usual ones."""
        available = self.available()
        names = self.config.metrics if self.config.metrics is not None else self.default()
        return {name: available[name]() for name in names if name in available}

    def intervals(self) -> dict[str, Interval | None]:
        """Return the interval of the loss, and of what is a share of examples."""
        if self.resampled_loss is None:
            return {}
        found = {"loss": self.loss_interval(), **self.further_intervals()}
        wanted = self.config.metrics
        return found if wanted is None else {name: one for name, one in found.items() if name in wanted}

    def loss_interval(self) -> Interval | None:
        """Return the interval of the loss; None where examples' losses are not known."""
        if self.resampled_loss is None or self.resampled_loss.n_examples[0] != self.n_examples:
            return None
        return self.resampled_loss.ratio_interval()

    def further_intervals(self) -> dict[str, Interval | None]:
        """Return the intervals of other metrics."""
        return {}

    def further(self) -> dict[str, Any]:
        """Return metrics for the file alone."""
        return {}

    def details(self) -> dict[str, Any]:
        """Return the counts."""
        return {"n_examples": self.n_examples}

    def columns(self) -> Sequence[str]:
        """Return the header of the predictions."""
        return ["id", "true_label", "predicted_label"]

    @abstractmethod
    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Return a batch's rows."""


def mean_area(which: str, of: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Return the mean area by scikit-learn: no thresholds are chosen, and ties count half.

    Args:
        which: `auroc` or `average_precision`.
        of: truth and scores, shape (N,) each, of each class or label; one that all or none have counts for nothing.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    compute = roc_auc_score if which == "auroc" else average_precision_score
    areas = [float(compute(true, scores)) for true, scores in of if true.any() and not true.all()]
    return sum(areas) / len(areas) if areas else math.nan


class Confusion:
    """How often each true class was predicted as each class: a matrix of few classes, a list of pairs of many."""

    DENSE_AT_MOST = 256
    """Classes: half a megabyte."""

    def __init__(self, n_classes: int, owner: Counting) -> None:
        self.n_classes = n_classes
        self._owner = owner
        self.dense = n_classes <= self.DENSE_AT_MOST
        if self.dense:
            owner.arrays["confusion"] = np.zeros(n_classes * n_classes, dtype=np.int64)

    def add(self, true: NDArray[np.int64], predicted: NDArray[np.int64]) -> None:
        """Count pairs of classes, shape (N,) each."""
        codes = true * self.n_classes + predicted
        if self.dense:
            matrix = self._owner.arrays["confusion"]
            if len(codes) > len(matrix) // 8:
                matrix += np.bincount(codes, minlength=len(matrix))
            else:
                np.add.at(matrix, codes, 1)
            return
        parts = self._owner.kept.setdefault("pairs", [])
        parts.append(np.stack([codes, np.ones_like(codes)]).T)
        if len(parts) >= 512:
            self._owner.kept["pairs"] = [self._joined(parts)]

    @staticmethod
    def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
        pairs = np.concatenate(parts)
        codes, where = np.unique(pairs[:, 0], return_inverse=True)
        counts = np.bincount(where.ravel(), weights=pairs[:, 1]).astype(np.int64)
        joined: NDArray[np.int64] = np.stack([codes, counts]).T
        return joined

    def triplets(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return true class, predicted class and count of the pairs that occur, in order."""
        if self.dense:
            codes = np.flatnonzero(self._owner.arrays["confusion"])
            counts = self._owner.arrays["confusion"][codes]
        else:
            parts = self._owner.kept.get("pairs", [])
            joined = self._joined(parts) if parts else np.zeros((0, 2), dtype=np.int64)
            codes, counts = joined[:, 0], joined[:, 1]
        return codes // self.n_classes, codes % self.n_classes, counts

    def margins(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return by class how many are right, how many are of it, and how many were predicted as it."""
        true, predicted, counts = self.triplets()
        right, truly, as_ = (
            np.bincount(of, weights=weights, minlength=self.n_classes).astype(np.int64)
            for of, weights in ((true, counts * (true == predicted)), (true, counts), (predicted, counts))
        )
        return right, truly, as_

    def described(self) -> dict[str, Any]:
        """Return it for a file: the matrix (row: true class), or of many classes the pairs that occur."""
        if self.dense:
            return {"confusion_matrix": self._owner.arrays["confusion"].reshape(self.n_classes, -1).tolist()}
        true, predicted, counts = (one.tolist() for one in self.triplets())
        pairs = {"true": true, "predicted": predicted, "count": counts}
        return {"confusion_matrix": None, "confusion_pairs": pairs}

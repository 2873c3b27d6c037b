"""Metrics of image classification: loss, top-k accuracies, confusion, calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.run_eval.base import Interval, MetricSet, Step
from exaid_evals.run_eval.losses import LossTotal, checked_losses
from exaid_evals.run_eval.ranking import checked_labels, checked_logits, first_classes, label_ranks
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec
from exaid_evals.runs.files.classification import as_records, from_counts, per_class_from_counts
from exaid_evals.stats.bootstrap import percentile_intervals


class CalibrationBins:
    """How sure the model was, and how often it was right, by bins of its confidence."""

    def __init__(self, bins: int) -> None:
        self._edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
        self._count = np.zeros(bins)
        self._confidence = np.zeros(bins)
        self._right = np.zeros(bins)
        self._brier = 0.0

    def add(self, probabilities: Tensor, predicted: Tensor, labels: Tensor) -> None:
        """Count a batch.

        Args:
            probabilities: shape (N, C), float64, on the CPU.
            predicted: shape (N,).
            labels: shape (N,).
        """
        confidence = probabilities.gather(1, predicted[:, None])[:, 0]
        n_bins = len(self._count)
        # Bins are closed below, as torchmetrics has them; a confidence of 1 belongs to the last.
        index = torch.bucketize(confidence, self._edges, right=True).sub(1).clamp(0, n_bins - 1)
        right = (predicted == labels).double()
        truth = torch.nn.functional.one_hot(labels, probabilities.shape[1])
        self._count += torch.bincount(index, minlength=n_bins).numpy()
        self._confidence += torch.bincount(index, weights=confidence, minlength=n_bins).numpy()
        self._right += torch.bincount(index, weights=right, minlength=n_bins).numpy()
        self._brier += float((probabilities - truth).square().sum())

    def ece(self) -> float:
        """Return the expected calibration error: the mean of |share right − mean confidence| weighted by bin size.

        Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, *On Calibration of Modern Neural Networks* (2017).
        """
        return float(np.abs(self._right - self._confidence).sum() / self._count.sum())

    def brier(self) -> float:
        """Return the mean over examples of Σ_c (p_c − y_c)², between 0 and 2 (G. W. Brier 1950)."""
        return float(self._brier / self._count.sum())

    def table(self) -> list[dict[str, float | int | None]]:
        """Return a row per bin: bounds, count, mean confidence and share right (None where it is empty)."""
        edges = self._edges.tolist()
        return [
            {
                "low": edges[index],
                "high": edges[index + 1],
                "n": int(count),
                "confidence": float(self._confidence[index] / count) if count else None,
                "accuracy": float(self._right[index] / count) if count else None,
            }
            for index, count in enumerate(self._count)
        ]


def topk_intervals(
    ranks: NDArray[np.int64], ks: Sequence[int], *, resamples: int, rng: np.random.Generator
) -> list[tuple[float, float] | None]:
    """Return the 95 % percentile interval of each top-k accuracy, over the same resamples.

    Args:
        ranks: shape (R,), how many examples have their true class at rank 0, 1, …; the last counts all behind.
        ks: each below R.
        resamples: number of resamples.
        rng: the source of randomness.

    Returns:
        Lower and upper bounds; None for fewer than two examples.
    """
    n = int(ranks.sum())
    if n < 2:
        return [None] * len(ks)
    counts = rng.multinomial(n, ranks / n, size=resamples).astype(np.float64)
    within = (np.arange(len(ranks))[:, np.newaxis] < np.asarray(ks)).astype(np.float64)
    # The mean is over rows of values, which are ranks here: rescaled to be over the examples they stand for.
    low, high = percentile_intervals(within * (len(ranks) / n), counts)
    return [(float(below), float(above)) for below, above in zip(low, high, strict=True)]


WORDS = frozenset({"image", "vision"})
TOP_K = {1: "accuracy", 3: "top3_accuracy", 5: "top5_accuracy"}
MAX_SCORE_COLUMNS = 100
"""With more classes a prediction's row holds the score of the predicted class alone."""
MAX_MATRIX_CLASSES = 4096
"""With more, the confusion matrix (128 MB here) is left out."""


def build(task_spec: TaskSpec, config: EvalConfig) -> MetricSet:
    """Return an empty set."""
    return VisionMetrics(task_spec, config)


class VisionMetrics:
    """Counts over a set of classified images."""

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        self._spec = task_spec
        self._config = config
        self._n_classes = task_spec.num_classes
        self._ks: dict[int, str] = {}
        self._loss = LossTotal(resamples=config.loss_resamples if config.intervals else 0, seed=config.seed)
        self._bins = CalibrationBins(config.calibration_bins) if config.calibration else None
        self._ranks: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._support: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._right: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._matrix: NDArray[np.int64] | None = None

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N, C) and labels (N,)."""
        checked_labels(labels, checked_logits(logits, self._n_classes, where), where)

    def update(self, step: Step) -> None:
        """Count a batch; what can fail comes before the first count changes."""
        logits, labels = step.logits.detach(), step.labels.detach().long()
        checked_losses(step, len(labels))
        ranks, predicted, labels = label_ranks(logits, labels).cpu(), first_classes(logits).cpu(), labels.cpu()
        probabilities = logits.double().softmax(dim=1).cpu() if self._bins is not None else None
        if not self._ks:
            self._begin(logits.shape[1])
        n_classes = len(self._support)
        self._loss.add(step.loss, len(labels), step.losses)
        if self._bins is not None and probabilities is not None:
            self._bins.add(probabilities, predicted, labels)
        self._ranks += torch.bincount(ranks.clamp(max=len(self._ranks) - 1), minlength=len(self._ranks)).numpy()
        self._support += torch.bincount(labels, minlength=n_classes).numpy()
        self._right += torch.bincount(labels[ranks == 0], minlength=n_classes).numpy()
        if self._matrix is not None:
            np.add.at(self._matrix, (labels.numpy(), predicted.numpy()), 1)

    def _begin(self, n_classes: int) -> None:
        self._n_classes = n_classes
        self._spec.class_names(n_classes)  # their number is checked before any work
        self._ks = {k: name for k, name in TOP_K.items() if k <= n_classes}
        self._ranks = np.zeros(max(self._ks) + 1, dtype=np.int64)
        self._support, self._right = np.zeros(n_classes, dtype=np.int64), np.zeros(n_classes, dtype=np.int64)
        if n_classes <= MAX_MATRIX_CLASSES:
            self._matrix = np.zeros((n_classes, n_classes), dtype=np.int64)

    def compute(self) -> dict[str, float]:
        """Return loss and accuracies, and what the configuration adds."""
        n = int(self._ranks.sum())
        metrics = {"loss": self._loss.mean()}
        metrics |= {name: int(self._ranks[:k].sum()) / n for k, name in self._ks.items()}
        if self._config.per_class:
            # A class that does not occur has no accuracy, and gets no entry.
            occurring = np.flatnonzero(self._support)
            metrics |= {
                f"class_{index}_acc": int(self._right[index]) / int(self._support[index]) for index in occurring
            }
        if self._bins is not None:
            metrics |= {"ece": self._bins.ece(), "brier": self._bins.brier()}
        return metrics

    def intervals(self) -> dict[str, Interval | None]:
        """Return the intervals of loss and accuracies."""
        if not self._config.intervals:
            return {}
        rng = np.random.default_rng(self._config.seed)
        found = topk_intervals(self._ranks, list(self._ks), resamples=self._config.resamples, rng=rng)
        return {"loss": self._loss.interval(), **dict(zip(self._ks.values(), found, strict=True))}

    def further(self) -> dict[str, Any]:
        """Return what follows from the confusion matrix: kappa and the like, and precision, recall and F1 by class.

        Classes go by number, as in the predictions: kappa's weights depend on their order, which names would change.
        """
        if self._matrix is None:
            return {}
        # Classes that occur on neither side have no place in means over classes, as in scikit-learn.
        kept = np.flatnonzero(self._matrix.sum(axis=0) + self._matrix.sum(axis=1))
        counts = self._matrix[np.ix_(kept, kept)].astype(np.float64)
        return {
            **{name: value for name, value in from_counts(counts).items() if name != "accuracy"},
            "per_class": as_records([str(index) for index in kept], per_class_from_counts(counts)),
        }

    def details(self) -> dict[str, Any]:
        """Return counts, the confusion matrix (row: true class) and the calibration's bins."""
        n_classes = len(self._support)
        found: dict[str, Any] = {
            "n_examples": int(self._ranks.sum()),
            "class_names": self._spec.class_names(n_classes),
            "support": self._support.tolist(),
            "confusion_matrix": None if self._matrix is None else self._matrix.tolist(),
        }
        if self._matrix is None:
            found["warnings"] = [f"no confusion matrix: {n_classes} classes, more than {MAX_MATRIX_CLASSES}"]
        if self._bins is not None:
            found["calibration_bins"] = self._bins.table()
        return found

    def columns(self) -> Sequence[str]:
        """Return the header: every class's score where there are few, so that ROC curves can be computed."""
        n_classes = len(self._support)
        scores = [f"score_{index}" for index in range(n_classes)] if n_classes <= MAX_SCORE_COLUMNS else ["score"]
        return ["id", "true_label", "predicted_label", *scores]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per example: labels as class numbers, scores as probabilities."""
        probabilities = step.logits.detach().double().softmax(dim=1).cpu()
        predicted = first_classes(step.logits.detach()).cpu()
        if probabilities.shape[1] > MAX_SCORE_COLUMNS:
            probabilities = probabilities.gather(1, predicted[:, None])
        for one, true, guess, scores in zip(
            step.ids, step.labels.tolist(), predicted.tolist(), probabilities.tolist(), strict=True
        ):
            yield [one, str(true), str(guess), *(f"{score:.6f}" for score in scores)]

"""Metrics of semantic segmentation: a class for every pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Step
from exaid_evals.run_eval.counting import Confusion, Counting, Metrics, State
from exaid_evals.run_eval.ranking import checked_classes, checked_numbers
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec

REFINES = frozenset({"vision"})
TASK_TYPES = frozenset({"image_segmentation", "segmentation", "semantic_segmentation"})


class SegmentationMetrics(Counting):
    """Pixels by true and predicted class, over the whole set; those labelled `ignore_index` count for nothing.

    Means over classes are over those that occur in the truth or the prediction.
    """

    NAMES: ClassVar[Sequence[str]] = ("loss", "mean_iou", "dice", "pixel_accuracy", "mean_accuracy")

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        super().__init__(task_spec, config)
        self._confusion: Confusion | None = None

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N, C, H, W) and labels (N, H, W)."""
        n_classes = self.spec.num_classes
        if logits.dim() != 4 or labels.shape != (len(logits), *logits.shape[2:]):
            raise DataError(
                f"logits have the shape {tuple(logits.shape)} and labels {tuple(labels.shape)}, "
                "not (N, C, H, W) and (N, H, W)",
                where=where,
                remedy="take SegmentationAdapter, which brings logits to the size of the labels",
            )
        if n_classes not in (None, logits.shape[1]):
            raise DataError(
                f"the model has {logits.shape[1]} outputs, the task {n_classes} classes",
                where=where,
                remedy="correct output_schema.num_classes, or the model's last layer",
            )
        checked_numbers(logits, where)
        remedy = "number classes from 0, and say in output_schema.ignore_index which label marks what has none (255?)"
        checked_classes(labels[labels != self.spec.ignore_index], logits.shape[1], where, remedy)

    def update(self, step: Step) -> None:
        """Count a batch."""
        labels = step.labels.cpu().numpy().astype(np.int64)
        counted = labels != self.spec.ignore_index
        self.count_loss(step, int(counted.sum()))
        confusion = self._begun(step.logits.shape[1])
        confusion.add(labels[counted], _classes(step.logits)[counted])

    def _begun(self, n_classes: int) -> Confusion:
        if self._confusion is None:
            self.spec.class_names(n_classes)
            self.arrays["n_classes"] = np.zeros(n_classes, dtype=np.int64)
            self._confusion = Confusion(n_classes, self)
        return self._confusion

    def prepare(self, state: State) -> None:
        """Make room for as many classes as a state has."""
        if "n_classes" in state:
            self._begun(len(state["n_classes"]))

    def default(self) -> Sequence[str]:
        """Return all."""
        return self.NAMES

    def _shares(self) -> dict[str, NDArray[np.float64]]:
        """Return IoU, Dice and accuracy of each class; NaN where it does not occur."""
        right, truly, as_ = self._begun(0).margins()
        with np.errstate(invalid="ignore"):
            return {"iou": right / (truly + as_ - right), "dice": 2 * right / (truly + as_), "accuracy": right / truly}

    def available(self) -> Metrics:
        """Return the metrics.

        Raises:
            DataError: no pixel counts.
        """
        right, truly, _ = self._begun(0).margins()
        if not truly.sum():
            raise DataError("no pixel counts: all are ignored", remedy="check labels and output_schema.ignore_index")
        of = self._shares()
        return {
            "loss": self.mean_loss,
            "mean_iou": lambda: float(np.nanmean(of["iou"])),
            "dice": lambda: float(np.nanmean(of["dice"])),
            "pixel_accuracy": lambda: int(right.sum()) / int(truly.sum()),
            "mean_accuracy": lambda: float(np.nanmean(of["accuracy"])),
        }

    def further(self) -> dict[str, Any]:
        """Return IoU, Dice and accuracy by class."""
        of = self._shares()
        names = self.spec.class_names(len(of["iou"]))
        rows = zip(names, *(of[name].tolist() for name in ("iou", "dice", "accuracy")), strict=True)
        keys = ("iou", "dice", "recall")
        return {
            "per_class": {
                name: dict(zip(keys, values, strict=True)) for name, *values in rows if values[0] == values[0]
            }
        }

    def details(self) -> dict[str, Any]:
        """Return counts and the confusion of pixels."""
        return {**super().details(), **self._begun(0).described()}

    def columns(self) -> Sequence[str]:
        """Return the header: a row per image."""
        return ["id", "pixels", "pixel_accuracy", "mean_iou"]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per image: its pixels that count, and its metrics; nothing where none counts."""
        guesses = _classes(step.logits)
        for one, label, guess in zip(step.ids, step.labels.cpu().numpy(), guesses, strict=True):
            counted = label != self.spec.ignore_index
            true, predicted = label[counted], guess[counted]
            classes = np.union1d(true, predicted)
            ious = [((true == k) & (predicted == k)).sum() / ((true == k) | (predicted == k)).sum() for k in classes]
            shares = [f"{(true == predicted).mean():.6f}", f"{np.mean(ious):.6f}"] if len(true) else ["", ""]
            yield [one, str(len(true)), *shares]


def _classes(logits: Tensor) -> NDArray[np.int64]:
    """Return the class of the greatest logit at each pixel; NumPy's takes the lowest of equal ones."""
    found: NDArray[np.int64] = logits.detach().cpu().numpy().argmax(axis=1)
    return found


build = SegmentationMetrics

"""Metrics of several labels for each example, each yes or no."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Interval, Step
from exaid_evals.run_eval.calibration import best_thresholds, logit_of
from exaid_evals.run_eval.counting import Counting, Metrics, State, mean_area
from exaid_evals.run_eval.ranking import checked_numbers, first_classes
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec
from exaid_evals.stats.descriptive import wilson_interval

REFINES = frozenset({"vision", "text"})
TASK_TYPES = frozenset({"multi_label_classification", "multilabel_classification", "multi_label_image_classification"})


class MultiLabelMetrics(Counting):
    """Counts by label. A label is predicted where its probability, the logistic function of its logit, is over ½.

    `output_schema.threshold` is another limit, of all labels or a list of one for each. `real_accuracy` is the share of
    examples with a label whose greatest logit is one of theirs, for classifiers into one class that are held against
    all that is in a picture (L. Beyer, O. Hénaff, A. Kolesnikov, X. Zhai and A. van den Oord, *Are We Done with
    ImageNet?*, 2020).
    """

    NAMES: ClassVar[Sequence[str]] = (
        "loss",
        "f1_micro",
        "f1_macro",
        "precision_micro",
        "recall_micro",
        "subset_accuracy",
        "hamming_loss",
        "real_accuracy",
        "auroc",
        "average_precision",
    )

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        super().__init__(task_spec, config)
        self._curves = self.wants("auroc", "average_precision")
        self.arrays["shares"] = np.zeros(3, dtype=np.int64)
        """Examples with all labels right, with a label, and with the greatest logit at one of them."""
        self._cut = logit_of(task_spec.output_schema.get("threshold", 0.5))

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N, L) and labels (N, L) of 0 and 1."""
        expected = self.spec.num_classes
        if logits.dim() != 2 or logits.shape != labels.shape or expected not in (None, logits.shape[1]):
            raise DataError(
                f"logits have the shape {tuple(logits.shape)} and labels {tuple(labels.shape)}, not (N, "
                f"{expected or 'L'}) both",
                where=where,
                remedy="give each example a 0 or 1 for every label, and num_classes as many as there are",
            )
        if bool(((labels != 0) & (labels != 1)).any()):
            raise DataError(
                "labels are neither 0 nor 1", where=where, remedy="give 0 and 1, as whole numbers or floats"
            )
        checked_numbers(logits, where)

    def update(self, step: Step) -> None:
        """Count a batch."""
        logits = step.logits.detach().cpu()
        labels = step.labels.detach().cpu().numpy() != 0
        self.count_loss(step, step.n)
        self._make_room(labels.shape[1])
        predicted = logits.double().numpy() > self._cut
        counts = [(labels & predicted), (~labels & predicted), (labels & ~predicted)]
        self.arrays["counts"] += np.stack([one.sum(axis=0) for one in counts])
        some, first = labels.any(axis=1), labels[np.arange(len(labels)), first_classes(logits).numpy()]
        self.arrays["shares"] += ((predicted == labels).all(axis=1).sum(), some.sum(), first.sum())
        if self._curves:
            self.keep(step, scores=logits.numpy().astype(np.float32), label=labels)

    def _make_room(self, n_labels: int) -> None:
        self.arrays.setdefault("counts", np.zeros((3, n_labels), dtype=np.int64))

    def prepare(self, state: State) -> None:
        """Make room for as many labels as a state has."""
        if "counts" in state:
            self._make_room(state["counts"].shape[1])

    def default(self) -> Sequence[str]:
        """Return the usual ones."""
        return ("loss", "f1_micro", "f1_macro", "subset_accuracy", "hamming_loss")

    def available(self) -> Metrics:
        """Return the metrics; F1 of a label that neither occurs nor is predicted is 0, as in scikit-learn."""
        right, false, missed = self.arrays["counts"]
        tp, fp, fn = int(right.sum()), int(false.sum()), int(missed.sum())
        subset, some, first = self.arrays["shares"].tolist()
        found: Metrics = {
            "loss": self.mean_loss,
            "f1_micro": lambda: _ratio(2 * tp, 2 * tp + fp + fn),
            "f1_macro": lambda: float((2 * right / np.maximum(2 * right + false + missed, 1)).mean()),
            "precision_micro": lambda: _ratio(tp, tp + fp),
            "recall_micro": lambda: _ratio(tp, tp + fn),
            "subset_accuracy": lambda: subset / self.n_examples,
            "hamming_loss": lambda: (fp + fn) / (self.n_examples * len(right)),
            "real_accuracy": lambda: first / some if some else float("nan"),
        }
        if self._curves:
            found |= {name: partial(self._area, name) for name in ("auroc", "average_precision")}
        return found

    def _area(self, which: str) -> float:
        """Return the mean over labels that some examples have and some lack."""
        return mean_area(which, zip(self.column("label").T, self.column("scores").T, strict=True))

    def further_intervals(self) -> dict[str, Interval | None]:
        """Return those of shares of examples."""
        subset, some, first = self.arrays["shares"].tolist()
        return {
            "subset_accuracy": wilson_interval(subset, self.n_examples),
            "real_accuracy": wilson_interval(first, some),
        }

    def further(self) -> dict[str, Any]:
        """Return precision, recall and F1 of each label; None where undefined."""
        names = self.spec.class_names(self.arrays["counts"].shape[1])
        by_label = {}
        for name, right, false, missed in zip(names, *self.arrays["counts"].tolist(), strict=True):
            by_label[name] = {
                "precision": right / (right + false) if right + false else None,
                "recall": right / (right + missed) if right + missed else None,
                "f1": 2 * right / (2 * right + false + missed) if right + false + missed else None,
            }
        return {"per_class": by_label}

    def details(self) -> dict[str, Any]:
        """Return the counts, and where scores are kept the thresholds that would have been each label's best ones."""
        found = super().details()
        if self._curves:
            scores, labels = self.column("scores").astype(np.float64), self.column("label")
            probabilities = 0.5 * (1 + np.tanh(0.5 * scores))
            names = self.spec.class_names(labels.shape[1])
            found["best_thresholds"] = {
                name: best_thresholds(probabilities[:, at], labels[:, at]) for at, name in enumerate(names)
            }
        return found

    def columns(self) -> Sequence[str]:
        """Return the header: labels as their numbers, and each one's score where there are few."""
        n_labels = self.arrays["counts"].shape[1]
        few = self.spec.class_names(n_labels) if n_labels <= 100 else []
        return ["id", "true_label", "predicted_label", *(f"score_{name}" for name in few)]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per example, its labels joined by spaces."""
        logits = step.logits.detach().double().cpu()
        predicted, few = logits.numpy() > self._cut, logits.shape[1] <= 100
        for one, labels, guess, scores in zip(
            step.ids, step.labels.cpu().numpy() != 0, predicted, logits.sigmoid().tolist(), strict=True
        ):
            shown = (f"{score:.6f}" for score in scores) if few else ()
            yield [one, _listed(labels), _listed(guess), *shown]


def _listed(labels: NDArray[np.bool_]) -> str:
    return " ".join(str(one) for one in np.flatnonzero(labels))


def _ratio(above: int, below: int) -> float:
    return above / below if below else 0.0


build = MultiLabelMetrics

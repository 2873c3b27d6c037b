"""Metrics of classification into one class of several: loss, top-k accuracies, confusion, calibration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.run_eval.base import Interval, Step
from exaid_evals.run_eval.calibration import CalibrationBins, RiskCoverage
from exaid_evals.run_eval.counting import Confusion, Counting, Metrics, State, mean_area
from exaid_evals.run_eval.ranking import checked_labels, checked_logits, first_classes, label_ranks
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec
from exaid_evals.runs.files import classification
from exaid_evals.stats.descriptive import wilson_interval

WORDS = frozenset({"image", "vision"})
REFINES = frozenset({"text"})
TASK_TYPES = frozenset(
    {
        "natural_language_inference",
        "sentiment_analysis",
        "sentiment_classification",
        "sequence_classification",
        "text_classification",
        "topic_classification",
    }
)
TOP_K = (1, 3, 5)
MAX_SCORE_COLUMNS = 100
"""With more classes a prediction's row holds the score of the predicted class alone."""
_TOP = re.compile(r"top([1-9]\d{0,4})_accuracy")


def top_k_name(k: int) -> str:
    """Return the name of a top-k accuracy."""
    return "accuracy" if k == 1 else f"top{k}_accuracy"


class ClassificationMetrics(Counting):
    """Counts over a set of classified examples."""

    NAMES: ClassVar[Sequence[str]] = (
        "loss",
        *(top_k_name(k) for k in TOP_K),
        "balanced_accuracy",
        "balanced_accuracy_adjusted",
        "f1_macro",
        "f1_weighted",
        "precision_macro",
        "recall_macro",
        "mcc",
        "kappa",
        "auroc",
        "average_precision",
        "ece",
        "brier",
        "aurc",
        "eaurc",
    )

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        super().__init__(task_spec, config)
        self._ks = sorted({*TOP_K, *(int(m[1]) for name in config.metrics or () if (m := _TOP.fullmatch(name)))})
        self._bins = (
            CalibrationBins(config.calibration_bins, self) if config.calibration or self.wants("ece", "brier") else None
        )
        self._curves = self.wants("auroc", "average_precision")
        self._selective = config.selective or self.wants("aurc", "eaurc")
        self._confusion: Confusion | None = None

    def knows(self, name: str) -> bool:
        """Return whether a metric can be asked for: any top-k accuracy, too."""
        return super().knows(name) or _TOP.fullmatch(name) is not None

    @property
    def n_classes(self) -> int:
        """How many classes there are; of the task, else as the first logits say."""
        return len(self.arrays["support"])

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N, C) and labels (N,)."""
        checked_labels(labels, checked_logits(logits, self.spec.num_classes, where), where)

    def update(self, step: Step) -> None:
        """Count a batch; what can fail comes before the first count changes."""
        logits, labels = step.logits.detach(), step.labels.detach().long()
        if self._confusion is None:
            self._begin(logits.shape[1])
        self.count_loss(step, step.n)
        decided = self.decided(logits)
        ranks, predicted, labels = (one.cpu() for one in (label_ranks(decided, labels), first_classes(decided), labels))
        if self._bins is not None or self._curves or self._selective:
            self._weigh(logits.double().softmax(dim=1).cpu(), predicted, labels, step)
        ranked = self.arrays["ranks"]
        ranked += np.bincount(ranks.numpy().clip(max=len(ranked) - 1), minlength=len(ranked))
        self.arrays["support"] += np.bincount(labels.numpy(), minlength=self.n_classes)
        self._counted().add(labels.numpy(), predicted.numpy())

    def decided(self, logits: Tensor) -> Tensor:
        """Return the logits whose greatest is the prediction."""
        return logits

    def _weigh(self, probabilities: Tensor, predicted: Tensor, labels: Tensor, step: Step) -> None:
        """Count what depends on how sure the model was."""
        if self._bins is not None:
            self._bins.add(probabilities, predicted, labels, step.numbers)
        kept: dict[str, NDArray[Any]] = {}
        if self._selective:
            kept["confidence"] = probabilities.gather(1, predicted[:, None])[:, 0].numpy()
            kept["right"] = (predicted == labels).numpy()
        if self._curves:
            kept |= {"scores": probabilities.float().numpy(), "label": labels.numpy().astype(np.int32)}
        if kept:
            self.keep(step, **kept)

    def _begin(self, n_classes: int) -> None:
        self.spec.class_names(n_classes)  # their number is checked before any work
        self._ks = [k for k in self._ks if k <= n_classes]
        self.arrays["ranks"] = np.zeros(max(self._ks) + 1, dtype=np.int64)
        self.arrays["support"] = np.zeros(n_classes, dtype=np.int64)
        self._confusion = Confusion(n_classes, self)

    def prepare(self, state: State) -> None:
        """Make room for as many classes as a state has."""
        if self._confusion is None and "support" in state:
            self._begin(len(state["support"]))

    def _counted(self) -> Confusion:
        if self._confusion is None:
            raise AssertionError("nothing was counted")
        return self._confusion

    def default(self) -> Sequence[str]:
        """Return loss and accuracies, and what the configuration adds."""
        names = ["loss", *(top_k_name(k) for k in self._ks)]
        if self.config.per_class:
            # A class that does not occur has no accuracy, and gets no entry.
            names += [f"class_{index}_acc" for index in np.flatnonzero(self.arrays["support"])]
        return [
            *names,
            *(["ece", "brier"] if self._bins is not None else []),
            *(["aurc", "eaurc"] if self._selective else []),
        ]

    def available(self) -> Metrics:
        """Return the metrics; F1 and the like are over classes that occur on either side, as in scikit-learn."""
        found: Metrics = {"loss": self.mean_loss}
        for k in self._ks:
            found[top_k_name(k)] = found[f"top{k}_accuracy"] = partial(self._top, k)
        right, truly, predicted = self._counted().margins()
        kept = np.flatnonzero(truly + predicted)
        recall = right[truly > 0] / truly[truly > 0]
        f1 = 2 * right / np.maximum(truly + predicted, 1)
        found |= {
            "balanced_accuracy": lambda: float(recall.mean()),
            "balanced_accuracy_adjusted": lambda: _number(self._of_confusion()["balanced_accuracy_adjusted"]),
            "f1_macro": lambda: float(f1[kept].mean()),
            "f1_weighted": lambda: float((f1 * truly).sum() / truly.sum()),
            "precision_macro": lambda: float((right / np.maximum(predicted, 1))[kept].mean()),
            "recall_macro": lambda: float(recall.sum() / len(kept)),
            "mcc": lambda: _matthews(right, truly, predicted),
            "kappa": lambda: _number(self._of_confusion()["kappa"]),
        }
        if self.config.per_class:
            shares = {index: int(right[index]) / int(truly[index]) for index in np.flatnonzero(truly)}
            found |= {f"class_{index}_acc": partial(float, share) for index, share in shares.items()}
        if self._bins is not None:
            found |= {"ece": self._bins.ece, "brier": self._bins.brier}
        if self._selective:
            found |= {"aurc": lambda: self._risk().aurc(), "eaurc": lambda: self._risk().excess()}
        if self._curves:
            found |= {name: partial(self._area, name) for name in ("auroc", "average_precision")}
        return found

    def _risk(self) -> RiskCoverage:
        return RiskCoverage(self.column("confidence"), self.column("right"))

    def _top(self, k: int) -> float:
        return int(self.arrays["ranks"][:k].sum()) / self.n_examples

    def _area(self, which: str) -> float:
        """Return the mean over classes that occur and are not all, each against the rest; of two that of the second."""
        scores, labels = self.column("scores"), self.column("label")
        classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
        return mean_area(which, ((labels == one, scores[:, one]) for one in classes))

    def further_intervals(self) -> dict[str, Interval | None]:
        """Return the intervals of accuracies, as Wilson has them, and of the calibration error."""
        ranks, n = self.arrays["ranks"], self.n_examples
        found: dict[str, Interval | None] = {
            top_k_name(k): wilson_interval(int(ranks[:k].sum()), n) if n > 1 else None for k in self._ks
        }
        return found | ({"ece": self._bins.interval()} if self._bins is not None else {})

    def _names(self) -> list[str]:
        """Return what classes are called in files: their names where each has one of its own, else their numbers."""
        names = [name.strip() for name in self.spec.class_names(self.n_classes)]
        return names if len(set(names)) == len(names) and all(names) else [str(one) for one in range(self.n_classes)]

    def _of_confusion(self) -> dict[str, float | None]:
        true, predicted, counts = self._counted().triplets()
        right, truly, as_ = self._counted().margins()
        kept = np.flatnonzero(truly + as_)
        # kappa's weights go by the places of the classes that occur, as in scikit-learn.
        place = np.zeros(self.n_classes, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        observed = float(((place[true] - place[predicted]) ** 2 * counts).sum())
        columns = [one[kept].astype(float).tolist() for one in (right, truly, as_)]
        return classification.from_margins(columns[0], columns[1], columns[2], observed)

    def further(self) -> dict[str, Any]:
        """Return what follows from the confusion matrix: kappa and the like, and precision, recall and F1 by class."""
        right, truly, as_ = self._counted().margins()
        kept = np.flatnonzero(truly + as_)
        names = self._names()
        columns = [one[kept].astype(float).tolist() for one in (right, truly, as_)]
        by_class = classification.per_class_from_margins(*columns)
        return {
            **{name: value for name, value in self._of_confusion().items() if name != "accuracy"},
            "per_class": classification.as_records([names[index] for index in kept], by_class),
        }

    def details(self) -> dict[str, Any]:
        """Return counts, the confusion matrix (row: true class) and the calibration's bins."""
        found = {
            **super().details(),
            "class_names": self.spec.class_names(self.n_classes),
            "support": self.arrays["support"].tolist(),
            **self._counted().described(),
        }
        if self._bins is not None:
            found["calibration_bins"] = self._bins.table()
        if self._selective:
            risk = self._risk()
            found["selective"] = {**risk.table(), "curve": risk.curve()}
        return found

    def columns(self) -> Sequence[str]:
        """Return the header: every class's score where there are few, so that ROC curves can be computed."""
        few = self.n_classes <= MAX_SCORE_COLUMNS
        scores = [f"score_{name}" for name in self._names()] if few else ["score"]
        return ["id", "true_label", "predicted_label", *scores]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per example: labels as in the tables, scores as probabilities."""
        names = self._names()
        probabilities = step.logits.detach().double().softmax(dim=1).cpu()
        predicted = first_classes(self.decided(step.logits.detach())).cpu()
        if probabilities.shape[1] > MAX_SCORE_COLUMNS:
            probabilities = probabilities.gather(1, predicted[:, None])
        for one, true, guess, scores in zip(
            step.ids, step.labels.tolist(), predicted.tolist(), probabilities.tolist(), strict=True
        ):
            yield [one, names[true], names[guess], *(f"{score:.6f}" for score in scores)]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _matthews(right: NDArray[np.int64], truly: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return Gorodkin's R_K, Matthews' correlation for several classes; 0 where all are of, or predicted as, one class.

    Source: J. Gorodkin, *Comparing Two K-Category Assignments by a K-Category Correlation Coefficient* (2004).
    """
    n = int(truly.sum())
    # In Python's numbers, which do not overflow.
    t, p = [int(one) for one in truly], [int(one) for one in predicted]
    covariance = int(right.sum()) * n - sum(a * b for a, b in zip(t, p, strict=True))
    spread = (n * n - sum(one * one for one in p)) * (n * n - sum(one * one for one in t))
    return float(covariance / spread**0.5) if spread else 0.0


build = ClassificationMetrics

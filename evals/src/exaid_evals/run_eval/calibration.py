"""How sure a model was, and how often it was right: calibration, selective accuracy, thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.errors import ConfigError
from exaid_evals.run_eval.base import Interval
from exaid_evals.run_eval.counting import Counting
from exaid_evals.stats.descriptive import wilson_interval

Floats = NDArray[np.float64]
COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
ACCURACIES = (0.9, 0.95, 0.99, 0.999)


class CalibrationBins:
    """Counts by bins of confidence, of equal width."""

    def __init__(self, bins: int, owner: Counting) -> None:
        self._edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
        self._sums = owner.arrays["calibration"] = np.zeros((3, bins))
        """Rows: how many, sum of confidences, how many right."""
        self._brier = owner.arrays["brier"] = np.zeros(1)
        self._resampled = owner.resampled("calibration", bins + 1)

    def add(self, probabilities: Tensor, predicted: Tensor, labels: Tensor, numbers: NDArray[np.int64]) -> None:
        """Count a batch.

        Args:
            probabilities: shape (N, C), float64, on the CPU.
            predicted: shape (N,).
            labels: shape (N,).
            numbers: shape (N,), the examples' places in the set.
        """
        confidence = probabilities.gather(1, predicted[:, None])[:, 0]
        n_bins = self._sums.shape[1]
        # Bins are closed below, as torchmetrics has them; a confidence of 1 belongs to the last.
        index = torch.bucketize(confidence, self._edges, right=True).sub(1).clamp(0, n_bins - 1).numpy()
        right = (predicted == labels).numpy().astype(np.float64)
        for row, weights in enumerate((np.ones_like(right), confidence.numpy(), right)):
            self._sums[row] += np.bincount(index, weights=weights, minlength=n_bins)
        # Σ_c (p_c − y_c)² without the matrix of y.
        of_label = probabilities.gather(1, labels[:, None])[:, 0]
        self._brier += float((torch.linalg.vecdot(probabilities, probabilities) - 2 * of_label + 1).sum())
        if self._resampled is not None:
            values = np.zeros((n_bins + 1, len(index)))
            values[index, np.arange(len(index))] = right - confidence.numpy()
            values[-1] = 1
            self._resampled.add(values, numbers)

    def ece(self) -> float:
        """Return the expected calibration error: the mean of |share right − mean confidence| weighted by bin size.

        Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, *On Calibration of Modern Neural Networks* (2017).
        """
        n, confidence, right = self._sums
        return float(np.abs(right - confidence).sum() / n.sum())

    def interval(self) -> Interval | None:
        """Return the 95 % bootstrap interval of the error.

        A resample's error is biased upwards, since noise is counted as miscalibration too: the interval is moved down
        by the mean excess of the resamples over the error that was found, and ends at 0.
        """
        if self._resampled is None:
            return None
        found = self._resampled.interval(
            lambda sums: np.abs(sums[:-1]).sum(axis=0) / sums[-1], defined=self._resampled.sums[-1] > 0
        )
        if found is None:
            return None
        sums = self._resampled.sums
        excess = float((np.abs(sums[:-1]).sum(axis=0) / sums[-1]).mean()) - self.ece()
        return max(0.0, found[0] - excess), max(0.0, found[1] - excess)

    def brier(self) -> float:
        """Return the mean over examples of Σ_c (p_c − y_c)², between 0 and 2 (G. W. Brier 1950)."""
        return float(self._brier[0] / self._sums[0].sum())

    def table(self) -> list[dict[str, Any]]:
        """Return a row per bin: bounds, count, mean confidence, and share right with its interval as Wilson has it."""
        edges = self._edges.tolist()
        rows = []
        for index, (n, confidence, right) in enumerate(self._sums.T):
            low, high = wilson_interval(int(right), int(n)) or (None, None)
            rows.append(
                {
                    "low": edges[index],
                    "high": edges[index + 1],
                    "n": int(n),
                    "confidence": float(confidence / n) if n else None,
                    "accuracy": float(right / n) if n else None,
                    "accuracy_ci95_low": low,
                    "accuracy_ci95_high": high,
                }
            )
        return rows


class RiskCoverage:
    """What accuracy is left where a model answers only what it is surest of.

    Source: Y. Geifman and R. El-Yaniv, *Selective Classification for Deep Neural Networks* (2017). Examples of equal
    confidence share their errors evenly, so that their order changes nothing.
    """

    def __init__(self, confidence: Floats, right: NDArray[np.bool_]) -> None:
        """Begin with the confidence in each answer (N,), N ≥ 1, and whether it was right (N,)."""
        self.thresholds, group = np.unique(-confidence, return_inverse=True)
        self.thresholds = -self.thresholds
        sizes = np.bincount(group.ravel())
        wrong = np.bincount(group.ravel(), weights=~right)
        self._n = len(right)
        self._ends = np.cumsum(sizes)
        """How many examples have at least each threshold's confidence."""
        self._errors = np.cumsum(np.repeat(wrong / sizes, sizes))
        self._right = self._ends - np.cumsum(wrong)

    def aurc(self) -> float:
        """Return the area under the curve: the mean, over 1 … N answers, of the share that is wrong."""
        return float((self._errors / np.arange(1, self._n + 1)).mean())

    def excess(self) -> float:
        """Return by how much the area is above the least for as many errors (E-AURC of Geifman and others, 2019)."""
        n_right = round(self._n - float(self._errors[-1]))
        rest = np.arange(n_right + 1, self._n + 1)
        return self.aurc() - float(((rest - n_right) / rest).sum()) / self._n

    def table(self) -> dict[str, Any]:
        """Return accuracy by coverage, and what reaches an accuracy.

        For a coverage the least threshold that answers at most so many, never separating equals; for an accuracy the
        threshold that answers most; None where none does.
        """
        places = [np.searchsorted(self._ends, share * self._n + 1e-9, side="right") - 1 for share in COVERAGES]
        rows = [self._row(int(at)) for at in places]
        reached = []
        for accuracy in ACCURACIES:
            enough = np.flatnonzero(self._right >= accuracy * self._ends - 1e-9)
            reached.append({"wanted": accuracy, **self._row(int(enough[-1]) if len(enough) else -1)})
        return {
            "by_coverage": [{"wanted": c, **row} for c, row in zip(COVERAGES, rows, strict=True)],
            "by_accuracy": reached,
        }

    def _row(self, at: int) -> dict[str, Any]:
        if at < 0:
            return {"threshold": None, "n": 0, "coverage": 0.0, "accuracy": None}
        n = int(self._ends[at])
        return {
            "threshold": float(self.thresholds[at]),
            "n": n,
            "coverage": n / self._n,
            "accuracy": float(self._right[at] / n),
        }

    def curve(self, points: int = 100) -> list[tuple[float, float]]:
        """Return some points of the curve, (coverage, share wrong), the last at full coverage."""
        at = np.unique(np.linspace(0, self._n - 1, min(points, self._n)).round().astype(int))
        return [(float((k + 1) / self._n), float(self._errors[k] / (k + 1))) for k in at]


def best_thresholds(scores: Floats, positive: NDArray[np.bool_]) -> dict[str, dict[str, float] | None]:
    """Return the thresholds of a yes (score > threshold) with the best F1, and with the best J of Youden (1950).

    Each lies in the middle between two scores, of equally good ones the highest. They are chosen on the set that they
    are shown for, and do better there than elsewhere. None where all examples are of one class.

    Args:
        scores: shape (N,), probabilities of yes.
        positive: shape (N,), whether it is so.
    """
    if not len(positive) or positive.all() or not positive.any():
        return {"f1": None, "youden": None}
    values = np.unique(scores)
    order = np.sort(scores[positive])
    tp = len(order) - np.searchsorted(order, values)
    others = np.sort(scores[~positive])
    fp = len(others) - np.searchsorted(others, values)
    f1 = 2 * tp / (tp + fp + len(order))
    youden = tp / len(order) - fp / len(others)
    found: dict[str, dict[str, float] | None] = {}
    for name, of in (("f1", f1), ("youden", youden)):
        at = int(np.flatnonzero(of >= of.max() - 1e-12)[-1])
        found[name] = {
            "threshold": float((values[at] + (values[at - 1] if at else 0.0)) / 2),
            "f1": float(f1[at]),
            "youden": float(youden[at]),
            "precision": float(tp[at] / (tp[at] + fp[at])),
            "recall": float(tp[at] / len(order)),
        }
    return found


def logit_of(threshold: Any, *, several: bool = True) -> Floats:
    """Return the logits of a threshold, which is a probability, or of a list with one for each label.

    Raises:
        ConfigError: it is something else.
    """
    values = np.asarray(threshold, dtype=np.float64)
    if values.ndim > int(several) or not bool(((values > 0) & (values < 1)).all()):
        raise ConfigError(
            f"is {threshold!r}", where="output_schema.threshold", remedy="give a number between 0 and 1, or a list"
        )
    return np.asarray(np.log(values / (1 - values)))

"""How sure a model was, and how often it was right."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.run_eval.base import Interval
from exaid_evals.run_eval.counting import Counting


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

    def table(self) -> list[dict[str, float | int | None]]:
        """Return a row per bin: bounds, count, mean confidence and share right (None where it is empty)."""
        edges = self._edges.tolist()
        return [
            {
                "low": edges[index],
                "high": edges[index + 1],
                "n": int(n),
                "confidence": float(confidence / n) if n else None,
                "accuracy": float(right / n) if n else None,
            }
            for index, (n, confidence, right) in enumerate(self._sums.T)
        ]

"""Calibration from sums over bins: expected calibration error and Brier score."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


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

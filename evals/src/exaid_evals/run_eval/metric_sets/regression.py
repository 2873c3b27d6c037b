"""Metrics of numbers that are predicted. Every pair of numbers is kept: 16 bytes an example and output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Step
from exaid_evals.run_eval.counting import Counting, Metrics
from exaid_evals.run_eval.ranking import checked_numbers

Floats = NDArray[np.float64]
REFINES = frozenset({"vision", "text"})
TASK_TYPES = frozenset({"regression", "image_regression", "text_regression", "semantic_textual_similarity"})


class RegressionMetrics(Counting):
    """Pairs of a true and a predicted number, of one or several outputs; metrics are means over outputs."""

    NAMES: ClassVar[Sequence[str]] = ("loss", "mse", "rmse", "mae", "r2", "pearson", "spearman")

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check outputs and labels (N,) or (N, D)."""
        predicted, true = _columns(logits), _columns(labels)
        if predicted.dim() != 2 or predicted.shape != true.shape:
            raise DataError(
                f"outputs have the shape {tuple(logits.shape)} and labels {tuple(labels.shape)}, not (N, D) both",
                where=where,
                remedy="have the model return as many numbers as an example has",
            )
        checked_numbers(predicted, where)
        if not bool(true.isfinite().all()):
            raise DataError("labels are NaN or infinite", where=where, remedy="leave such examples out")

    def update(self, step: Step) -> None:
        """Count a batch."""
        self.count_loss(step, step.n)
        predicted, true = (_columns(one.detach()).double().cpu().numpy() for one in (step.logits, step.labels))
        self.keep(step, predicted=predicted, true=true)

    def default(self) -> Sequence[str]:
        """Return all but the correlation of ranks."""
        return self.NAMES[:-1]

    def available(self) -> Metrics:
        """Return the metrics; NaN where the truth, or for correlations the prediction, does not vary."""
        true, predicted = self.column("true"), self.column("predicted")
        of: dict[str, Callable[[Floats, Floats], float]] = {
            "mse": lambda y, p: float(np.square(p - y).mean()),
            "rmse": lambda y, p: float(np.sqrt(np.square(p - y).mean())),
            "mae": lambda y, p: float(np.abs(p - y).mean()),
            "r2": _determination,
            "pearson": _pearson,
            "spearman": _spearman,
        }
        return {"loss": self.mean_loss} | {name: partial(_mean, one, true, predicted) for name, one in of.items()}

    def columns(self) -> Sequence[str]:
        """Return the header."""
        width = self.kept["true"][0].shape[1]
        if width == 1:
            return ["id", "true", "predicted"]
        return ["id", *(f"{what}_{index}" for index in range(width) for what in ("true", "predicted"))]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per example."""
        true, predicted = _columns(step.labels).tolist(), _columns(step.logits.detach()).tolist()
        for one, ys, ps in zip(step.ids, true, predicted, strict=True):
            yield [one, *(f"{value:.6g}" for pair in zip(ys, ps, strict=True) for value in pair)]


def _columns(values: Tensor) -> Tensor:
    return values[:, None] if values.dim() == 1 else values


def _mean(of: Callable[[Floats, Floats], float], true: Floats, predicted: Floats) -> float:
    return float(np.mean([of(true[:, one], predicted[:, one]) for one in range(true.shape[1])]))


def _determination(true: Floats, predicted: Floats) -> float:
    """Return R² = 1 − Σ (y − p)² / Σ (y − ȳ)²."""
    spread = float(np.square(true - true.mean()).sum())
    return 1 - float(np.square(true - predicted).sum()) / spread if spread else float("nan")


def _pearson(true: Floats, predicted: Floats) -> float:
    y, p = true - true.mean(), predicted - predicted.mean()
    spread = float(np.sqrt(np.square(y).sum() * np.square(p).sum()))
    return float((y * p).sum()) / spread if spread else float("nan")


def _spearman(true: Floats, predicted: Floats) -> float:
    """Return Pearson's correlation of the ranks, equal values having their mean rank."""
    from scipy.stats import rankdata

    return _pearson(rankdata(true), rankdata(predicted))


build = RegressionMetrics

"""Metrics of yes or no from one logit: those of two classes, of which the second has the logit and the first 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import MetricSet, Step
from exaid_evals.run_eval.calibration import best_thresholds, logit_of
from exaid_evals.run_eval.metric_sets.vision import ClassificationMetrics
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec

REFINES = frozenset({"vision", "text"})
TASK_TYPES = frozenset({"binary_classification", "binary_image_classification", "binary_text_classification"})


def build(task_spec: TaskSpec, config: EvalConfig) -> MetricSet:
    """Return an empty set."""
    schema = {**task_spec.output_schema, "num_classes": 2}
    return BinaryMetrics(replace(task_spec, output_schema=schema), config)


class BinaryMetrics(ClassificationMetrics):
    """Counts over examples of two classes; `auroc` and `average_precision` are those of the second, 1.

    That is predicted where its probability is over ½, or over `output_schema.threshold`.
    """

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        super().__init__(task_spec, config)
        self._cut = float(logit_of(task_spec.output_schema.get("threshold", 0.5), several=False))

    def decided(self, logits: Tensor) -> Tensor:
        """Return the logits whose greatest is the prediction."""
        return logits - torch.tensor([0.0, self._cut], device=logits.device) if self._cut else logits

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N,), (N, 1) or (N, 2), and labels (N,) or (N, 1) of 0 and 1, which may be floats."""
        super().check(_two(logits), _whole(labels, where), where)

    def update(self, step: Step) -> None:
        """Count a batch."""
        super().update(_as_two(step))

    def details(self) -> dict[str, Any]:
        """Return the counts, and where scores are kept the thresholds that would have been the best ones."""
        found = super().details()
        if self._curves:
            scores = self.column("scores")[:, 1].astype(float)
            found["best_thresholds"] = best_thresholds(scores, self.column("label") == 1)
        return found

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per example."""
        return super().rows(_as_two(step))


def _as_two(step: Step) -> Step:
    return replace(step, logits=_two(step.logits), labels=_whole(step.labels, step.where))


def _two(logits: Tensor) -> Tensor:
    """Return the logits of both classes: the softmax of (0, z) is the logistic function of z."""
    if logits.dim() == 2 and logits.shape[1] == 1:
        logits = logits[:, 0]
    return torch.stack([torch.zeros_like(logits), logits], dim=1) if logits.dim() == 1 else logits


def _whole(labels: Tensor, where: str) -> Tensor:
    if labels.dim() == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    found = labels.long()
    if bool((found != labels).any()):
        raise DataError("labels are neither 0 nor 1", where=where, remedy="give 0 and 1, as whole numbers or floats")
    return found

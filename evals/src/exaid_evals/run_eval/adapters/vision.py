"""Adapters for image classifiers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from exaid_evals.run_eval.batches import inputs_of, labels_of, logits_of
from exaid_evals.run_eval.spec import TaskSpec


class VisionClassificationAdapter:
    """For a plain `nn.Module`: `model(images) -> logits [N, C]`; the loss is cross-entropy."""

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the batch's images."""
        return model(inputs_of(batch, task_spec))

    def labels(self, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the class numbers, shape (N,)."""
        return labels_of(batch, task_spec)

    def logits(self, outputs: Any) -> Tensor:
        """Return the logits, shape (N, C)."""
        return logits_of(outputs)

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean cross-entropy of the batch in nats."""
        return nn.functional.cross_entropy(self.logits(outputs), self.labels(batch, task_spec).long())


class TimmAdapter(VisionClassificationAdapter):
    """For models of timm: logits, or for distilled ones a pair of heads, whose mean is the prediction."""

    def logits(self, outputs: Any) -> Tensor:
        """Return the logits, of several heads their mean, as timm's distilled models do at inference."""
        if isinstance(outputs, list | tuple):
            return torch.stack([logits_of(head) for head in outputs]).mean(dim=0)
        return logits_of(outputs)


class TorchvisionAdapter(VisionClassificationAdapter):
    """For models of torchvision: logits, or a named tuple of logits and auxiliary heads (Inception, GoogLeNet).

    Auxiliary heads are left out of predictions and loss, as torchvision does at inference.
    """


class TransformersVisionAdapter(VisionClassificationAdapter):
    """For image classifiers of transformers: `model(pixel_values=…)`, whose output has `.logits`."""

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model by keyword; the labels stay with us, so that the loss is aggregated over the whole set."""
        return model(pixel_values=inputs_of(batch, task_spec))

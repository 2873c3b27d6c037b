"""Adapters for tasks whose loss is not the cross-entropy of one class for each example."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from exaid_evals.run_eval.adapters.vision import VisionClassificationAdapter
from exaid_evals.run_eval.batches import inputs_of, labels_of, logits_of
from exaid_evals.run_eval.spec import TaskSpec


class TransformersClassificationAdapter(VisionClassificationAdapter):
    """For classifiers of transformers, of texts or images: called by keyword with all of the batch that they take.

    The labels stay with us, so that the loss is aggregated over the whole set.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the entries of a mapping that its `forward` names; where it names none, on the inputs."""
        whole = model.module if isinstance(getattr(model, "module", None), nn.Module) else model
        takes = set(inspect.signature(whole.forward).parameters) - {"labels"}
        named = {name: batch[name] for name in takes if name in batch} if isinstance(batch, Mapping) else {}
        return model(**named) if named else model(inputs_of(batch, task_spec))


class LogisticAdapter(TransformersClassificationAdapter):
    """For one logit for each label, or one of yes or no: the loss is binary cross-entropy."""

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean over examples and labels in nats."""
        logits, labels = self.logits(outputs), self.labels(batch, task_spec)
        return nn.functional.binary_cross_entropy_with_logits(logits, labels.reshape(logits.shape).to(logits.dtype))


class RegressionAdapter(TransformersClassificationAdapter):
    """For numbers: the loss is the mean squared error."""

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean over examples and outputs."""
        predicted, labels = self.logits(outputs), self.labels(batch, task_spec)
        return nn.functional.mse_loss(predicted, labels.reshape(predicted.shape).to(predicted.dtype))


class SegmentationAdapter(VisionClassificationAdapter):
    """For a class for every pixel: `model(images)` → logits [N, C, H, W], or what holds them as `logits` or `out`.

    Logits of another size than the labels, as SegFormer's are, are brought to it bilinearly, as transformers does.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model, and return logits of the labels' size."""
        by_keyword = isinstance(batch, Mapping) and "pixel_values" in batch
        images = inputs_of(batch, task_spec)
        logits = logits_of(model(pixel_values=images) if by_keyword else model(images))
        size = labels_of(batch, task_spec).shape[-2:]
        if logits.dim() != 4 or logits.shape[2:] == size:
            return logits
        return nn.functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean cross-entropy over the pixels that count, in nats."""
        labels = self.labels(batch, task_spec).long()
        return nn.functional.cross_entropy(self.logits(outputs), labels, ignore_index=task_spec.ignore_index)

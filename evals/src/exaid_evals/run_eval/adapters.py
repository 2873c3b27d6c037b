"""Adapters: how models of different libraries are called. To add one, add a class, and a line in registry.py."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from exaid_evals.errors import DataError
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


_ALIGNED_KEYS = ("targets", "target", "y")
_FURTHER_KEYS = ("attention_mask", "position_ids", "token_type_ids")


class CausalLMAdapter:
    """For a plain `nn.Module`: `model(input_ids [N, T]) -> logits [N, T, V]`, each position predicting the next token.

    Three forms of a batch:

    - a mapping with `input_ids` and perhaps `labels` and `attention_mask`: labels stand beside their own tokens, as in
      transformers, and are shifted here; without them the inputs are the labels, but for masked positions;
    - a mapping with `input_ids` and `targets`: targets are the next tokens already;
    - a pair (inputs, targets): likewise.

    Labels equal to the task's `ignore_index` (−100) count for nothing, and neither does padding on either side. What
    else `forward` names is passed on: `attention_mask`, `position_ids`, `token_type_ids`.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the batch's tokens."""
        return model(inputs_of(batch, task_spec), **_further_inputs(model, batch, others=False))

    def labels(self, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the token that each position is to predict, shape (N, T); ignored where there is none."""
        if not isinstance(batch, Mapping) or any(key in batch for key in _ALIGNED_KEYS):
            return labels_of(batch, task_spec).long()
        if "labels" in batch or "label_key" in task_spec.output_schema:
            own = labels_of(batch, task_spec).long()
        else:
            own = inputs_of(batch, task_spec).long()
        following = own[:, 1:]
        mask = batch.get("attention_mask")
        if mask is not None:
            # Padding predicts nothing: on the left of a text it stands before the first token.
            following = following.masked_fill((mask[:, 1:] == 0) | (mask[:, :-1] == 0), task_spec.ignore_index)
        # The last position has no next token.
        return nn.functional.pad(following, (0, 1), value=task_spec.ignore_index)

    def logits(self, outputs: Any) -> Tensor:
        """Return the logits, shape (N, T, V)."""
        return logits_of(outputs)

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean cross-entropy over the batch's tokens in nats; NaN where all are ignored."""
        labels, logits = self.labels(batch, task_spec), self.logits(outputs)
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=task_spec.ignore_index)


class TransformersCausalLMAdapter(CausalLMAdapter):
    """For causal language models of transformers: `model(input_ids=…, attention_mask=…)`, with `.logits`."""

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model by keyword; the labels stay with us, so that the loss is aggregated over all tokens."""
        return model(input_ids=inputs_of(batch, task_spec), **_further_inputs(model, batch, others=True))


def _further_inputs(model: nn.Module, batch: Any, *, others: bool) -> dict[str, Tensor]:
    """Return what a batch holds beside its tokens and the model takes: mask, positions, types of tokens.

    Texts that are padded on the left get the positions that they have alone, where the model takes any: without them a
    text's numbers would depend on the longest of its batch.

    Args:
        model: whose `forward` says what it takes.
        batch: a mapping, or something else, which holds nothing further.
        others: pass on what a `forward(**kwargs)` does not name, too.
    """
    if not isinstance(batch, Mapping):
        return {}
    while isinstance(getattr(model, "module", None), nn.Module):  # wrapped for several processes
        model = model.module
    takes = inspect.signature(model.forward).parameters
    any_name = others and any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
    found = {name: batch[name] for name in _FURTHER_KEYS if name in batch and (name in takes or any_name)}
    mask = batch.get("attention_mask")
    if "position_ids" not in batch and "position_ids" in takes and mask is not None and bool((mask[:, 0] == 0).any()):
        found["position_ids"] = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
    return found


class DetectionAdapter:
    """For detectors as torchvision's: `model(images)` of a list of images → a mapping for each, with boxes and scores.

    A batch is a pair (images, targets), or a mapping with `image` and `target` or their plurals: a list of each.
    A detector that is evaluated gives no loss, which is NaN then and left out of the metrics.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the list of the batch's images."""
        return model(list(self._part(batch, 0, ("images", "image", "pixel_values", "inputs"))))

    def labels(self, batch: Any, task_spec: TaskSpec) -> Any:
        """Return the targets, a mapping for each image."""
        return list(self._part(batch, 1, ("targets", "target", "labels", "annotations")))

    def logits(self, outputs: Any) -> Any:
        """Return the outputs, a mapping for each image."""
        return outputs

    def ids(self, batch: Any) -> list[Any] | None:
        """Return the images' names: the batch's ids, else the targets'; None where there are neither."""
        if isinstance(batch, Mapping) and "id" in batch:
            return list(batch["id"])
        targets = self.labels(batch, TaskSpec())
        return [int(one["image_id"]) for one in targets] if all("image_id" in one for one in targets) else None

    def rows(self, batch: Any, _size: int, rows: Sequence[int]) -> Any:
        """Return some of a batch's images, with all that belongs to them."""
        if isinstance(batch, Mapping):
            return {name: [of[row] for row in rows] for name, of in batch.items()}
        return tuple([of[row] for row in rows] for of in batch)

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return NaN."""
        return torch.tensor(float("nan"))

    def _part(self, batch: Any, position: int, names: Sequence[str]) -> Any:
        if isinstance(batch, Mapping):
            found = next((batch[name] for name in names if name in batch), None)
        else:
            found = batch[position] if isinstance(batch, list | tuple) and len(batch) > position else None
        if found is None:
            raise DataError(
                f"the batch holds no {names[0]}", remedy="make batches (images, targets), a list of each, or mappings"
            )
        return found


class RecordedAdapter(DetectionAdapter):
    """For detections that lie in a file: the model is asked for images by their numbers."""

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Ask for what was found in the batch's images."""
        return model([int(one["image_id"]) for one in self.labels(batch, task_spec)])

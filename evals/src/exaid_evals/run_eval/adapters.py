"""Adapters: how models of different libraries are called. To add one, add a class, and a line in registry.py."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from exaid_evals.errors import ConfigError, DataError
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
    """For classifiers of transformers, of texts, tokens or images: called by keyword with all that they take.

    Masked language models classify tokens: labels stand at the places that are predicted. The labels stay with us, so
    that the loss is aggregated over the whole set.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the entries of a mapping that its `forward` names; where it names none, on the inputs."""
        takes, anything = takes_of(model)
        if not isinstance(batch, Mapping):
            return model(inputs_of(batch, task_spec))
        named = {name: batch[name] for name in takes - {"labels"} if name in batch}
        if not named and anything:
            named = {name: batch[name] for name in (*_KEYWORDS, *_FURTHER_KEYS) if name in batch}
        return model(**named) if named else model(inputs_of(batch, task_spec))

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean cross-entropy in nats: over examples, or over tokens that count where each has a class."""
        logits, labels = self.logits(outputs), self.labels(batch, task_spec).long()
        if logits.dim() == 3:
            logits, labels = logits.flatten(0, 1), labels.flatten()
        return nn.functional.cross_entropy(logits, labels, ignore_index=task_spec.ignore_index)


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
_KEYWORDS = ("input_ids", "pixel_values", "inputs_embeds")


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model within wrappers that pass on whatever they get: of several devices, of a compiler, of PEFT."""
    while True:
        passes_on = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in _parameters(model))
        inner: Any = model.get_base_model() if hasattr(model, "get_base_model") else None
        if inner is None and passes_on:
            inner = next((getattr(model, one) for one in ("module", "_orig_mod") if hasattr(model, one)), None)
        if not isinstance(inner, nn.Module) or inner is model:
            return model
        model = inner


def _parameters(model: nn.Module) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):  # a compiled function may not say
        return [inspect.Parameter("inputs", inspect.Parameter.VAR_KEYWORD)]


def takes_of(model: nn.Module) -> tuple[set[str], bool]:
    """Return what a model's `forward` names, and whether it takes any other name too."""
    parameters = _parameters(unwrapped(model))
    return {one.name for one in parameters}, any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)


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
        mask = _mask(batch)
        if own.dim() != 2 or (mask is not None and own.shape != mask.shape):
            raise DataError(
                f"labels have the shape {tuple(own.shape)}, and the inputs {tuple(inputs_of(batch, task_spec).shape)}",
                remedy="of a classifier take TransformersClassificationAdapter, of a model with encoder and decoder "
                "TransformersSeq2SeqAdapter; of a causal language model each token has a label",
            )
        following = own[:, 1:]
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
        """Call the model by keyword; the labels stay with us, so that the loss is aggregated over all tokens.

        Raises:
            ConfigError: the model does not predict the next token of its inputs.
        """
        inner = unwrapped(model)
        name, decodes = type(inner).__name__, getattr(getattr(inner, "config", None), "is_encoder_decoder", False)
        if decodes or name.endswith("ForMaskedLM"):
            raise ConfigError(
                f"{name} predicts other tokens than the next ones of its inputs",
                where="adapter",
                remedy=f"take Transformers{'Seq2Seq' if decodes else 'Classification'}Adapter",
            )
        tokens = inputs_of(batch, task_spec)
        outputs = model(input_ids=tokens, **_further_inputs(model, batch, others=True))
        n_before = getattr(getattr(model, "active_peft_config", None), "num_virtual_tokens", None)
        if not n_before:
            return outputs
        return logits_of(outputs)[:, -tokens.shape[1] :]  # PEFT puts learnt tokens before the text


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
    takes, anything = takes_of(model)
    found = {name: batch[name] for name in _FURTHER_KEYS if name in batch and (name in takes or (others and anything))}
    mask = _mask(batch)
    if "position_ids" not in batch and "position_ids" in takes and mask is not None and bool((mask[:, 0] == 0).any()):
        first = (mask != 0).int().argmax(dim=1, keepdim=True)
        found["position_ids"] = (torch.arange(mask.shape[1], device=mask.device) - first).clamp(min=0)
    return found


def _mask(batch: Mapping[str, Any]) -> Tensor | None:
    """Return which tokens are no padding, shape (N, T); None where a batch does not say so by token."""
    mask = batch.get("attention_mask")
    return mask if isinstance(mask, Tensor) and mask.dim() == 2 else None


class TransformersSeq2SeqAdapter(CausalLMAdapter):
    """For models of transformers with encoder and decoder: a label for each of the decoder's tokens, at its place.

    The labels reach the model, which makes the decoder's inputs of them; the loss is taken here, over the whole set.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the entries of the batch that its `forward` names."""
        labels = self.labels(batch, task_spec)
        takes, _ = takes_of(model)
        given = {name: one for name, one in batch.items() if name in takes} if isinstance(batch, Mapping) else {}
        given.setdefault("input_ids", inputs_of(batch, task_spec))
        return model(**given | {"labels": labels.masked_fill(labels == task_spec.ignore_index, -100)})

    def labels(self, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the decoder's tokens, shape (N, T)."""
        return labels_of(batch, task_spec).long()

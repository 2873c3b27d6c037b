"""Adapters for causal language models."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from exaid_evals.run_eval.batches import inputs_of, labels_of, logits_of
from exaid_evals.run_eval.spec import TaskSpec

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

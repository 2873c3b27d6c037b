"""Adapters for causal language models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from exaid_evals.run_eval.base import ExampleLosses
from exaid_evals.run_eval.batches import inputs_of, labels_of, logits_of
from exaid_evals.run_eval.spec import TaskSpec

_ALIGNED_KEYS = ("targets", "target", "y")


class CausalLMAdapter:
    """For a plain `nn.Module`: `model(input_ids [N, T]) -> logits [N, T, V]`, each position predicting the next token.

    Three forms of a batch:

    - a mapping with `input_ids` and perhaps `labels` and `attention_mask`: labels stand beside their own tokens, as in
      transformers, and are shifted here; without them the inputs are the labels, but for masked positions;
    - a mapping with `input_ids` and `targets`: targets are the next tokens already;
    - a pair (inputs, targets): likewise.

    Labels equal to the task's `ignore_index` (−100) count for nothing.
    """

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model on the batch's tokens."""
        return model(inputs_of(batch, task_spec))

    def labels(self, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the token that each position is to predict, shape (N, T); ignored where there is none."""
        if not isinstance(batch, Mapping) or any(key in batch for key in _ALIGNED_KEYS):
            return labels_of(batch, task_spec).long()
        if "labels" in batch or "label_key" in task_spec.output_schema:
            own = labels_of(batch, task_spec).long()
        else:
            own = inputs_of(batch, task_spec).long()
        mask = batch.get("attention_mask")
        if mask is not None:
            own = own.masked_fill(mask == 0, task_spec.ignore_index)
        # The last position has no next token.
        return nn.functional.pad(own[:, 1:], (0, 1), value=task_spec.ignore_index)

    def logits(self, outputs: Any) -> Tensor:
        """Return the logits, shape (N, T, V)."""
        return logits_of(outputs)

    def compute_loss(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> Tensor:
        """Return the mean cross-entropy over the batch's tokens in nats; NaN where all are ignored."""
        labels, logits = self.labels(batch, task_spec), self.logits(outputs)
        return nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=task_spec.ignore_index)

    def example_losses(self, outputs: Any, batch: Any, task_spec: TaskSpec) -> ExampleLosses:
        """Return the sum over each text's tokens, and their number."""
        labels, logits = self.labels(batch, task_spec), self.logits(outputs)
        losses = nn.functional.cross_entropy(
            logits.transpose(1, 2), labels, ignore_index=task_spec.ignore_index, reduction="none"
        )
        return ExampleLosses(losses.double().sum(dim=1), (labels != task_spec.ignore_index).sum(dim=1))


class TransformersCausalLMAdapter(CausalLMAdapter):
    """For causal language models of transformers: `model(input_ids=…, attention_mask=…)`, with `.logits`."""

    def forward(self, model: nn.Module, batch: Any, task_spec: TaskSpec) -> Any:
        """Call the model by keyword; the labels stay with us, so that the loss is aggregated over all tokens."""
        mask = batch.get("attention_mask") if isinstance(batch, Mapping) else None
        return model(input_ids=inputs_of(batch, task_spec), **({} if mask is None else {"attention_mask": mask}))

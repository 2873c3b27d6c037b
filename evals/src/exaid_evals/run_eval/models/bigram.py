"""`bigram`: a baseline without training; the next token from how often each followed the last in the training text."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exaid_evals.run_eval.adapters.causal_lm import CausalLMAdapter
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.batches import inputs_of


class Bigram(nn.Module):
    """Logits are log probabilities of the next token given the last."""

    log_probabilities: Tensor

    def __init__(self, log_probabilities: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_probabilities", log_probabilities)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return logits, shape (N, T, V)."""
        return self.log_probabilities[input_ids]


def build(task: Task, *, smoothing: float = 0.1) -> nn.Module:
    """Return the baseline, with the counts of the task's training text.

    Args:
        task: its spec gives the vocabulary's size.
        smoothing: added to every count.
    """
    vocab_size = task.spec.vocab_size or 256
    counts = torch.full((vocab_size, vocab_size), smoothing, dtype=torch.float64)
    adapter, train = CausalLMAdapter(), task.splits["train"]
    for index in range(len(train)):  # type: ignore[arg-type]
        batch = {key: value[None] for key, value in train[index].items() if isinstance(value, Tensor)}
        last, following = inputs_of(batch, task.spec)[0], adapter.labels(batch, task.spec)[0]
        kept = following != task.spec.ignore_index
        counts.index_put_((last[kept], following[kept]), torch.ones(1, dtype=torch.float64), accumulate=True)
    return Bigram((counts / counts.sum(dim=1, keepdim=True)).log().float())

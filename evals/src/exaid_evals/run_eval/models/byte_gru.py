"""`byte_gru`: a small recurrent language model over bytes or other small vocabularies."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from exaid_evals.run_eval.base import Task


class ByteGRU(nn.Module):
    """Embedding, one GRU, a linear layer."""

    def __init__(self, vocab_size: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding)
        self.recurrent = nn.GRU(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, vocab_size)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return logits, shape (N, T, V)."""
        states, _ = self.recurrent(self.embedding(input_ids))
        return cast("Tensor", self.head(states))


def build(task: Task, *, embedding: int = 32, hidden: int = 128) -> nn.Module:
    """Return an untrained network.

    Args:
        task: its spec gives the vocabulary's size.
        embedding: width of the embedding.
        hidden: width of the recurrent state.
    """
    return ByteGRU(task.spec.vocab_size or 256, embedding, hidden)

"""Metrics of language modelling: loss per token, and perplexity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Interval, Step
from exaid_evals.run_eval.counting import Counting, Metrics
from exaid_evals.run_eval.ranking import checked_classes, checked_greatest, first_classes
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec
from exaid_evals.run_eval.texts import bits_per

WORDS = frozenset({"text", "language", "lm"})


class TextMetrics(Counting):
    """Sums over a set of texts. A unit is a token that is predicted and is not padding."""

    NAMES: ClassVar[Sequence[str]] = ("loss", "perplexity", "token_accuracy", "bits_per_byte", "word_perplexity")

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        super().__init__(task_spec, config)
        self.arrays["tokens"] = np.zeros(3, dtype=np.int64)
        """How many count, are ignored, and are the likeliest (where that is asked for)."""
        self.arrays["written"] = np.zeros(2, dtype=np.int64)
        """Bytes and words of the texts, as far as the batches say."""

    def update(self, step: Step) -> None:
        """Count a batch, by its tokens: a short last batch, or one with much padding, weighs as little as it holds."""
        counted = self._counted(step.labels)
        n_tokens = int(counted.sum())
        self.count_loss(step, n_tokens)
        right = 0
        if self.wants("token_accuracy"):
            right = int((first_classes(step.logits[counted]) == step.labels[counted]).sum())
        self.arrays["tokens"] += (n_tokens, counted.numel() - n_tokens, right)
        if isinstance(step.batch, Mapping) and "n_bytes" in step.batch:
            sizes = (step.batch["n_bytes"], step.batch.get("n_words", 0))
            self.arrays["written"] += [int(torch.as_tensor(one).sum()) for one in sizes]

    def _counted(self, labels: Tensor) -> Tensor:
        """Return which labels count, shape (N, T)."""
        return labels != self.spec.ignore_index

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N, T, V) and labels (N, T); what padding is predicted to be is of no account."""
        vocab_size = self.spec.vocab_size
        if logits.dim() != 3 or labels.shape != logits.shape[:2]:
            raise DataError(
                f"logits have the shape {tuple(logits.shape)} and labels {tuple(labels.shape)}, "
                "not (N, T, V) and (N, T)",
                where=where,
                remedy="have the adapter return the scores of every token at every position",
            )
        if vocab_size is not None and logits.shape[2] != vocab_size:
            raise DataError(
                f"the model has {logits.shape[2]} outputs, the task {vocab_size} tokens",
                where=where,
                remedy="correct output_schema.vocab_size, or the model's last layer",
            )
        counted = self._counted(labels)
        if logits.numel() and not float(logits.detach().max()) < math.inf:
            checked_greatest(logits.detach().amax(dim=2)[counted], where)
        remedy = "number tokens from 0, and mark padding with the task's ignore_index"
        checked_classes(labels[counted], logits.shape[2], where, remedy)

    def default(self) -> Sequence[str]:
        """Return loss and perplexity, by bytes and words too where texts say how many they have."""
        return ("loss", "perplexity", *(("bits_per_byte", "word_perplexity") if self.arrays["written"][0] else ()))

    def available(self) -> Metrics:
        """Return the mean loss over all tokens in nats, its exponential, and the share of tokens that are likeliest.

        Raises:
            DataError: every token is padding.
        """
        n_tokens, _, right = self.arrays["tokens"].tolist()
        if not n_tokens:
            raise DataError("no token counts: all are padding", remedy="check labels and output_schema.ignore_index")
        n_bytes, n_words = self.arrays["written"].tolist()
        if self.wants("bits_per_byte", "word_perplexity") and not n_bytes:
            raise DataError(
                "texts do not say how many bytes and words they have",
                remedy="have batches hold n_bytes and n_words, as `text_task` makes them",
            )
        total = self.mean_loss() * n_tokens
        return {
            "loss": self.mean_loss,
            "perplexity": lambda: _exp(self.mean_loss()),
            "token_accuracy": lambda: right / n_tokens,
            "bits_per_byte": lambda: bits_per(total, n_bytes),
            "word_perplexity": lambda: _exp(total / n_words) if n_words else math.nan,
        }

    def further_intervals(self) -> dict[str, Interval | None]:
        """Return that of perplexity, over texts: tokens of one text are not independent of each other."""
        loss = self.loss_interval()
        return {"perplexity": None if loss is None else (_exp(loss[0]), _exp(loss[1]))}

    def details(self) -> dict[str, Any]:
        """Return the counts."""
        n_tokens, n_ignored, _ = self.arrays["tokens"].tolist()
        return {**super().details(), "n_tokens": n_tokens, "n_ignored": n_ignored}

    def columns(self) -> Sequence[str]:
        """Return the header: a row per token that counts."""
        return ["id", "true_label", "predicted_label", "nll"]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per token: `<text's id>:<position>`, the token, the likeliest one, the token's loss in nats."""
        for one, logits, labels in zip(step.ids, step.logits.detach(), step.labels, strict=True):
            counted = (labels != self.spec.ignore_index).nonzero()[:, 0]
            kept, targets = logits[counted], labels[counted]
            losses = torch.nn.functional.cross_entropy(kept.float(), targets.long(), reduction="none")
            guesses = first_classes(kept)
            for position, true, guess, loss in zip(
                counted.tolist(), targets.tolist(), guesses.tolist(), losses.tolist(), strict=True
            ):
                yield [f"{one}:{position}", str(true), str(guess), f"{loss:.6f}"]


def _exp(loss: float) -> float:
    """Return e^loss; infinite where it is past all numbers."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


build = TextMetrics

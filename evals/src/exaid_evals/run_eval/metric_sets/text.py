"""Metrics of language modelling: loss per token, and perplexity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Interval, MetricSet, Step
from exaid_evals.run_eval.losses import LossTotal, checked_losses
from exaid_evals.run_eval.ranking import checked_classes, checked_numbers, first_classes
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec

WORDS = frozenset({"text", "language", "lm"})


def build(task_spec: TaskSpec, config: EvalConfig) -> MetricSet:
    """Return an empty set."""
    return TextMetrics(task_spec, config)


class TextMetrics:
    """Sums over a set of texts. A unit is a token that is predicted and is not padding."""

    def __init__(self, task_spec: TaskSpec, config: EvalConfig) -> None:
        self._spec = task_spec
        self._config = config
        self._loss = LossTotal(resamples=config.loss_resamples if config.intervals else 0, seed=config.seed)
        self._n_examples = 0
        self._n_ignored = 0

    def update(self, step: Step) -> None:
        """Count a batch, by its tokens: a short last batch, or one with much padding, weighs as little as it holds."""
        counted = self._counted(step.labels)
        n_tokens = int(counted.sum())
        checked_losses(step, n_tokens)
        if n_tokens:  # the mean loss of padding alone is NaN
            self._loss.add(step.loss, n_tokens, step.losses)
        self._n_examples += len(step.labels)
        self._n_ignored += counted.numel() - n_tokens

    def _counted(self, labels: Tensor) -> Tensor:
        """Return which labels count, shape (N, T)."""
        return labels != self._spec.ignore_index

    def check(self, logits: Tensor, labels: Tensor, where: str) -> None:
        """Check logits (N, T, V) and labels (N, T); what padding is predicted to be is of no account."""
        vocab_size = self._spec.vocab_size
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
        checked_numbers(logits[counted], where)
        checked_classes(labels[counted], logits.shape[2], where)

    def compute(self) -> dict[str, float]:
        """Return the mean loss over all tokens in nats, and its exponential.

        Raises:
            DataError: every token is padding.
        """
        if not self._loss.units:
            raise DataError("no token counts: all are padding", remedy="check labels and output_schema.ignore_index")
        loss = self._loss.mean()
        return {"loss": loss, "perplexity": _exp(loss)}

    def intervals(self) -> dict[str, Interval | None]:
        """Return the intervals over texts: tokens of one text are not independent of each other."""
        if not self._config.intervals:
            return {}
        loss = self._loss.interval()
        return {"loss": loss, "perplexity": None if loss is None else (_exp(loss[0]), _exp(loss[1]))}

    def further(self) -> dict[str, Any]:
        """Return nothing: loss and perplexity are all."""
        return {}

    def details(self) -> dict[str, Any]:
        """Return the counts."""
        return {"n_examples": self._n_examples, "n_tokens": self._loss.units, "n_ignored": self._n_ignored}

    def columns(self) -> Sequence[str]:
        """Return the header: a row per token that counts."""
        return ["id", "true_label", "predicted_label", "nll"]

    def rows(self, step: Step) -> Iterable[Sequence[str]]:
        """Yield a row per token: `<text's id>:<position>`, the token, the likeliest one, the token's loss in nats."""
        for one, logits, labels in zip(step.ids, step.logits.detach(), step.labels, strict=True):
            counted = (labels != self._spec.ignore_index).nonzero()[:, 0]
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

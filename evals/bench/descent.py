"""Noisy gradient descent that is really integrated, step by step, and logged under the names that trackers use."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from made_histories import Rows
from numpy.random import Generator

STYLES: tuple[dict[str, str], ...] = (
    {"loss": "loss", "vloss": "eval_loss", "acc": "eval_accuracy", "norm": "grad_norm", "lr": "learning_rate"},
    {"loss": "train_loss", "vloss": "val_loss", "acc": "val_acc", "norm": "grad_norm", "lr": "lr-AdamW"},
    {"loss": "train/loss", "vloss": "val/loss", "acc": "val/f1_score", "norm": "train/grad_norm", "lr": "train/lr"},
    {"loss": "loss_cls", "vloss": "val_loss_cls", "acc": "bbox_mAP", "norm": "gnorm", "lr": "lr"},
    {"loss": "train/box_loss", "vloss": "val/box_loss", "acc": "metrics/mAP50(B)", "norm": "gnorm", "lr": "lr/pg0"},
)


@dataclass
class Descent:
    """Gradient descent on a quadratic of which each direction has its own curvature.

    Attributes:
        rng: of the noise.
        rate: step → learning rate; above 2 (the largest curvature is 1) the descent diverges.
        directions: of the state.
        noise: of the gradient, per direction.
        floor: loss that no state gets below.
        spread: of the logged batch loss, as the σ of a logarithm.
        gap: share of the first state, in the flat directions, at which the validation set has its optimum.
        target: shift of the optimum, which a fault may move.
        extra: noise of the gradient that a fault adds.
    """

    rng: Generator
    rate: Callable[[int], float]
    directions: int = 40
    noise: float = 0.02
    floor: float = 0.2
    spread: float = 0.08
    gap: float = 0.0
    target: float = 0.0
    extra: float = 0.0
    state: Any = field(init=False)

    def __post_init__(self) -> None:
        self.curvature = np.arange(1, self.directions + 1) ** -1.2
        self.state = self.rng.normal(0, 1.2, self.directions)
        self.other = self.gap * self.state * (np.arange(self.directions) > 3)

    def step(self, at: int) -> tuple[float, float]:
        """Take a step; return the batch's loss and the norm of its gradient."""
        noise = self.rng.normal(0, self.noise + self.extra, self.directions)
        gradient = self.curvature * (self.state - self.target) + noise
        loss = self.loss() * math.exp(self.rng.normal(0, self.spread))
        self.state = self.state - self.rate(at) * gradient
        return loss, float(np.sqrt(np.sum(gradient**2)))

    def loss(self, optimum: Any = 0.0) -> float:
        """Return the expected loss about an optimum."""
        return float(self.floor + 0.5 * np.sum(self.curvature * (self.state - self.target - optimum) ** 2))

    def validation(self, noise: float = 0.01) -> tuple[float, float]:
        """Return the validation loss and an accuracy that follows from it."""
        loss = (self.loss(self.other) + 0.03) * math.exp(self.rng.normal(0, noise))
        return loss, 1 / (1 + 0.35 * loss) + self.rng.normal(0, 0.5 * noise)


Hook = Callable[[Descent, int, dict[str, Any]], None]


def train(
    rng: Generator, n: int, every: int, hook: Hook | None = None, style: dict[str, str] | None = None,
    log: int = 1, norms: bool | None = None, rates: bool | None = None, **settings: Any,
) -> Rows:  # fmt: skip
    """Return the rows of a descent of n steps, evaluated every so many, with a fault's hook called before each row."""
    names = style or STYLES[rng.integers(len(STYLES))]
    norms = rng.random() < 0.6 if norms is None else norms
    rates = rng.random() < 0.6 if rates is None else rates
    peak = settings.pop("peak", 0.3)
    settings.setdefault(
        "rate", lambda at: peak * min(1, (at + 1) / (0.05 * n)) * 0.5 * (1 + math.cos(math.pi * at / n))
    )
    one = Descent(rng, **settings)
    rows: Rows = []
    for at in range(n):
        loss, norm = one.step(at)
        row: dict[str, Any] = {"step": at}
        if at % log == 0:
            row[names["loss"]] = loss
            if norms:
                row[names["norm"]] = norm
            if rates:
                row[names["lr"]] = one.rate(at)
        if (at + 1) % every == 0:
            row[names["vloss"]], row[names["acc"]] = one.validation()
        if hook:
            hook(one, at, row)
        if len(row) > 1:
            rows.append(row)
    return rows


def train_epochs(rng: Generator, n: int, per: int, hook: Hook | None = None, **settings: Any) -> Rows:
    """Return a row an epoch, of n: the mean loss of its batches and the validation at its end."""
    names = settings.pop("style", None) or STYLES[rng.integers(len(STYLES))]
    settings.setdefault("rate", lambda _at: 0.25)
    one = Descent(rng, **settings)
    rows: Rows = []
    for epoch in range(n):
        losses = [one.step(epoch * per + at)[0] for at in range(per)]
        loss, accuracy = one.validation()
        row = {"step": epoch, names["loss"]: float(np.mean(losses)), names["vloss"]: loss, names["acc"]: accuracy}
        if hook:
            hook(one, epoch, row)
        rows.append(row)
    return rows

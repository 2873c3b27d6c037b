"""The parts that a training script leaves to its reader: model, data, a step, a validation, the end.

Softmax regression on scikit-learn's digits, 1,797 images of 8 × 8, in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from auto_recovery import AutoRecoverySystem
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Array = NDArray[np.float64]
Batch = tuple[Array, NDArray[np.int64]]
N_TRAIN = 1200


class Softmax:
    """Weights of shape (65, 10), the last row for the bias."""

    def __init__(self) -> None:
        self.weights: Array = np.zeros((65, 10))
        self.n_steps = 0

    def state_dict(self) -> dict[str, Array]:
        """Return the weights themselves, no copy."""
        return {"weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take weights."""
        self.weights[...] = state["weights"]

    def predict_proba(self, images: Array) -> Array:
        """Return the probabilities of the classes, shape (n, 10)."""
        scores = np.hstack([images, np.ones((len(images), 1))]) @ self.weights
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        found: Array = shifted / shifted.sum(axis=1, keepdims=True)
        return found


class Descent:
    """Stochastic gradient descent; `param_groups` is where its learning rate stands, as in PyTorch."""

    def __init__(self, learning_rate: float, sabotage_at: int | None) -> None:
        self.param_groups = [{"lr": learning_rate}]
        self.sabotage_at = sabotage_at

    def step(self, model: Softmax, batch: Batch) -> None:
        """Take one step, or break the weights where that is asked for."""
        images, labels = batch
        error = model.predict_proba(images)
        error[np.arange(len(labels)), labels] -= 1
        inputs = np.hstack([images, np.ones((len(images), 1))])
        model.weights -= self.param_groups[0]["lr"] * inputs.T @ error / len(labels)
        model.n_steps += 1
        if model.n_steps == self.sabotage_at:
            model.weights *= -3


class Loader:
    """Batches in an order that is drawn anew in each epoch."""

    def __init__(self, images: Array, labels: NDArray[np.int64], size: int, rng: np.random.Generator | None) -> None:
        self._images, self._labels, self._size, self._rng = images, labels, size, rng

    def __iter__(self) -> Iterator[Batch]:
        """Yield images of shape (n, 64) with their labels."""
        n = len(self._images)
        order = np.arange(n) if self._rng is None else self._rng.permutation(n)
        for start in range(0, n, self._size):
            at = order[start : start + self._size]
            yield self._images[at], self._labels[at]


def setup_training(config: Mapping[str, Any]) -> tuple[Softmax, Loader, Loader, Descent]:
    """Return model, training set, validation set and optimiser; the recovery is reported them."""
    trainer = config["trainer"]
    rng = np.random.default_rng(trainer["seed"])
    images, labels = load_digits(return_X_y=True)
    images, order = images / 16, rng.permutation(len(images))
    train, val = order[:N_TRAIN], order[N_TRAIN:]
    model, optimizer = Softmax(), Descent(trainer["learning_rate"], trainer.get("sabotage_at"))
    if AutoRecoverySystem.current is not None:
        AutoRecoverySystem.current.attach(model, optimizer)
    size = trainer["batch_size"]
    return (
        model,
        Loader(images[train], labels[train], size, rng),
        Loader(images[val], labels[val], size, None),
        optimizer,
    )


def train_step(model: Softmax, batch: Batch, optimizer: Descent) -> None:
    """Train on a batch."""
    optimizer.step(model, batch)


def validate_model(model: Softmax, val_loader: Loader) -> dict[str, float]:
    """Return recall and precision, each the mean over the classes, and their harmonic mean; a good state is kept."""
    table = np.zeros((10, 10))
    for images, labels in val_loader:
        np.add.at(table, (labels, model.predict_proba(images).argmax(axis=1)), 1)
    right = np.diag(table)
    recall = float((right / np.maximum(table.sum(axis=1), 1)).mean())
    precision = float((right / np.maximum(table.sum(axis=0), 1)).mean())
    hmean = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    metrics = {"val/hmean": hmean, "val/precision": precision, "val/recall": recall}
    if AutoRecoverySystem.current is not None:
        AutoRecoverySystem.current.keep_checkpoint(model.n_steps, metrics)
    return metrics


def finalize_experiment(model: Softmax) -> None:
    """Give the folder of checkpoints back, and say whether the weights can be used."""
    if AutoRecoverySystem.current is not None:
        AutoRecoverySystem.current.close()
    print("finished, weights are", "finite" if np.isfinite(model.weights).all() else "NOT finite")

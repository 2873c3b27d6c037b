"""A training that is sabotaged on purpose, without a recovery and with one.

Trains a network on scikit-learn's digits (1,797 images of 8 × 8), does something to it that happens to real trainings,
and measures where it ends. `numpy` is a network of one hidden layer, written out below, with `state_dict` and
`load_state_dict`; `cnn` is a small convolutional network in PyTorch, for which the extra `torch` is needed.

    python examples/sabotaged_training.py                  # both, where PyTorch is installed
    python examples/sabotaged_training.py --models numpy --seeds 3
    python examples/sabotaged_training.py --write          # the table of docs/monitoring.md
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor

Array = NDArray[Any]
PAGE = Path(__file__).resolve().parents[1] / "docs" / "monitoring.md"
BEGIN = "<!-- sabotage: begin (examples/sabotaged_training.py --write writes this) -->"
END = "<!-- sabotage: end -->"

STEPS, BATCH, EVERY = 600, 64, 20
SABOTAGE_AT = 450
N_TRAIN, N_VAL = 1000, 300
"""The other 497 images are the test set, on which a training's end is measured."""


class Trained(Protocol):
    """A model with its optimiser, for the loop below."""

    model: Any
    optimizer: Any

    def step(self, images: Array, labels: Array) -> float:
        """Train on a batch; return its loss."""

    def accuracy(self, images: Array, labels: Array) -> float:
        """Return the share of images that are classified rightly."""

    def weights(self) -> list[Array]:
        """Return the weights, to be written to."""


class Network:
    """One hidden layer of 64 units, and a softmax."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.arrays = {
            "w1": rng.normal(0, 0.18, (64, 64)),
            "b1": np.zeros(64),
            "w2": rng.normal(0, 0.18, (64, 10)),
            "b2": np.zeros(10),
        }

    def state_dict(self) -> dict[str, Array]:
        """Return the weights."""
        return dict(self.arrays)

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Take weights, in place."""
        for name, values in state.items():
            self.arrays[name][...] = values

    def gradients(self, images: Array, labels: Array) -> tuple[float, dict[str, Array]]:
        """Return the mean cross-entropy of a batch, and its gradient."""
        weights = self.arrays
        hidden = np.maximum(images @ weights["w1"] + weights["b1"], 0)
        logits = hidden @ weights["w2"] + weights["b2"]
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        n = len(labels)
        loss = float(-np.mean(np.log(shares[np.arange(n), labels] + 1e-300)))
        shares[np.arange(n), labels] -= 1
        shares /= n
        back = (shares @ weights["w2"].T) * (hidden > 0)
        return loss, {"w1": images.T @ back, "b1": back.sum(0), "w2": hidden.T @ shares, "b2": shares.sum(0)}

    def logits(self, images: Array) -> Array:
        """Return a score for each image and digit."""
        weights = self.arrays
        return np.maximum(images @ weights["w1"] + weights["b1"], 0) @ weights["w2"] + weights["b2"]


class Momentum:
    """Gradient descent with momentum."""

    def __init__(self, network: Network, learning_rate: float) -> None:
        self._network, self.learning_rate = network, learning_rate
        self._velocity = {name: np.zeros_like(values) for name, values in network.arrays.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return velocities and the learning rate."""
        return {"learning_rate": self.learning_rate, "velocity": dict(self._velocity)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take them."""
        self.learning_rate = float(state["learning_rate"])
        self._velocity = {name: np.array(values) for name, values in state["velocity"].items()}

    def step(self, gradients: dict[str, Array]) -> None:
        """Move the weights."""
        for name, gradient in gradients.items():
            self._velocity[name] = 0.9 * self._velocity[name] - self.learning_rate * gradient
            self._network.arrays[name] += self._velocity[name]


class NumpyTraining:
    """The network of this file."""

    def __init__(self, seed: int) -> None:
        self.model = Network(seed)
        self.optimizer = Momentum(self.model, 0.05)

    def step(self, images: Array, labels: Array) -> float:
        """Train on a batch."""
        loss, gradients = self.model.gradients(images, labels)
        self.optimizer.step(gradients)
        return loss

    def accuracy(self, images: Array, labels: Array) -> float:
        """Measure."""
        return float(np.mean(self.model.logits(images).argmax(axis=1) == labels))

    def weights(self) -> list[Array]:
        """Return the arrays."""
        return list(self.model.arrays.values())

    @property
    def learning_rate(self) -> float:
        """The learning rate."""
        return self.optimizer.learning_rate

    def set_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate."""
        self.optimizer.learning_rate *= factor


class CnnTraining:
    """Two convolutions and a linear layer, in PyTorch, with Adam."""

    def __init__(self, seed: int) -> None:
        import torch
        from torch import nn

        torch.manual_seed(seed)
        torch.set_num_threads(1)
        self.model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * 2 * 2, 10),
        )  # fmt: skip
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)

    def step(self, images: Array, labels: Array) -> float:
        """Train on a batch."""
        from torch.nn.functional import cross_entropy

        self.model.train()
        loss = cross_entropy(self.model(_tensor(images)), _tensor(labels))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def accuracy(self, images: Array, labels: Array) -> float:
        """Measure."""
        import torch

        self.model.eval()
        with torch.no_grad():
            return float((self.model(_tensor(images)).argmax(dim=1) == _tensor(labels)).float().mean().item())

    def weights(self) -> list[Array]:
        """Return views of the parameters."""
        return [parameter.detach().numpy() for parameter in self.model.parameters()]

    @property
    def learning_rate(self) -> float:
        """The learning rate."""
        return float(self.optimizer.param_groups[0]["lr"])

    def set_learning_rate(self, factor: float) -> None:
        """Multiply the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] *= factor


def _tensor(values: Array) -> Any:
    import torch

    if values.dtype == np.int64:
        return torch.from_numpy(values)
    return torch.from_numpy(values.astype(np.float32)).reshape(-1, 1, 8, 8)


class Digits:
    """The images in an order of the seed's, shape (1797, 64), and their labels."""

    def __init__(self, rng: np.random.Generator) -> None:
        digits = load_digits()
        order = rng.permutation(len(digits.target))
        self.images, self.labels = digits.data[order] / 16.0, digits.target[order].astype(np.int64)
        self.train, self.val = slice(0, N_TRAIN), slice(N_TRAIN, N_TRAIN + N_VAL)
        self.test = slice(N_TRAIN + N_VAL, None)


@dataclass(frozen=True)
class Ended:
    """A training at its end.

    Attributes:
        accuracy: on the test set, of the labels as they were at first.
        anomalies: that the monitor told of.
        seconds_a_step: mean, of the processor.
    """

    accuracy: float
    anomalies: tuple[Anomaly, ...]
    seconds_a_step: float


def learning_rate_x1000(training: Any, _data: Digits, _rng: np.random.Generator) -> None:
    """A slip in a schedule: from this step on the learning rate is a thousand times what it was."""
    training.set_learning_rate(1000.0)


def weights_overwritten(training: Any, _data: Digits, rng: np.random.Generator) -> None:
    """A fault of memory or of a transfer: every weight is replaced by a large random number."""
    for values in training.weights():
        values[...] = rng.normal(0, 30, values.shape)


def weights_nan(training: Any, _data: Digits, _rng: np.random.Generator) -> None:
    """One overflow: a single weight is NaN, and after the next step all are."""
    training.weights()[0].flat[0] = np.nan


def shard_mislabelled(_training: Any, data: Digits, rng: np.random.Generator) -> None:
    """A shard is made anew: 400 of the 1,000 training images get labels of others."""
    labels = data.labels[data.train]
    labels[600:] = rng.permutation(10)[labels[600:]]


def validation_replaced(_training: Any, data: Digits, rng: np.random.Generator) -> None:
    """The labels of the validation set come in another order from now on; nothing happens to the training."""
    data.labels[data.val] = rng.permutation(data.labels[data.val])


Sabotage = Callable[[Any, Digits, np.random.Generator], None]
SABOTAGES: dict[str, Sabotage] = {
    "learning rate × 1000": learning_rate_x1000,
    "weights overwritten": weights_overwritten,
    "a weight is NaN": weights_nan,
}
OTHERS: dict[str, Sabotage] = {
    "a shard mislabelled": shard_mislabelled,
    "validation replaced": validation_replaced,
}
"""These no state of the weights mends: they are for whoever looks for causes."""
MODELS: dict[str, Callable[[int], Any]] = {"numpy": NumpyTraining, "cnn": CnnTraining}


def train(model: str, seed: int, sabotage: str | None, checkpoints: Path | None, log_dir: Path | None = None) -> Ended:
    """Train once.

    Args:
        model: of `MODELS`.
        seed: of the weights, the order of the batches and the split.
        sabotage: of `SABOTAGES` and `OTHERS`; None leaves the training alone.
        checkpoints: folder of the recovery; None trains without one.
        log_dir: where the history is written, with the learning rate and what is in each batch; None writes none.
    """
    rng = np.random.default_rng(seed)
    data = Digits(rng)
    training = MODELS[model](seed)
    config = MonitoringConfig.model_validate(
        {
            "auto_recovery": {
                "enable": checkpoints is not None,
                "checkpoint_dir": checkpoints,
                "metric": "val_accuracy",
                "strategies": ["rollback", "early_stop"],
            },
            "reporting": {"log_dir": log_dir},
            "alerts": {"log": False},
        }
    )
    began = time.process_time()
    with TrainingMonitor(config, run_name=f"{model}-{seed}").attach(training.model, training.optimizer) as monitor:
        for step in range(STEPS):
            if sabotage is not None and step == SABOTAGE_AT:
                {**SABOTAGES, **OTHERS}[sabotage](training, data, rng)
            chosen = rng.choice(N_TRAIN, BATCH, replace=False)
            with np.errstate(all="ignore"):  # a sabotaged network overflows
                metrics = {"train_loss": training.step(data.images[chosen], data.labels[chosen])}
                if step % EVERY == EVERY - 1:
                    metrics["val_accuracy"] = training.accuracy(data.images[data.val], data.labels[data.val])
            batch = None
            if log_dir is not None:
                metrics["learning_rate"] = training.learning_rate
                batch = {"batch_idx": step, "items": [f"digit-{at}" for at in chosen.tolist()]}
            monitor.log_step(step, metrics, batch)
            if monitor.should_stop:
                break
    seconds = (time.process_time() - began) / STEPS
    with np.errstate(all="ignore"):
        accuracy = float(training.accuracy(data.images[data.test], data.labels[data.test]))
    return Ended(accuracy, tuple(monitor.anomalies), seconds)


def table(models: list[str], seeds: int) -> tuple[str, bool]:
    """Return the table in Markdown, and whether every row holds what is claimed."""
    lines = [
        "| network | sabotage | undisturbed | without recovery | with recovery | difference to undisturbed "
        "| runs a point or more below | worst run |",
        "| :-- | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    held = True
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            whole = [train(model, seed, None, None).accuracy for seed in range(seeds)]
            for number, sabotage in enumerate(SABOTAGES):
                without = [train(model, seed, sabotage, None).accuracy for seed in range(seeds)]
                places = [Path(folder) / f"{model}-{number}-{seed}" for seed in range(seeds)]
                mended = [train(model, seed, sabotage, place).accuracy for seed, place in enumerate(places)]
                difference = mean(mended) - mean(whole)
                apart = [ended - undisturbed for ended, undisturbed in zip(mended, whole, strict=True)]
                below = sum(one <= -0.01 for one in apart)
                held = held and abs(difference) <= 0.01 < mean(whole) - mean(without)
                lines.append(
                    f"| {model} | {sabotage} | {mean(whole):.1%} | {mean(without):.1%} | {mean(mended):.1%} | "
                    f"{_points(difference)} | {below} of {seeds} | {_points(min(apart))} |"
                )
                print(lines[-1], file=sys.stderr)
    return "\n".join(lines), held


def _points(difference: float) -> str:
    return f"{round(100 * difference, 1) + 0.0:+.1f} points"


def main() -> int:
    """Print the table, or write it into the page; the exit status says whether it holds what is claimed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    models = [name for name in chosen.models.split(",") if name in MODELS]
    if "cnn" in models and importlib.util.find_spec("torch") is None:
        print("cnn is left out: it needs PyTorch (pip install 'exaid-evals[torch]')", file=sys.stderr)
        models.remove("cnn")
    text, held = table(models, chosen.seeds)
    print(text)
    if chosen.write:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(BEGIN)
        _, _, after = rest.partition(END)
        caption = (
            f"Mean accuracy on the test set, {chosen.seeds} seeds. The last two columns hold each run with recovery\n"
            "against the undisturbed run of its own seed."
        )
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{caption}\n\n{END}{after}", encoding="utf-8")
    return int(not held)


if __name__ == "__main__":
    sys.exit(main())

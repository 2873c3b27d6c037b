"""Small models and baselines that ship, each by a function `(task, **settings) -> nn.Module`."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from exaid_evals.run_eval.adapters import CausalLMAdapter
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.batches import inputs_of, labels_of

_POWERS = range(-10, 21)


class Bigram(nn.Module):
    """Logits are log probabilities of the next token given the last."""

    log_probabilities: Tensor

    def __init__(self, log_probabilities: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_probabilities", log_probabilities)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return logits, shape (N, T, V)."""
        return self.log_probabilities[input_ids]


def bigram(task: Task, *, smoothing: float = 0.1) -> nn.Module:
    """Return a baseline without training: the next token from how often each followed the last in the training text.

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


def byte_gru(task: Task, *, embedding: int = 32, hidden: int = 128) -> nn.Module:
    """Return an untrained recurrent language model over bytes or another small vocabulary.

    Args:
        task: its spec gives the vocabulary's size.
        embedding: width of the embedding.
        hidden: width of the recurrent state.
    """
    return ByteGRU(task.spec.vocab_size or 256, embedding, hidden)


class NearestCentroid(nn.Module):
    """Logits are minus the squared distances to the classes' means, divided by their scale."""

    centroids: Tensor
    scale: Tensor

    def __init__(self, centroids: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("centroids", centroids)
        self.register_buffer("scale", scale)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (N, C)."""
        return -torch.cdist(images.flatten(1), self.centroids).square() / self.scale


def nearest_centroid(task: Task) -> nn.Module:
    """Return a baseline without training: an image belongs to the class whose mean image is nearest.

    Distances alone do not say how sure one may be of them; the scale is the one, of powers of two, under which the
    training images are likeliest: temperature scaling (Guo et al., *On Calibration of Modern Neural Networks*, 2017).
    """
    items = [task.splits["train"][index] for index in range(len(task.splits["train"]))]  # type: ignore[arg-type]
    images = torch.stack([inputs_of(item, task.spec) for item in items]).flatten(1)
    labels = torch.stack([labels_of(item, task.spec) for item in items])
    n_classes = task.spec.num_classes or int(labels.max()) + 1
    centroids = torch.stack([images[labels == index].mean(dim=0) for index in range(n_classes)])
    models = [NearestCentroid(centroids, torch.tensor(2.0**power)) for power in _POWERS]
    with torch.no_grad():
        losses = [float(nn.functional.cross_entropy(model(images), labels)) for model in models]
    return models[losses.index(min(losses))]


def small_cnn(task: Task, *, width: int = 16) -> nn.Module:
    """Return two untrained convolutions and a linear layer, for images of a few thousand pixels.

    Args:
        task: its spec gives channels, height, width and classes.
        width: channels of the first convolution; the second has twice as many.
    """
    shape = task.spec.input_schema
    features = 2 * width * (shape["height"] // 4) * (shape["width"] // 4)
    return nn.Sequential(
        nn.Conv2d(shape["channels"], width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(features, task.spec.num_classes or 1),
    )

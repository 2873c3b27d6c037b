"""Tasks that ship, of real data that scikit-learn brings, and small models and baselines, each by a function."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from exaid_evals.artifacts.hashing import sha256_bytes, sha256_structure
from exaid_evals.run_eval.adapters import CausalLMAdapter
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.batches import inputs_of, labels_of
from exaid_evals.run_eval.spec import IGNORE_INDEX, TaskSpec

SPLIT_SEED = 42
SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}
SIDE = 32
N_CLASSES = 10


class Digits(Dataset[dict[str, Any]]):
    """Items `{"id", "image" [1, 32, 32] in 0 … 1, "label"}`."""

    def __init__(self, numbers: NDArray[np.int64], pixels: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
        self._numbers = numbers
        small = torch.from_numpy(pixels[numbers] / 16).float().reshape(-1, 1, 8, 8)
        self.images: Tensor = torch.nn.functional.interpolate(small, (SIDE, SIDE), mode="bilinear", align_corners=False)
        self.labels: Tensor = torch.from_numpy(labels[numbers]).long()

    def __len__(self) -> int:
        return len(self.labels)

    def shown(self, name: str) -> Any:
        """Return the image of an id, for people."""
        from PIL import Image

        pixels = self.images[int(np.flatnonzero(self._numbers == int(name.removeprefix("digit-")))[0]), 0]
        return Image.fromarray((pixels * 255).byte().numpy()).convert("RGB")

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"id": f"digit-{self._numbers[index]:04d}", "image": self.images[index], "label": self.labels[index]}


def vision_tiny() -> Task:
    """Return scikit-learn's digits: 1,797 real scans of handwritten digits of 8 × 8 pixels, shown at 32 × 32.

    Each class is divided in the same shares, with a fixed seed. No image stands in it twice. Who wrote which digit is
    not recorded, so writers are not kept apart. Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten
    Digits* (UCI, 1998), the part that scikit-learn ships.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels, labels = np.asarray(digits.data), np.asarray(digits.target, dtype=np.int64)
    numbers = _divided(labels)
    content = pixels.tobytes() + labels.tobytes() + b"".join(numbers[name].tobytes() for name in SHARES)
    return Task(
        name="vision_tiny",
        spec=TaskSpec(
            modality="vision",
            task_type="image_classification",
            input_schema={"input_key": "image", "channels": 1, "height": SIDE, "width": SIDE},
            output_schema={"num_classes": N_CLASSES, "label_key": "label"},
            name="vision_tiny",
        ),
        splits={name: Digits(numbers[name], pixels, labels) for name in SHARES},
        data_sha256=sha256_bytes(content),
        adapter="vision_classification",
        primary_metric="accuracy",
        lower_is_better=False,
        eval_defaults={"batch_size": 64, "calibration": True},
    )


def _divided(labels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the numbers of each split's images, in order."""
    rng = np.random.default_rng(SPLIT_SEED)
    found: dict[str, list[NDArray[np.int64]]] = {name: [] for name in SHARES}
    for label in range(N_CLASSES):
        of_class = rng.permutation(np.flatnonzero(labels == label))
        bounds = np.floor(np.cumsum(list(SHARES.values()))[:-1] * len(of_class) + 1e-9).astype(int)
        for name, part in zip(SHARES, np.split(of_class, bounds), strict=True):
            found[name].append(part)
    return {name: np.sort(np.concatenate(parts)) for name, parts in found.items()}


N_DOCUMENTS = {"val": 3, "test": 2}
"""All others are for training."""
LENGTH = 128
"""Bytes that a window predicts."""


class Windows(Dataset[dict[str, Any]]):
    """Items `{"id", "input_ids" [129], "labels" [129]}`: consecutive windows, in which each byte is predicted once.

    A window begins with the last byte of the one before, so that only a document's first byte is never predicted.
    The last window of a document is padded; labels of padding are ignored.
    """

    def __init__(self, documents: dict[str, bytes]) -> None:
        self._items: list[dict[str, Any]] = []
        for name, content in documents.items():
            for start in range(0, len(content) - 1, LENGTH):
                part = content[start : start + LENGTH + 1]
                padding = LENGTH + 1 - len(part)
                self._items.append(
                    {
                        "id": f"{name}@{start}",
                        "input_ids": torch.tensor([*part, *[0] * padding]),
                        "labels": torch.tensor([*part, *[IGNORE_INDEX] * padding]),
                    }
                )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._items[index]


def text_tiny() -> Task:
    """Return the descriptions of data sets that scikit-learn ships, 14 documents of English prose, as bytes.

    Whole documents are divided, with a fixed seed, so that no text is cut in two. They share some headings and phrases
    of form: a line of validation or test text that stands in the training text too is taken out of it.
    """
    documents = divided(_documents())
    return Task(
        name="text_tiny",
        spec=TaskSpec(
            modality="text",
            task_type="causal_language_modeling",
            input_schema={"input_key": "input_ids", "length": LENGTH},
            output_schema={"vocab_size": 256, "ignore_index": IGNORE_INDEX, "label_key": "labels"},
            name="text_tiny",
        ),
        splits={
            split: Windows({name: text.encode() for name, text in part.items()}) for split, part in documents.items()
        },
        data_sha256=sha256_structure(documents),
        adapter="causal_lm",
        primary_metric="perplexity",
        lower_is_better=True,
        eval_defaults={"batch_size": 16},
    )


def _documents() -> dict[str, str]:
    folder = files("sklearn.datasets.descr")
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".rst")}
    return dict(sorted(texts.items()))


def divided(documents: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the documents of each split, `train` first, without lines that stand in the training text."""
    names = [list(documents)[index] for index in np.random.default_rng(SPLIT_SEED).permutation(len(documents))]
    parts: dict[str, list[str]] = {}
    for split, n in N_DOCUMENTS.items():
        parts[split], names = sorted(names[:n]), names[n:]
    found = {"train": {name: documents[name] for name in sorted(names)}}
    known = {line.strip() for text in found["train"].values() for line in text.splitlines()} - {""}
    for split, own in parts.items():
        found[split] = {name: _without(documents[name], known) for name in own}
    return found


def _without(text: str, lines: set[str]) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip() not in lines)


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

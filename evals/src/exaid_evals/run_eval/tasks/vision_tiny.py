"""`vision_tiny`: scikit-learn's digits, 1,797 real scans of handwritten digits of 8 × 8 pixels, shown at 32 × 32.

Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits* (UCI, 1998), the part that
scikit-learn ships. No image stands in it twice. Who wrote which digit is not recorded, so writers are not kept apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from exaid_evals.artifacts.hashing import sha256_bytes
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.spec import TaskSpec

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

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"id": f"digit-{self._numbers[index]:04d}", "image": self.images[index], "label": self.labels[index]}


def build() -> Task:
    """Read the digits and divide each class in the same shares, with a fixed seed."""
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

"""Models of a line or two, whose logits a test knows, and batches for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from exaid_evals.run_eval import EvalConfig, TaskSpec


class Echo(nn.Module):
    """Returns its inputs: they are the logits. Dropout would change them if the model were left in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits."""
        return self.dropout(inputs) * self.scale


class Linear(nn.Module):
    """A linear classifier, with what it returns wrapped."""

    def __init__(self, wrap: Any = lambda logits: logits) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head, self.wrap = nn.Linear(4, 4), wrap

    def forward(self, images: Tensor) -> Any:
        """Return the wrapped logits."""
        return self.wrap(self.head(images))


def vision_spec(num_classes: int | None = None, **output: Any) -> TaskSpec:
    """Return the spec of an image task."""
    schema = output if num_classes is None else {"num_classes": num_classes, **output}
    return TaskSpec("vision", "image_classification", {}, schema)


def text_spec(**output: Any) -> TaskSpec:
    """Return the spec of a text task."""
    return TaskSpec("text", "causal_language_modeling", {}, output)


def batched(inputs: Tensor, labels: Tensor, sizes: list[int]) -> list[tuple[Tensor, Tensor]]:
    """Divide examples into batches of these sizes."""
    assert sum(sizes) == len(labels)
    return list(zip(inputs.split(sizes), labels.split(sizes), strict=True))


def config_of(loader: Any, **settings: Any) -> EvalConfig:
    """Return a configuration for a loader, without a progress bar."""
    return EvalConfig(loader=loader, progress=False, **settings)


def random_set(n: int, n_classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return random logits and labels, the labels likelier where the logits are greater."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, n_classes, generator=generator)
    labels = (logits + torch.randn(n, n_classes, generator=generator)).argmax(dim=1)
    return logits, labels


IMAGES, LABELS = random_set(35, 4)


def batches(size: int = 8, images: Tensor = IMAGES, labels: Tensor = LABELS) -> list[tuple[Tensor, Tensor]]:
    """Divide a set."""
    return list(zip(images.split(size), labels.split(size), strict=True))


def files_in(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, relative, in order."""
    yield from sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

"""`nearest_centroid`: a baseline without training; an image belongs to the class whose mean image is nearest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.batches import inputs_of, labels_of

_POWERS = range(-10, 21)


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


def build(task: Task) -> nn.Module:
    """Return the baseline, with the means of the task's training images.

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

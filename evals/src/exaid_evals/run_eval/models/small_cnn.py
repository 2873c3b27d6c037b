"""`small_cnn`: two convolutions and a linear layer, for images of a few thousand pixels."""

from __future__ import annotations

from torch import nn

from exaid_evals.run_eval.base import Task


def build(task: Task, *, width: int = 16) -> nn.Module:
    """Return an untrained network.

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

"""Detectors of transformers: boxes from their answers, and targets as their processors make them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from exaid_evals.run_eval import TaskSpec, TransformersDetectionAdapter, run_eval  # noqa: E402
from exaid_evals.run_eval.boxes import found_boxes  # noqa: E402
from small_torch import config_of  # noqa: E402


class Queries(nn.Module):
    """Answers with what it is reported, as DETR's three queries."""

    def __init__(self, logits: Tensor, num_labels: int) -> None:
        super().__init__()
        self.logits, self.config = logits, SimpleNamespace(num_labels=num_labels)

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> Any:
        """Return logits and boxes."""
        boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.5, 1.0], [0.1, 0.1, 0.2, 0.2]])
        return SimpleNamespace(logits=self.logits.expand(len(pixel_values), -1, -1), pred_boxes=boxes[None])


SCORED = torch.tensor([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0], [-1.0, -2.0, 4.0]])


def test_detectors_of_transformers_find_boxes() -> None:
    """By hand: with an output for nothing each query's likeliest label, without one the surest pairs of both."""
    answers = Queries(SCORED, 2)(torch.zeros(1, 3, 8, 8), torch.ones(1, 8, 8))
    (one,) = found_boxes(Queries(SCORED, 2), answers, [(10, 20)])
    assert one["labels"].tolist() == [0, 1, 0]
    assert one["scores"].tolist() == pytest.approx(SCORED.softmax(1)[:, :2].max(1).values.tolist())
    assert one["boxes"][0].tolist() == pytest.approx([8, 3, 12, 7])
    (one,) = found_boxes(Queries(SCORED, 3), answers, [(10, 20)])
    assert one["labels"].tolist() == [2, 0, 1]
    assert one["scores"].tolist() == pytest.approx(torch.tensor([4.0, 3.0, 2.0]).sigmoid().tolist())
    assert one["boxes"][0].tolist() == pytest.approx([0, 0, 4, 2])


def test_targets_of_a_padded_batch_are_in_pixels_of_the_image_as_it_was() -> None:
    """An image of 40 × 60 is seen as 20 × 30 within 32 × 32; boxes are shares of what was padded."""
    pytest.importorskip("pycocotools")
    mask = torch.zeros(1, 32, 32, dtype=torch.long)
    mask[:, :20, :30] = 1
    share = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    target = {
        "class_labels": torch.tensor([0]), "boxes": share, "area": torch.tensor([81.92]),
        "orig_size": torch.tensor([40, 60]), "size": torch.tensor([32, 32]), "iscrowd": torch.tensor([0]),
    }  # fmt: skip
    batch = {"pixel_values": torch.zeros(1, 3, 32, 32), "pixel_mask": mask, "labels": [target]}
    adapter, spec = TransformersDetectionAdapter(), TaskSpec("vision", "object_detection")
    (found,) = adapter.labels(batch, spec)
    assert found["boxes"][0].tolist() == pytest.approx([25.6, 19.2, 38.4, 44.8])
    assert float(found["area"]) == pytest.approx(12.8 * 25.6)
    metrics = run_eval(Queries(SCORED, 2), adapter, config_of([batch]), spec)
    assert metrics["map"] == pytest.approx(1.0)

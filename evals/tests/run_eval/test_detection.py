"""Detection by pycocotools, whatever the batches, against average precision computed slowly here; COCO's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pycocotools")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.errors import DataError  # noqa: E402
from exaid_evals.run_eval import DetectionAdapter, TaskSpec, evaluate  # noqa: E402
from exaid_evals.run_eval.base import Step  # noqa: E402
from exaid_evals.run_eval.boxes import CocoImages  # noqa: E402
from exaid_evals.run_eval.metric_sets.detection import DetectionMetrics  # noqa: E402
from small_torch import config_of  # noqa: E402

SPEC = TaskSpec("vision", "object_detection", {}, {"class_names": ["none", "cat", "dog"]})
Image_ = dict[str, Tensor]


class Finder(nn.Module):
    """Gives what an image holds: five numbers and a class a row stand in place of pixels."""

    def forward(self, images: list[Tensor]) -> list[Image_]:
        """Return boxes, scores and labels of each."""
        return [{"boxes": one[:, :4], "scores": one[:, 4], "labels": one[:, 5].long()} for one in images]


def made(n: int, seed: int = 0) -> tuple[list[Tensor], list[Image_]]:
    """Return images with moved, missed and made-up boxes of two classes, many scores equal; the last image is empty."""
    rng = np.random.default_rng(seed)
    images, targets = [], []
    for number in range(n):
        m = 0 if number == n - 1 else int(rng.integers(1, 5))
        low = rng.uniform(0, 200, (m, 2))
        boxes = np.hstack([low, low + rng.uniform(5, 120, (m, 2))])
        labels = rng.integers(1, 3, m)
        kept = rng.random(m) < 0.8
        moved = boxes[kept] + rng.normal(0, 4, (kept.sum(), 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        found = np.hstack([moved, rng.integers(3, 9, (len(moved), 1)) / 10, labels[kept][:, None]])
        stray = np.array([[5, 5, 60, 60, rng.integers(1, 9) / 10, 1]]) if number % 3 == 0 else np.zeros((0, 6))
        images.append(torch.tensor(np.vstack([found, stray])))
        targets.append({"boxes": torch.tensor(boxes), "labels": torch.tensor(labels)})
    return images, targets


def batches(images: list[Tensor], targets: list[Image_], size: int) -> list[Any]:
    """Divide a set, as torchvision's reference collates it."""
    return [(images[at : at + size], targets[at : at + size]) for at in range(0, len(images), size)]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Return the overlap of two boxes."""
    width, height = (min(a[2 + k], b[2 + k]) - max(a[k], b[k]) for k in (0, 1))
    common = max(width, 0) * max(height, 0)
    return float(common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common))


def average_precision(images: list[Tensor], targets: list[Image_], label: int, least: float) -> float:
    """Return the mean of the greatest precision at recalls of 0, .01, …, 1, over all images' boxes, surest first."""
    found = [(float(-row[4]), at, row[:4].numpy()) for at, one in enumerate(images) for row in one if row[5] == label]
    true = {
        at: [box.numpy() for box, own in zip(one["boxes"], one["labels"], strict=True) if own == label]
        for at, one in enumerate(targets)
    }
    n_true, right = sum(map(len, true.values())), []
    for _, at, box in sorted(found, key=lambda row: (row[0], row[1])):
        best = max(true[at], key=lambda one: iou(box, one), default=None)
        right.append(best is not None and iou(box, best) >= least)
        if right[-1]:
            true[at] = [one for one in true[at] if one is not best]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    recall = np.cumsum(right) / n_true
    return float(np.mean([max(precision[recall >= r], default=0.0) for r in np.linspace(0, 1, 101)]))


def test_average_precision_has_a_slow_oracle_and_batches_change_nothing(tmp_path: Path) -> None:
    """By class and at three overlaps; the same metrics, tables and rows for every division into batches."""
    images, targets = made(20, seed=3)
    results = []
    for size in (20, 6, 1):
        config = config_of(batches(images, targets, size), output_dir=tmp_path / str(size))
        results.append(evaluate(Finder(), DetectionAdapter(), config, SPEC))
    found = results[0]
    for least, name in ((0.5, "map_50"), (0.75, "map_75")):
        expected = [average_precision(images, targets, label, least) for label in (1, 2)]
        assert found.metrics[name] == pytest.approx(np.mean(expected), abs=1e-9)
    by_class = found.further["per_class"]
    assert by_class["dog"]["map_50"] == pytest.approx(average_precision(images, targets, 2, 0.5), abs=1e-9)
    whole = [np.mean([average_precision(images, targets, k, t) for k in (1, 2)]) for t in np.linspace(0.5, 0.95, 10)]
    assert found.metrics["map"] == pytest.approx(np.mean(whole), abs=1e-9)
    assert "loss" not in found.metrics
    rows = [(tmp_path / str(size) / "val_predictions.csv").read_bytes() for size in (20, 6, 1)]
    assert rows[0] == rows[1] == rows[2]
    for other in results[1:]:
        assert other.metrics == pytest.approx(found.metrics, nan_ok=True)
        assert other.further == found.further
        assert other.details == found.details


def test_it_is_torchmetrics() -> None:
    """Where torchvision, which its boxes need, is installed; with the thresholds of COCO's own tool."""
    pytest.importorskip("torchvision")
    from torchmetrics.detection import MeanAveragePrecision

    images, targets = made(20, seed=3)
    # Its own thresholds are rounded to single precision, so that it misses a recall of .7 where COCO's tool counts it.
    oracle = MeanAveragePrecision(rec_thresholds=np.linspace(0, 1, 101).tolist())
    oracle.update(Finder()(images), targets)
    expected = {name: float(value) for name, value in oracle.compute().items() if name.startswith(("map", "mar"))}
    found = evaluate(Finder(), DetectionAdapter(), config_of(batches(images, targets, 7)), SPEC).metrics
    assert {name: expected[name] for name in found} == pytest.approx(
        {name: -1.0 if value != value else value for name, value in found.items()}, abs=1e-6
    )


def test_counts_of_two_processes_are_put_together() -> None:
    """The second half's state is absorbed before the first's, and crowds are neither right nor wrong."""
    images, targets = made(10, seed=1)
    for one in targets:
        one["iscrowd"] = (one["labels"] == 2).long()
    whole = evaluate(Finder(), DetectionAdapter(), config_of(batches(images, targets, 10)), SPEC)
    merged = DetectionMetrics(SPEC, config_of(None))
    for part in (slice(5, 10), slice(0, 5)):
        half = DetectionMetrics(SPEC, config_of(None))
        loader = [(images[part], targets[part])]
        adapter = DetectionAdapter()
        outputs = adapter.forward(Finder(), loader[0], SPEC)
        numbers = np.arange(10)[part]
        names = [str(one) for one in numbers]
        half.update(Step(outputs, targets[part], float("nan"), None, names, numbers, "batch 1"))  # type: ignore[arg-type]
        merged.absorb(half.state())
    assert merged.compute() == pytest.approx(whole.metrics, nan_ok=True)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"boxes": torch.zeros(1, 4)}, "labels of image 1: holds no tensor of labels"),
        ({"boxes": torch.zeros(2, 4), "labels": torch.ones(1)}, "2 boxes and 1 labels"),
        ({"boxes": torch.tensor([[5.0, 5, 1, 9]]), "labels": torch.ones(1)}, "a box ends before it begins"),
        ({"boxes": torch.zeros(2, 5), "labels": torch.ones(2)}, r"boxes have the shape \(2, 5\)"),
        ([1, 2], "labels are a list|no list with a mapping"),
    ],
)
def test_wrong_boxes_name_their_batch_and_image(target: object, said: str) -> None:
    """Widths and heights in place of corners are a usual mistake."""
    with pytest.raises(DataError, match=said):
        evaluate(Finder(), DetectionAdapter(), config_of([([torch.zeros(0, 6)], [target])]), SPEC)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Return a folder with two images, their annotations, and what a detector has found in them."""
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "images" / name)
    content = {
        "images": [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 10, 20, 20], "area": 400, "iscrowd": 0},
            {"id": 2, "image_id": 9, "category_id": 18, "bbox": [5, 5, 40, 30], "area": 1200, "iscrowd": 0},
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    results = [
        {"image_id": 7, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 9, "category_id": 1, "bbox": [5, 5, 40, 30], "score": 0.8},
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path


def test_cocos_files_are_evaluated_from_the_command_line(coco: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Annotations and results: the cat is found, the dog is taken for one."""
    command = ["run-eval", "--data", str(coco / "images"), "--labels", str(coco / "annotations.json")]
    assert run([*command, "--model", str(coco / "results.json"), "--out", str(coco / "out")]) == 0
    written = json.loads((coco / "out" / "metrics" / "val_metrics.json").read_text())
    assert (written["map"], written["map_50"]) == (0.5, 0.5)
    assert written["per_class"]["cat"]["map"] == 1.0
    rows = (coco / "out" / "val_predictions.csv").read_text().splitlines()
    assert rows[1:] == [
        "a.png,predicted,cat,0.900000,10.00,10.00,30.00,30.00,1",
        "a.png,true,cat,,10.00,10.00,30.00,30.00,1",
        "b.png,predicted,cat,0.800000,5.00,5.00,45.00,35.00,0",
        "b.png,true,dog,,5.00,5.00,45.00,35.00,0",
    ]
    capsys.readouterr()
    (coco / "annotations.json").write_text('{"annotations": [{"image_id": 1}]}')
    assert run([*command, "--model", str(coco / "results.json"), "--out", str(coco / "out")]) != 0
    assert "is not a file of COCO's annotations (KeyError: 'images')" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("results.json", [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3], "score": 0.5}] * 7, "no detections"),
        ("results.json", [{"image_id": 1e999, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}], "no detections"),
        ("results.json", {"image_id": 7}, "no detections"),
        (
            "results.json",
            [{"image_id": number, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5} for number in (7, 8, 8, 6)],
            "3 of 4 detections are in 2 images that are not annotated, such as image_id 6, 8",
        ),
        ("annotations.json", {"images": [], "categories": [], "annotations": [1]}, "COCO's annotations"),
        ("annotations.json", {"images": [{"id": 1e999, "file_name": "a.png"}], "annotations": []}, "COCO's"),
    ],
)
def test_files_that_only_look_like_cocos_are_refused(
    coco: Path, capsys: pytest.CaptureFixture[str], file: str, content: object, said: str
) -> None:
    """Boxes of three numbers do not pass for others, and an infinite number is not an image's."""
    (coco / file).write_text(json.dumps(content))
    command = ["run-eval", "--data", str(coco / "images"), "--labels", str(coco / "annotations.json")]
    assert run([*command, "--model", str(coco / "results.json"), "--out", str(coco / "out")]) == 1
    assert said in capsys.readouterr().err


def test_an_image_beyond_its_folder_is_not_shown(coco: Path) -> None:
    """Detections in a file do not need the images, and a name that leads out of their folder opens none."""
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(coco / "private.png")
    images = CocoImages(coco / "images", {1: "../private.png", 2: "a.png", 3: "gone.png"}, {}, read=False)
    assert images.shown("a.png") is not None
    assert images.shown("../private.png") is None
    assert images.shown("gone.png") is None


def test_a_detector_of_torchvision_sees_images_of_different_sizes(coco: Path) -> None:
    """An untrained network, built without anything being fetched; its weights come from a checkpoint in practice."""
    pytest.importorskip("torchvision")
    Image.fromarray(np.full((40, 90, 3), 90, np.uint8)).save(coco / "images" / "b.png")
    command = ["run-eval", "--data", str(coco / "images"), "--labels", str(coco / "annotations.json")]
    assert run([*command, "--model", "torchvision:ssdlite320_mobilenet_v3_large", "--out", str(coco / "out")]) == 0
    assert (coco / "out" / "metrics" / "val_metrics.json").is_file()

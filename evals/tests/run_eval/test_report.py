"""The page of an evaluation: what it holds for each kind of task, and that text of others is shown and not obeyed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.errors import ConfigError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    CausalLMAdapter,
    LogisticAdapter,
    RegressionAdapter,
    SegmentationAdapter,
    TaskSpec,
    VisionClassificationAdapter,
    run_eval,
    write_page,
)
from exaid_evals.run_eval.page import N_WORST  # noqa: E402
from small_torch import Echo, config_of, random_set, text_spec, vision_spec  # noqa: E402


def headings(page: str) -> list[str]:
    """Return the sections' titles."""
    return re.findall("<h2>(.*?)</h2>", page)


def test_a_classifier_is_shown_with_all_that_was_computed(tmp_path: Path) -> None:
    """Every section, pictures within the file, and the example on which the model was wrong and surest at the top."""
    logits, labels = random_set(60, 4)
    labels[7], logits[7] = 1, torch.tensor([0.0, 0.0, 30.0, 0.0])
    names = ["a", "b", "<script>alert(1)</script>", "d"]
    batch = {"id": [f"=x{number}" for number in range(60)], "image": logits, "label": labels}
    settings = {"calibration": True, "selective": True, "intervals": True, "output_dir": tmp_path}
    run_eval(Echo(), VisionClassificationAdapter(), config_of([batch], **settings), vision_spec(4, class_names=names))
    page = write_page(tmp_path).read_text()
    assert headings(page) == [
        "Metrics",
        "Confusion",
        "Classes",
        "Calibration",
        "Selective accuracy",
        "Where the model is most wrong",
    ]
    assert "alert(1)</script>" not in page
    assert page.count("data:image/png;base64,") == 3
    first = re.findall(r"<tr><td>(=x\d+)</td><td>is (.*?)</td>", page)[0]
    assert first == ("=x7", "b")
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert write_page(tmp_path).read_text() == page


@pytest.mark.parametrize("kind", ["text", "numbers", "pixels", "yes or no", "300 classes"])
def test_every_task_has_its_worst_examples(kind: str, tmp_path: Path) -> None:
    """Texts by their loss, numbers by their distance, images by overlap; of many classes the pairs most confused."""
    generator = torch.Generator().manual_seed(0)
    adapter, spec, settings = VisionClassificationAdapter(), TaskSpec(), {}
    worst = "4"
    if kind == "text":
        inputs, labels = torch.zeros(5, 6, 7), torch.randint(7, (5, 6), generator=generator)
        inputs[4] = -9 * torch.nn.functional.one_hot(labels[4], 7)
        adapter, spec = CausalLMAdapter(), text_spec()  # type: ignore[assignment]
    elif kind == "numbers":
        inputs, labels = torch.zeros(5), torch.tensor([0.1, -0.2, 0.3, 0.0, 8.0])
        adapter, spec = RegressionAdapter(), TaskSpec(None, "regression")
    elif kind == "pixels":
        labels = torch.zeros(5, 3, 3, dtype=torch.long)
        inputs = torch.stack([torch.ones(5, 3, 3), torch.zeros(5, 3, 3)], dim=1)
        labels[4, :2] = 1
        adapter, spec = SegmentationAdapter(), TaskSpec(None, "semantic_segmentation")  # type: ignore[assignment]
    elif kind == "yes or no":
        inputs, labels = torch.tensor([3.0, -3.0, 1.0, -1.0, 9.0]), torch.tensor([1.0, 0, 1, 0, 0])
        adapter, spec = LogisticAdapter(), TaskSpec(None, "binary_classification")
        settings = {"metrics": ["accuracy", "auroc"]}
    else:
        inputs, labels = torch.eye(300)[:5] * 9, torch.tensor([0, 1, 2, 3, 7])
        spec = vision_spec(300)
    run_eval(Echo(), adapter, config_of([(inputs, labels)], output_dir=tmp_path, **settings), spec)
    shown: list[str] = []
    page = write_page(tmp_path, show=lambda name: shown.append(name) or f"example {name} & all").read_text()  # type: ignore[func-returns-value]
    assert shown[0] == worst
    assert f"example {worst} &amp; all" in page
    assert len(shown) <= N_WORST
    assert ("Thresholds" in headings(page)) == (kind == "yes or no")
    if kind == "300 classes":
        assert "<td>7</td><td>4</td><td>1</td>" in page


def test_the_command_shows_images_of_the_task(tmp_path: Path) -> None:
    """Digits that were taken for others, as a sheet; `--no-page` leaves it out."""
    command = ["run-eval", "--config", "configs/run_eval/vision_tiny.json", "--max-batches", "1"]
    assert run([*command, "--out", str(tmp_path / "one")]) == 0
    page = (tmp_path / "one" / "val_report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert run([*command, "--out", str(tmp_path / "two"), "--no-page"]) == 0
    assert not (tmp_path / "two" / "val_report.html").exists()
    with pytest.raises(ConfigError, match="holds no evaluation of test"):
        write_page(tmp_path / "one", "test")


def test_boxes_are_drawn(tmp_path: Path) -> None:
    """True boxes are green and predicted ones red, in the image in which one was missed."""
    pytest.importorskip("pycocotools")
    from exaid_evals.run_eval import DetectionAdapter

    target = {"boxes": torch.tensor([[10.0, 10, 50, 50]]), "labels": torch.tensor([1])}
    found = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "scores": torch.zeros(0)}

    class Blind(torch.nn.Module):
        def forward(self, images):  # type: ignore[no-untyped-def]
            return [found for _ in images]

    config = config_of([([torch.zeros(3, 64, 64)], [target])], output_dir=tmp_path)
    run_eval(Blind(), DetectionAdapter(), config, TaskSpec(None, "object_detection"))
    image = Image.fromarray(np.zeros((64, 64, 3), np.uint8))
    page = write_page(tmp_path, show=lambda _: image).read_text()
    assert "Where the model is most wrong" in headings(page)
    assert image.getpixel((10, 30)) == (0, 128, 0)

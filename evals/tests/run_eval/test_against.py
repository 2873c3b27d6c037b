"""Two models on one set: differences, tests, and the images on which they part."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import VisionClassificationAdapter, evaluate  # noqa: E402
from exaid_evals.run_eval.against import Predictions, compare, read_predictions  # noqa: E402
from small_torch import Echo, config_of, random_set, vision_spec  # noqa: E402


def written(folder: Path, noise: float) -> Predictions:
    """Return the predictions of a model that is as wrong as its noise, as read from its files, in another order."""
    logits, labels = random_set(400, 5)
    order = torch.randperm(400, generator=torch.Generator().manual_seed(int(10 * noise)))
    logits = logits + noise * torch.randn(400, 5, generator=torch.Generator().manual_seed(1))
    batch = {"id": [f"im{at}" for at in order.tolist()], "image": logits[order], "label": labels[order]}
    spec = vision_spec(5, class_names=["a", "b", "c", "d", "e"])
    evaluate(Echo(), VisionClassificationAdapter(), config_of([batch], output_dir=folder), spec)
    return read_predictions(folder, "val")


def test_the_difference_has_its_oracles(tmp_path: Path) -> None:
    """Accuracies and their difference by hand, McNemar's p by statsmodels, the interval by resampled pairs."""
    from statsmodels.stats.contingency_tables import mcnemar
    from statsmodels.stats.multitest import multipletests

    good, bad = written(tmp_path / "good", 0.0), written(tmp_path / "bad", 1.0)
    record = compare(good, bad, resamples=4000, seed=3).record
    at = {name: place for place, name in enumerate(bad.ids)}
    places = [at[name] for name in good.ids]
    right = np.array(good.predicted) == np.array(good.true)
    other = (np.array(bad.predicted) == np.array(bad.true))[places]
    assert (record["accuracy"], record["accuracy_other"]) == (right.mean(), other.mean())
    table = [[(right & other).sum(), (right & ~other).sum()], [(~right & other).sum(), (~right & ~other).sum()]]
    assert record["mcnemar_p"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    rng = np.random.default_rng(0)
    means = (right.astype(float) - other)[rng.integers(0, 400, (4000, 400))].mean(axis=1)
    bounds = (record["ci95_low"], record["ci95_high"])
    assert bounds == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.008)
    rows = list(record["per_class"].values())
    assert sum(row["n"] for row in rows) == 400
    assert [row["mcnemar_p_holm"] for row in rows] == pytest.approx(
        multipletests([row["mcnemar_p"] for row in rows], method="holm")[1]
    )
    losses = [-np.log(np.array(one.of_true)) for one in (good, bad)]
    assert record["loss"]["difference"] == pytest.approx(losses[0].mean() - losses[1].mean(), abs=1e-9)
    assert record["loss"]["ci95_high"] < 0


def test_the_calibration_is_the_evaluations_own(tmp_path: Path) -> None:
    """Its error is what the evaluation itself finds, but for the last decimal of scores; nothing parts from itself."""
    logits, labels = random_set(300, 4)
    config = config_of([(logits, labels)], output_dir=tmp_path, calibration=True)
    result = evaluate(Echo(), VisionClassificationAdapter(), config, vision_spec(4))
    found = read_predictions(tmp_path, "val")
    comparison = compare(found, found, resamples=200, seed=0)
    assert comparison.record["ece"]["this"] == pytest.approx(result.metrics["ece"], abs=1e-5)
    assert comparison.record["ece"]["difference"] == comparison.record["difference"] == 0
    assert comparison.record["mcnemar_p"] == 1.0
    assert comparison.parted == []


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    """Other examples, other truths, no predictions, and those of no classes."""
    good = written(tmp_path / "good", 0.0)
    fewer = Predictions(good.ids[1:], good.true[1:], good.predicted[1:], None, None)
    others = Predictions(good.ids, ["a"] * 400, good.predicted, None, None)
    for other, said in ((fewer, "400 examples here and 399 there"), (others, "is of class . here and a there")):
        with pytest.raises(DataError, match=said):
            compare(good, other, resamples=100, seed=0)
    with pytest.raises(ConfigError, match=r"holds no test_predictions.csv; name the folder of an evaluation of test"):
        read_predictions(tmp_path / "good", "test")
    (tmp_path / "val_predictions.csv").write_text("id,true,predicted\n0,1.5,2\n")
    with pytest.raises(DataError, match="holds no predictions of classes"):
        read_predictions(tmp_path, "val")


_PARTS = """
import torch

class Redness(torch.nn.Module):
    def __init__(self, sign):
        super().__init__()
        self.sign = sign

    def forward(self, images):
        red = images.mean(dim=(2, 3))[:, 0]
        return torch.stack([-red, self.sign * red], dim=1)

def model(task, sign=1.0):
    return Redness(sign)
"""


def test_two_models_on_a_folder_of_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run-eval --against` tells the difference, and draws the images on which the two part."""
    (tmp_path / "red_parts.py").write_text(_PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    for name, colour in (("blue", (0, 0, 250)), ("red", (250, 0, 0))):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (30 + number, 20), colour).save(tmp_path / "images" / name / f"{number}.png")
    transform = {"resize": 8, "crop": 8, "mean": [0.5] * 3, "std": [0.5] * 3}
    for name, sign in (("good", 1.0), ("bad", -3.0)):
        model = {"name": "red_parts:model", "settings": {"sign": sign}}
        config = {"data": {"folder": str(tmp_path / "images"), "transform": transform}, "model": model}
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
    assert run(["run-eval", "--config", str(tmp_path / "bad.json"), "--out", str(tmp_path / "bad")]) == 0
    capsys.readouterr()
    arguments = ["--config", str(tmp_path / "good.json"), "--out", str(tmp_path / "good")]
    assert run(["run-eval", *arguments, "--against", str(tmp_path / "bad")]) == 0
    out = capsys.readouterr().out
    assert "accuracy of the other" in out
    record = json.loads((tmp_path / "good" / "against.json").read_text())
    assert (record["accuracy"], record["n_examples"]) == (1.0, 6)
    assert len(record["signatures"]) == 2
    with (tmp_path / "good" / "against.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == record["only_this_right"] > 0
    with Image.open(tmp_path / "good" / "against.png") as sheet:
        assert sheet.width > 160
        colours = sheet.convert("RGB").getcolors(1 << 20) or []
    shown = {rows[0]["true_label"]: (250, 0, 0) if rows[0]["true_label"] == "red" else (0, 0, 250)}
    assert set(shown.values()) <= {colour for _, colour in colours}

"""What an evaluation writes, and that `export`'s own reader takes it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.run_eval import VisionClassificationAdapter, evaluate  # noqa: E402
from exaid_evals.runs.files.predictions import count_predictions  # noqa: E402
from small_torch import Echo, batched, config_of, files_in, random_set, vision_spec  # noqa: E402

ADAPTER = VisionClassificationAdapter()


def test_metrics_and_predictions_are_written(tmp_path: Path) -> None:
    """val_metrics.json holds metrics alone; what they rest on lies beside it; each example has a row."""
    logits, labels = random_set(50, 6)
    settings = {"calibration": True, "intervals": True, "output_dir": tmp_path}
    result = evaluate(Echo(), ADAPTER, config_of(batched(logits, labels, [20, 20, 10]), **settings), vision_spec(6))
    assert list(files_in(tmp_path)) == ["metrics/evaluation.json", "metrics/val_metrics.json", "val_predictions.csv"]
    metrics = json.loads((tmp_path / "metrics" / "val_metrics.json").read_text())
    assert {name: metrics[name] for name in result.metrics} == pytest.approx(result.metrics, abs=1e-6)
    numbers = {name for name, value in metrics.items() if isinstance(value, int | float)}
    assert numbers == {*result.metrics, "kappa", "macro_f1", "balanced_accuracy_adjusted"}
    beside = json.loads((tmp_path / "metrics" / "evaluation.json").read_text())
    assert (beside["n_examples"], beside["n_batches"]) == (50, 3)
    assert sum(map(sum, beside["confusion_matrix"])) == sum(row["n"] for row in beside["calibration_bins"]) == 50
    assert set(beside["intervals"]) == {"loss", "accuracy", "top3_accuracy", "top5_accuracy", "ece"}
    assert beside["signature"] == metrics["signature"]
    rows = list(csv.DictReader((tmp_path / "val_predictions.csv").read_text().splitlines()))
    assert [int(row["true_label"]) for row in rows] == labels.tolist()
    assert [int(row["predicted_label"]) for row in rows] == logits.argmax(1).tolist()
    assert [float(rows[7][f"score_{index}"]) for index in range(6)] == pytest.approx(
        logits[7].softmax(0).tolist(), abs=1e-6
    )


def test_the_export_reader_finds_the_same_numbers_in_the_predictions(tmp_path: Path) -> None:
    """Its own count of the rows makes the accuracy and the area under the curve that scikit-learn makes."""
    from sklearn.metrics import roc_auc_score

    logits, labels = random_set(200, 6)
    result = evaluate(Echo(), ADAPTER, config_of([(logits, labels)], output_dir=tmp_path), vision_spec(6))
    counted = count_predictions(tmp_path / "val_predictions.csv")
    assert counted.counts.tolist() == result.details["confusion_matrix"]
    expected = roc_auc_score(labels, logits.double().softmax(1), multi_class="ovr")
    assert counted.area_ovr(scikit_learn=False) == pytest.approx(expected, abs=1e-4)
    counted.close()


def test_the_same_evaluation_writes_the_same_bytes(tmp_path: Path) -> None:
    """In another folder, with a bar or without."""
    logits, labels = random_set(50, 6)
    for name, progress in (("a", True), ("b", False)):
        config = config_of([(logits, labels)], output_dir=tmp_path / name, intervals=True)
        config = type(config)(**{key: getattr(config, key) for key in type(config).__slots__} | {"progress": progress})
        evaluate(Echo(), ADAPTER, config, vision_spec(6))
    for name in files_in(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_signature_is_of_all_that_numbers_depend_on(tmp_path: Path) -> None:
    """Another seed, precision or number of classes is another signature; another folder or worker count is not."""
    from exaid_evals.run_eval import EvalConfig
    from exaid_evals.run_eval.files import signature

    plain = signature(EvalConfig(), vision_spec(6))
    assert signature(EvalConfig(output_dir=tmp_path, num_workers=2, progress=False), vision_spec(6)) == plain
    others = [
        signature(EvalConfig(seed=1), vision_spec(6)),
        signature(EvalConfig(mixed_precision="bf16"), vision_spec(6)),
        signature(EvalConfig(max_batches=3), vision_spec(6)),
        signature(EvalConfig(), vision_spec(7)),
    ]
    assert len({plain, *others}) == 5


def test_ids_with_commas_quotes_and_line_ends_survive(tmp_path: Path) -> None:
    """Names of images are whatever somebody's file system allowed."""
    ids = ['a,b "c"', "two\nlines", "Ärzte.png"]
    images, labels = random_set(3, 4)
    config = config_of([{"id": ids, "image": images, "label": labels}], output_dir=tmp_path)
    evaluate(Echo(), ADAPTER, config, vision_spec(4))
    with (tmp_path / "val_predictions.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["id"] for row in csv.DictReader(stream)] == ids

"""The verbs `run-eval` and `run-training`: files, exit statuses, messages."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.config.campaign import configs_dir  # noqa: E402
from exaid_evals.run_eval import stage  # noqa: E402
from small_torch import files_in  # noqa: E402

CONFIGS = configs_dir() / "run_eval"


def test_a_configuration_that_ships_evaluates_a_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From any folder, by the path that the documentation gives; results go to files, and a table to stdout."""
    assert run(["run-eval", "--config", "configs/run_eval/vision_tiny.json", "--data-dir", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    folder = tmp_path / "run_eval" / "vision_tiny" / "val-nearest_centroid"
    metrics = json.loads((folder / "metrics" / "val_metrics.json").read_text())
    assert metrics["accuracy"] > 0.85
    assert f"{metrics['accuracy']:.4f}  [" in out
    assert "examples       269" in out
    assert err == ""
    assert list(files_in(folder)) == [
        "metrics/evaluation.json",
        "metrics/val_metrics.json",
        "val_predictions.csv",
        "val_report.html",
    ]


def test_options_go_before_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Split, number of batches, batch size and folder."""
    config = ["--config", str(CONFIGS / "text_tiny.json"), "--out", str(tmp_path / "out")]
    assert run(["run-eval", *config, "--split", "test", "--max-batches", "2", "--batch-size", "3"]) == 0
    beside = json.loads((tmp_path / "out" / "metrics" / "test_evaluation.json").read_text())
    assert (beside["n_batches"], beside["n_examples"], beside["split"]) == (2, 6, "test")
    assert list(files_in(tmp_path / "out")) == [
        "metrics/test_evaluation.json",
        "metrics/test_metrics.json",
        "test_predictions.csv",
        "test_report.html",
    ]
    assert "text_tiny, test" in capsys.readouterr().out


def test_no_name_of_a_class_writes_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They come out of others' data sets, and so do the warnings that name them."""
    evaluate = stage.evaluate_file

    def renamed(*arguments: Any, **settings: Any) -> Any:
        done = evaluate(*arguments, **settings)
        names = ["\x1b[2J"] * len(done.result.details["class_names"])
        warnings = ["no example of \x1b[2J"]
        return replace(
            done, result=replace(done.result, details=done.result.details | {"class_names": names}, warnings=warnings)
        )

    monkeypatch.setattr(stage, "evaluate_file", renamed)
    assert run(["run-eval", "--config", str(CONFIGS / "vision_tiny.json"), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert r"class_0_acc (\x1b[2J)" in shown.out
    assert r"warning: no example of \x1b[2J" in shown.err
    assert "\x1b" not in shown.out + shown.err


def test_the_scripts_are_the_verbs() -> None:
    """`python src/run_eval.py --help` works as the other stages' scripts do."""
    for script, verb in (("run_eval.py", "run-eval"), ("run_training.py", "run-training")):
        path = Path(__file__).parents[2] / "src" / script
        environment = {"PYTHONPATH": str(path.parent)}
        done = subprocess.run(
            [sys.executable, str(path), "--help"], capture_output=True, text=True, check=True, env=environment
        )
        assert f"exaid-evals {verb} [OPTIONS]" in done.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"task": "vision_tiny"}', "model"),
        ('{"task": "vision_tini", "model": {"name": "small_cnn"}}', "did you mean `vision_tiny`"),
        ('{"task": "vision_tiny", "model": {"name": "smal_cnn"}}', "did you mean `small_cnn`"),
        ('{"task": "vision_tiny", "model": {"name": "small_cnn", "settings": {"depth": 3}}}', "cannot be built"),
        ('{"task": "vision_tiny", "model": {"name": "small_cnn"}, "adapter": "timn"}', "did you mean `timm`"),
        (
            '{"task": "vision_tiny", "model": {"name": "small_cnn"}, "eval": {"split": "dev"}}',
            "it has train, val, test",
        ),
        ('{"task": "vision_tiny", "model": {"name": "small_cnn"}, "device": "gpu"}', "cannot be used"),
        ('{"task": "vision_tiny", "modle": {"name": "small_cnn"}}', "did you mean `model`"),
    ],
)
def test_wrong_configurations_are_status_2(
    content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each says what is wrong and what to do, and nothing is written."""
    (tmp_path / "x.json").write_text(content)
    assert run(["run-eval", "--config", str(tmp_path / "x.json"), "--data-dir", str(tmp_path / "data")]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "data").exists()


def test_a_missing_file_and_a_run_of_another_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are found before any work."""
    assert run(["run-eval", "--config", str(tmp_path / "none.json")]) == 2
    assert "no such configuration" in capsys.readouterr().err
    (tmp_path / "summary.json").write_text('{"task": "text_tiny", "model": {"name": "bigram"}}')
    arguments = ["--config", str(CONFIGS / "vision_tiny.json"), "--trained", str(tmp_path)]
    assert run(["run-eval", *arguments]) == 2
    assert "was trained on text_tiny, not on vision_tiny" in capsys.readouterr().err
    (tmp_path / "summary.json").write_text("{}")
    assert run(["run-eval", *arguments]) == 1
    assert "says no task and model" in capsys.readouterr().err


_OWN_PARTS = """
import torch
from exaid_evals.run_eval import TaskSpec
from exaid_evals.run_eval.base import Task

def task():
    items = [{"id": str(i), "x": torch.eye(2)[i % 2], "label": torch.tensor(i % 2)} for i in range(10)]
    spec = TaskSpec("vision", "", {"input_key": "x"}, {"num_classes": 2, "class_names": ["cat", "dog"]})
    splits = {"train": items, "val": items, "test": items[:7]}
    return Task("mine", spec, splits, "sha256:0", "vision_classification", "accuracy", False)

def model(task, scale=0.0):
    layer = torch.nn.Linear(2, 2)
    torch.nn.init.zeros_(layer.bias)
    layer.weight.data = scale * torch.eye(2)
    return layer
"""


def test_a_task_and_model_of_ones_own_are_trained_evaluated_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both by `module:attribute`, the task under another name than that; tables have the classes' names."""
    (tmp_path / "own_parts.py").write_text(_OWN_PARTS)
    monkeypatch.syspath_prepend(tmp_path)
    parts = {"task": "own_parts:task", "model": {"name": "own_parts:model"}}
    (tmp_path / "train.json").write_text(json.dumps({**parts, "epochs": 1, "learning_rate": 1, "seed": 1}))
    (tmp_path / "own.json").write_text(json.dumps({**parts, "eval": {"per_class": True, "intervals": True}}))
    data = tmp_path / "data"
    assert run(["run-training", "--config", str(tmp_path / "train.json"), "--data-dir", str(data)]) == 0
    trained = data / "training" / "own_parts.task" / "results_1"
    arguments = ["--config", str(tmp_path / "own.json"), "--data-dir", str(data), "--split", "test"]
    assert run(["run-eval", *arguments, "--trained", str(trained)]) == 0
    out = capsys.readouterr().out
    assert "accuracy           1.0000  [0.6457, 1.0000]" in out  # Wilson's interval of 7 of 7
    assert "class_1_acc (dog)  1.0000" in out
    folder = data / "run_eval" / "own_parts.task" / "test-own_parts.model-results_1"
    metrics = json.loads((folder / "metrics" / "test_metrics.json").read_text())
    assert set(metrics["per_class"]) == {"cat", "dog"}
    assert (folder / "test_predictions.csv").read_text().splitlines()[0].endswith("score_cat,score_dog")
    assert run(["export", "--runs", str(folder), "--out", str(tmp_path / "exported")]) == 0
    assert run(["export", "--runs", str(trained), "--out", str(tmp_path / "exported-training")]) == 0
    exported = json.loads((tmp_path / "exported" / "exported_summary.json").read_text())
    assert exported["runs"][0]["metrics"]["accuracy"] == 1.0

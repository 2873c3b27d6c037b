"""Training runs: they learn, they repeat, they are tracked, and `export` consolidates them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from exaid_evals.cli.main import run  # noqa: E402
from exaid_evals.config.base import load_config  # noqa: E402
from exaid_evals.config.campaign import configs_dir  # noqa: E402
from exaid_evals.config.request import Override  # noqa: E402
from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import build_task, train  # noqa: E402
from exaid_evals.run_eval.registry import build_model  # noqa: E402
from exaid_evals.run_eval.spec import TrainingConfig  # noqa: E402
from exaid_evals.run_eval.training import load_weights  # noqa: E402
from small_torch import files_in  # noqa: E402
from wandb_files import history_of  # noqa: E402

CONFIGS = configs_dir() / "run_eval"
RUN_FILES = ["metrics/evaluation.json", "metrics/val_metrics.json", "summary.json", "train_history.csv"]
RUN_FILES += ["val_predictions.csv", "weights.npz"]


def config(name: str, **overrides: Any) -> TrainingConfig:
    """Return a configuration that ships, with other values."""
    given = {key.replace("__", "."): Override(value, "test") for key, value in overrides.items()}
    return load_config(TrainingConfig, CONFIGS / f"{name}.json", given).value


@pytest.fixture(scope="module")
def vision_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three seeds of the vision configuration, made by the command line."""
    data = tmp_path_factory.mktemp("vision")
    for seed in (42, 43, 44):
        arguments = ["--config", str(CONFIGS / "train_vision.json"), "--data-dir", str(data), "--seed", str(seed)]
        assert run(["run-training", *arguments]) == 0
    return data / "training" / "vision_tiny"


def history(folder: Path) -> list[dict[str, float]]:
    """Return the epochs of a run."""
    with (folder / "train_history.csv").open(newline="") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_two_epochs_on_digits_reach_nine_in_ten(vision_runs: Path) -> None:
    """With every seed; the history has an epoch a row, and its last row is what the metrics say."""
    for seed in (42, 43, 44):
        folder = vision_runs / f"results_{seed}"
        assert list(files_in(folder)) == RUN_FILES
        epochs = history(folder)
        metrics = json.loads((folder / "metrics" / "val_metrics.json").read_text())
        assert [epoch["epoch"] for epoch in epochs] == [1, 2]
        assert epochs[-1]["val_accuracy"] == metrics["accuracy"] > 0.9
        assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]


@pytest.mark.slow
def test_export_consolidates_three_seeds(vision_runs: Path, tmp_path: Path) -> None:
    """The reader of training runs claims them; mean and σ are those of the three runs, and nothing is amiss.

    The one warning it may give is about this checkout: uncommitted changes.
    """
    assert run(["export", "--runs", str(vision_runs / "results_*"), "--out", str(tmp_path)]) == 0
    export = json.loads((tmp_path / "exported_summary.json").read_text())
    accuracies = [
        json.loads((vision_runs / f"results_{seed}" / "metrics" / "val_metrics.json").read_text())["accuracy"]
        for seed in (42, 43, 44)
    ]
    assert {one["format"] for one in export["runs"]} == {"training_run"}
    assert export["aggregated"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies), abs=1e-6)
    assert export["aggregated"]["accuracy"]["std"] == pytest.approx(np.std(accuracies), abs=1e-6)
    assert {"loss", "top3_accuracy", "ece", "kappa", "macro_f1", "auc_ovr"} <= set(export["aggregated"])
    assert [warning for warning in export["warnings"] if "uncommitted changes" not in str(warning)] == []


@pytest.mark.slow
def test_three_seeds_go_through_every_verb(
    vision_runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained, evaluated on the test split, exported from there, and two of them compared, three ways, to one p."""
    for seed in (42, 43, 44):
        arguments = ["--config", str(CONFIGS / "vision_tiny.json"), "--trained", str(vision_runs / f"results_{seed}")]
        against = [] if seed != 44 else ["--against", str(tmp_path / "results_42")]
        out = ["--split", "test", "--out", str(tmp_path / f"results_{seed}"), *against]
        assert run(["run-eval", *arguments, *out]) == 0
    assert run(["export", "--runs", str(tmp_path / "results_*"), "--out", str(tmp_path / "export")]) == 0
    exported = json.loads((tmp_path / "export" / "exported_summary.json").read_text())
    found = [json.loads((tmp_path / f"results_{seed}/metrics/test_metrics.json").read_text()) for seed in (42, 43, 44)]
    mean = float(np.mean([one["accuracy"] for one in found]))
    assert exported["aggregated"]["accuracy"]["n"] == 3
    assert exported["aggregated"]["accuracy"]["mean"] == pytest.approx(mean, abs=1e-6)
    capsys.readouterr()
    files = [str(tmp_path / f"results_{seed}" / "test_predictions.csv") for seed in (42, 44)]
    assert run(["compare-logs", *files, "--metric", "correct", "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    own = json.loads((tmp_path / "results_44" / "against.json").read_text())
    (row,) = compared["comparisons"]
    assert (row["n"], row["gained"], row["lost"]) == (
        own["n_examples"],
        own["only_this_right"],
        own["only_other_right"],
    )
    assert row["p_exact"] == pytest.approx(own["mcnemar_p"], abs=1e-6)


@pytest.mark.slow
def test_a_trained_model_is_evaluated_from_its_folder(vision_runs: Path, tmp_path: Path) -> None:
    """`run-eval --trained` on the validation split finds the numbers of the training's last epoch."""
    arguments = ["--config", str(CONFIGS / "vision_tiny.json"), "--trained", str(vision_runs / "results_43")]
    assert run(["run-eval", *arguments, "--out", str(tmp_path)]) == 0
    again = json.loads((tmp_path / "metrics" / "val_metrics.json").read_text())
    first = json.loads((vision_runs / "results_43" / "metrics" / "val_metrics.json").read_text())
    for name in ("loss", "accuracy", "top3_accuracy", "kappa", "ece"):
        assert again[name] == pytest.approx(first[name], abs=1e-6)
    assert (tmp_path / "val_predictions.csv").read_bytes() == (
        vision_runs / "results_43" / "val_predictions.csv"
    ).read_bytes()


@pytest.mark.slow
def test_perplexity_falls_in_every_epoch_and_export_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On real text; two seeds of it are consolidated, ranked by perplexity, the lowest first."""
    for seed in (42, 43):
        arguments = ["--config", str(CONFIGS / "train_text.json"), "--data-dir", str(tmp_path), "--seed", str(seed)]
        assert run(["run-training", *arguments, "--epochs", "3"]) == 0
        perplexities = [epoch["val_perplexity"] for epoch in history(tmp_path / f"training/text_tiny/results_{seed}")]
        assert len(perplexities) == 3
        assert perplexities == sorted(perplexities, reverse=True)
        assert len(set(perplexities)) == 3
        reported = capsys.readouterr().out.splitlines()
        for number, line in enumerate(reported[:3], 1):
            assert line.startswith(f"epoch {number}/3  train_loss ")
            assert f"val_perplexity {perplexities[number - 1]:.4f}" in line
    runs = str(tmp_path / "training" / "text_tiny" / "results_*")
    assert run(["export", "--runs", runs, "--out", str(tmp_path / "out"), "--primary-metric", "perplexity"]) == 0
    export = json.loads((tmp_path / "out" / "exported_summary.json").read_text())
    found = export["aggregated"]["perplexity"]
    assert found["n"] == 2
    assert export["best_run"]["value"] == found["min"]


def test_a_seed_gives_the_same_run(tmp_path: Path) -> None:
    """All files of two runs of one seed are the same bytes, weights included; another seed gives other weights."""
    for name, seed in (("a", 42), ("b", 42), ("c", 43)):
        train(config("train_vision", epochs=1, seed=seed), tmp_path / name)
    contents = {name: {file: (tmp_path / name / file).read_bytes() for file in RUN_FILES} for name in "abc"}
    assert contents["a"] == contents["b"]
    assert contents["a"]["weights.npz"] != contents["c"]["weights.npz"]


def test_the_summary_says_how_the_run_was_made(tmp_path: Path) -> None:
    """Seed, commit, hyper-parameters, data and versions: what two runs must share to be compared."""
    train(config("train_vision", epochs=1), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["seed"], summary["task"], summary["stub"]) == (42, "vision_tiny", False)
    assert summary["hyperparameters"]["learning_rate"] == 0.003
    assert summary["hyperparameters"]["model_width"] == 16
    assert summary["data_sha256"] == build_task("vision_tiny").data_sha256
    assert summary["versions"]["torch"] == torch.__version__
    assert summary["git_hash"] is None or len(summary["git_hash"]) == 40


def test_a_loss_that_diverges_is_an_error_and_leaves_no_finished_run(tmp_path: Path) -> None:
    """What an earlier run left is gone too, so that nobody takes its numbers for this one's."""
    train(config("train_vision", epochs=1), tmp_path)
    with pytest.raises(DataError, match=r"epoch 1, batch \d+: the training loss is (nan|inf).*lower learning_rate"):
        train(config("train_vision", learning_rate=1e20, epochs=3), tmp_path)
    assert "summary.json" not in list(files_in(tmp_path))


def test_a_model_without_weights_is_not_trained(tmp_path: Path) -> None:
    """The baselines are evaluated, not trained; the folder is not touched."""
    with pytest.raises(ConfigError, match="nearest_centroid has no weights to train"):
        train(config("train_vision", model={"name": "nearest_centroid"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_mixed_precision_trains_too(tmp_path: Path) -> None:
    """bf16 reaches nearly what full precision does in one epoch."""
    trained = train(config("train_vision", epochs=1, mixed_precision="bf16"), tmp_path)
    assert trained.result.metrics["accuracy"] > 0.85


def test_weights_are_read_without_unpickling(tmp_path: Path) -> None:
    """A file that holds pickled objects, one that is cut, one of another model and none at all: a clear line each."""
    model = build_model("small_cnn", build_task("vision_tiny"), {"width": 4})
    with pytest.raises(DataError, match="no weights lie here; train the run again"):
        load_weights(tmp_path, model)
    np.savez(tmp_path / "weights.npz", **{"0.weight": np.array([{"an": "object"}], dtype=object)})
    with pytest.raises(DataError, match="cannot be read"):
        load_weights(tmp_path, model)
    (tmp_path / "weights.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match="cannot be read"):
        load_weights(tmp_path, model)
    train(config("train_vision", epochs=1), tmp_path / "wide")
    with pytest.raises(DataError, match="belongs to another model"):
        load_weights(tmp_path / "wide", model)


@pytest.mark.slow
def test_every_epoch_is_logged_to_offline_wandb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Console and W&B's own offline file have the validation accuracy of both epochs, and no network is needed."""
    pytest.importorskip("wandb")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb-home"))
    arguments = ["--config", str(CONFIGS / "train_vision.json"), "--out", str(tmp_path / "results_42")]
    assert run(["run-training", *arguments, "--wandb"]) == 0
    reported = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    logged = history_of(next((tmp_path / "results_42" / "wandb").glob("offline-run-*/run-*.wandb")))
    accuracies = [row["val/accuracy"] for row in logged if "val/accuracy" in row]
    epochs = history(tmp_path / "results_42")
    assert accuracies == pytest.approx([epoch["val_accuracy"] for epoch in epochs], abs=1e-6)
    assert len(reported) == 2
    for line, accuracy in zip(reported, accuracies, strict=True):
        assert f"val_accuracy {accuracy:.4f}" in line

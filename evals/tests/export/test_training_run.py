"""Training runs: what is reported, what is computed, what is wrong."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.reported import STANDARD
from exaid_evals.runs.formats.training_run import TrainingRunFormat
from export.training_runs import GOLD, copied, write_run


def read(folder: Path) -> Run:
    """Read a run."""
    return TrainingRunFormat().read(Source(folder), "run")


def test_a_golden_run_is_read_as_scikit_learn_measured_it() -> None:
    """Metrics per run and class are those of the JSON, seed and settings those of the summary; nothing is odd."""
    run = read(GOLD / "digits" / "results_4")
    reported = json.loads((GOLD / "digits" / "results_4" / "metrics" / "val_metrics.json").read_text())
    assert {name: run.metrics[name] for name in STANDARD} == {name: reported[name] for name in STANDARD}
    assert {of: dict(values) for of, values in run.per_class.items()} == reported["per_class"]
    assert (run.seed, run.config, run.warnings) == (
        4,
        {"model": "sgd", "alpha": 0.001, "epochs": 8, "loss": "log_loss"},
        (),
    )
    assert run.attributes == {
        "n_items": 100,
        "n_classes": 10,
        "embeddings_shape": [100, 4],
        "kappa_weights": "quadratic",
    }


def test_other_layouts_and_names_are_the_same_metrics() -> None:
    """Flat JSON with aliases and numbered classes is read, and holds against the predictions."""
    run = read(GOLD / "digits" / "results_5")
    assert set(STANDARD) == set(run.metrics)
    assert "computed" not in run.attributes
    assert run.warnings == ()
    assert len(run.per_class) == 10


def test_what_is_not_reported_is_computed_and_said() -> None:
    """The run that reports accuracy alone gets the rest from its predictions."""
    run = read(GOLD / "digits" / "results_6")
    assert run.attributes["computed"] == ["auc_ovr", "balanced_accuracy_adjusted", "kappa", "macro_f1", "per_class"]
    assert all(run.metrics[name] is not None for name in STANDARD)


def test_computed_metrics_are_those_that_scikit_learn_had_reported(tmp_path: Path) -> None:
    """Take the reported metrics of a golden run away: the computed ones are the same."""
    folder = copied("digits/results_4", tmp_path / "results_4")
    before = read(folder)
    (folder / "metrics" / "val_metrics.json").write_text('{"loss": 0.1}', encoding="utf-8")
    after = read(folder)
    for name in STANDARD:
        assert after.metrics[name] == pytest.approx(before.metrics[name], abs=1e-6), name
    for of, values in before.per_class.items():
        for name, value in values.items():
            assert after.per_class[of][name] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("metrics", "warning"),
    [
        ({"accuracy": 0.9}, "accuracy is reported as 0.9000, and the predictions make 0.8000: look whether"),
        ({"accuracy": 80.0}, "accuracy = 80 is a percentage, and is read as 0.8"),
        ({"accuracy": 0.8, "acc": 0.7}, "accuracy is given twice"),
        ({"accuracy": 0.8, "precision_class_0": 0.5}, "precision of class 0 is reported as 0.5000"),
        ({"accuracy": 0.8, "per_class": {"cat": {"f1": 1}}}, "metrics of classes cat for predictions of 0, 1"),
    ],
)
def test_a_disagreement_is_a_warning(tmp_path: Path, metrics: dict[str, object], warning: str) -> None:
    """What a run reports stands; that its predictions say otherwise is reported."""
    run = read(write_run(tmp_path / "r", metrics=metrics))
    assert any(warning in line and line.startswith("run: metrics/val_metrics.json: ") for line in run.warnings)
    assert run.metrics["accuracy"] == (0.9 if metrics["accuracy"] == 0.9 else 0.8)


@pytest.mark.parametrize(
    "reported",
    [
        pytest.param(
            '{"0": {"precision": 0.8, "recall": 0.8, "f1-score": 0.8, "support": 5}, "1": {"precision": 0.8, '
            '"recall": 0.8, "f1-score": 0.8, "support": 5}, "accuracy": 0.8, "macro avg": {"f1-score": 0.8}}',
            id="scikit-learn's report",
        ),
        pytest.param(
            '{"metrics": {"val_accuracy": 0.8, "F1_macro": 0.8}, "precision": {"0": 0.8, "1": 0.8}}', id="nested"
        ),
        pytest.param('{"acc": 0.8, "macro_f1": 0.8, "precision_per_class": [0.8, 0.8]}', id="lists"),
        pytest.param(
            '{"acc": 0.8, "macro_f1": 0.8, "per_class": [{"class": "0", "precision": 0.8}]}', id="list of classes"
        ),
        pytest.param('\ufeff{"acc": 0.8, "macro_f1": 0.8, "kappa": NaN}', id="mark and NaN"),
    ],
)
def test_usual_layouts_are_understood(tmp_path: Path, reported: str) -> None:
    """Accuracy, macro F1 and precision of class 0 come out of each of them."""
    folder = write_run(tmp_path / "r")
    (folder / "metrics" / "val_metrics.json").write_text(reported, encoding="utf-8")
    run = read(folder)
    assert (run.metrics["accuracy"], run.metrics["macro_f1"], run.per_class["0"]["precision"]) == (0.8, 0.8, 0.8)
    assert run.metrics["kappa"] == pytest.approx(0.6)
    assert [line for line in run.warnings if "NaN" not in line and "undefined" not in line] == []


def test_metrics_as_csv(tmp_path: Path) -> None:
    """Long, wide and per-class tables, semicolons and decimal commas included."""
    folder = write_run(tmp_path / "r")
    (folder / "metrics" / "val_metrics.json").unlink()
    path = folder / "metrics" / "val_metrics.csv"
    tables = [
        "metric,value\naccuracy,0.8\nf1_macro,0.8\nprecision_class_0,0.8\n",
        "run;accuracy;macro_f1;precision_0\nx;0,8;0,8;0,8\n",
        ",precision,recall,f1-score,support\n0,0.8,0.8,0.8,5\n1,0.8,0.8,0.8,5\naccuracy,0.8,0.8,0.8,0.8\n"
        "macro avg,0.8,0.8,0.8,10\n",
    ]
    for table in tables:
        path.write_text(table, encoding="utf-8")
        run = read(folder)
        assert (run.metrics["accuracy"], run.metrics["macro_f1"], run.per_class["0"]["precision"]) == (0.8, 0.8, 0.8)
        assert run.warnings == ()


@pytest.mark.parametrize(
    "name", ["summary.json", "train_history.csv", "metrics/val_metrics.json", "val_predictions.csv"]
)
def test_a_missing_required_file_is_named_with_its_remedy(tmp_path: Path, name: str) -> None:
    """The message is that of the issue; the run is still claimed as a training run."""
    folder = write_run(tmp_path / "results_1")
    (folder / name).unlink()
    assert TrainingRunFormat().claims(folder)
    with pytest.raises(DataError) as caught:
        read(folder)
    assert str(caught.value).startswith(f"File not found: {folder}/{name}; a training run needs it")


def test_a_checkpoint_is_never_opened_and_no_pickle_is_loaded(tmp_path: Path) -> None:
    """A checkpoint and an array that would run code when loaded run none, and the array is reported."""

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return open, (str(tmp_path / "exploded"), "w")  # type: ignore[return-value]

    folder = write_run(tmp_path / "r")
    (folder / "best_model.pt").write_bytes(pickle.dumps(Bomb()))
    (folder / "confusion_matrix.png").write_bytes(b"no picture")
    np.save(folder / "embeddings_val.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    run = read(folder)
    assert not (tmp_path / "exploded").exists()
    assert run.warnings == (
        "run: embeddings_val.npy: holds Python objects, which are never unpickled, and is left out",
    )


def test_trial_records_of_optuna_and_ray(tmp_path: Path) -> None:
    """Parameters and number of the trial come from either; a failed trial and a broken line are reported."""
    folder = write_run(tmp_path / "r")
    record = {"number": 7, "params": {"lr": 0.3}, "state": "TrialState.FAIL"}
    (folder / "optuna_trial.json").write_text(json.dumps(record), encoding="utf-8")
    lines = '{"trial_id": "ab1", "config": {"wd": 0.5}, "loss": 1}\nnot json\n'
    (folder / "ray_result.jsonl").write_text(lines, encoding="utf-8")
    run = read(folder)
    assert (run.trial, run.config) == ("7", {"lr": 0.3, "wd": 0.5})
    assert "the trial's state is TrialState.FAIL" in run.warnings[0]
    assert "ray_result.jsonl:2" in run.warnings[1]


@pytest.mark.parametrize(
    ("history", "divergence"),
    [
        ("epoch,train_loss\n1,1.0\n2,nan\n", "train_loss is nan in epoch 2"),
        ("epoch,train_loss\n1,1.0\n2,3.0\n", "the training loss ends at 3, above the 1"),
        ("train_loss;val_loss\n1,0;1,0\n0,5;0,2\n0,4;0,9\n", "the validation loss ends at 0.9, over 2 times"),
        ("epoch,loss,note\n1,1.0,=cmd\n2,0.5,\n", None),
    ],
)
def test_divergence_is_seen_in_the_history(tmp_path: Path, history: str, divergence: str | None) -> None:
    """Not finite, above where it began, or far above its least value."""
    run = read(write_run(tmp_path / "r", history=history))
    assert run.training is not None
    assert (run.training.divergence or "").startswith(divergence or "")
    assert (run.training.divergence is None) == (divergence is None)


def test_a_history_as_json_keeps_its_nan(tmp_path: Path) -> None:
    """Lists by name and lists of epochs are read alike."""
    folder = write_run(tmp_path / "r")
    (folder / "train_history.csv").unlink()
    for text in ('{"loss": [1.0, NaN]}', '{"history": [{"loss": 1.0}, {"loss": NaN}]}'):
        (folder / "train_history.json").write_text(text, encoding="utf-8")
        history = read(folder).training
        assert history is not None
        assert (history.n_epochs, history.divergence) == (2, "loss is nan in epoch 2")


def test_a_flat_summary_keeps_settings_and_leaves_results_and_places_out(tmp_path: Path) -> None:
    """Without a key for hyper-parameters, what names, places or times the run is not a setting."""
    folder = write_run(tmp_path / "r")
    summary = {
        "random_seed": 9,
        "lr": 0.1,
        "optimizer": {"name": "adam", "beta": 0.9},
        "output_dir": "/x",
        "best_val_acc": 0.9,
        "timestamp": "now",
        "git": {"commit": "abc-dirty"},
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    run = read(folder)
    assert (run.seed, run.git_hash, run.git_dirty) == (9, "abc", True)
    assert run.config == {"lr": 0.1, "optimizer.beta": 0.9, "optimizer.name": "adam"}


TEXT_CLASSES = "id,true,pred\n" + "".join(
    f"i{n},{('low', 'medium', 'high')[n % 3]},{('low', 'medium', 'high')[n % 3 if n < 9 else (n + 1) % 3]}\n"
    for n in range(12)
)


def test_quadratic_kappa_needs_classes_in_order(tmp_path: Path) -> None:
    """Of three named classes none is computed, with the reason; what is reported stands; of numbers it is computed."""
    run = read(write_run(tmp_path / "named", predictions=TEXT_CLASSES, metrics={"accuracy": 0.75}))
    assert run.metrics["kappa"] is None
    assert any("kappa is not computed" in line and "high, low, medium are not numbers" in line for line in run.warnings)
    run = read(write_run(tmp_path / "told", predictions=TEXT_CLASSES, metrics={"accuracy": 0.75, "qwk": 0.4}))
    assert (run.metrics["kappa"], run.warnings) == (0.4, ())
    numbers = TEXT_CLASSES.replace("low", "0").replace("medium", "1").replace("high", "2")
    assert read(write_run(tmp_path / "numbers", predictions=numbers)).metrics["kappa"] is not None


@pytest.mark.parametrize(
    ("metrics", "name", "value", "warning"),
    [
        ({"accuracy": 72}, "accuracy", 0.8, "accuracy is reported as 72, which is not a share of one"),
        ({"accuracy": 0.8, "auc": 93.1}, "auc_ovr", None, "auc_ovr is reported as 93.1, which is not a share of one"),
        ({"accuracy": 0.8, "macro_recall": 70}, "macro_recall", None, "macro_recall is reported as 70"),
    ],
)
def test_what_is_no_share_is_never_taken_as_one(
    tmp_path: Path, metrics: dict[str, object], name: str, value: float | None, warning: str
) -> None:
    """A percentage that the predictions do not confirm is replaced by what they make, or left out."""
    run = read(write_run(tmp_path / "r", metrics=metrics))
    assert run.metrics[name] == value
    assert any(warning in line for line in run.warnings)


def test_percentages_of_classes_are_read_as_shares(tmp_path: Path) -> None:
    """80 is 0.8 where the predictions say so; 55 is none, and the predictions' value stands."""
    run = read(write_run(tmp_path / "r", metrics={"accuracy": 0.8, "precision_0": 80, "recall_0": 55}))
    assert (run.per_class["0"]["precision"], run.per_class["0"]["recall"]) == (0.8, 0.8)
    assert any("precision of class 0 = 80 is a percentage" in line for line in run.warnings)
    assert any("recall of class 0 = 55 is not a share of one" in line for line in run.warnings)


@pytest.mark.parametrize(
    ("reported", "what"),
    [
        ('{"accuracy": "0.71"}', 'accuracy is "0.71", which is not a number'),
        ('{"val_acc": NaN}', "val_acc is undefined (NaN, null or empty)"),
        ('{"accuracy": {"mean": 0.7}}', 'accuracy is {"mean": 0.7}, which is not a number'),
        ('{"accuracy": [0.5, 0.6]}', "accuracy is [0.5, 0.6], which is not a number"),
    ],
)
def test_what_is_no_number_is_reported_when_it_is_replaced(tmp_path: Path, reported: str, what: str) -> None:
    """The metric and what stood there; the predictions make it."""
    folder = write_run(tmp_path / "r")
    (folder / "metrics" / "val_metrics.json").write_text(reported, encoding="utf-8")
    run = read(folder)
    assert run.metrics["accuracy"] == 0.8
    assert [line for line in run.warnings if f"{what}: accuracy is what the predictions make" in line]


def test_text_in_a_table_of_metrics_is_reported(tmp_path: Path) -> None:
    """A word in the place of a standard metric; a percentage is a number, with a comma too; a name is none."""
    folder = write_run(tmp_path / "r")
    (folder / "metrics" / "val_metrics.json").unlink()
    table = "run;accuracy;kappa\nx;70,1 %;oops\n"
    (folder / "metrics" / "val_metrics.csv").write_text(table, encoding="utf-8")
    run = read(folder)
    assert run.metrics["accuracy"] == pytest.approx(0.701)
    assert len(run.warnings) == 2
    assert 'kappa is "oops", which is not a number' in run.warnings[0]
    assert "accuracy is reported as 0.7010, and the predictions make 0.8000" in run.warnings[1]

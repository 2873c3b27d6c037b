"""Training runs that are written oddly: what they mean is read, and what cannot be known is reported."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError
from exaid_evals.export.diagnosis import diagnose
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import consolidate
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.training_history import may_stop_early
from exaid_evals.runs.formats.training_run import TrainingRunFormat
from export.training_runs import shifted, write_run


def read(folder: Path) -> Run:
    """Read a run."""
    return TrainingRunFormat().read(Source(folder), "run")


@pytest.mark.parametrize(
    ("name", "content", "warning"),
    [
        ("metrics/val_metrics.json", '{"accuracy": 0.2, "accuracy": 0.8}', "'accuracy' stands 2 times"),
        ("metrics/val_metrics.json", '{"accuracy" : 0.2, "accuracy" : 0.8, "kappa": NaN}', "as 0.2 and 0.8; the last"),
        ("summary.json", '{"seed": 1, "config": {"lr": 0.1, "lr": 0.2}}', "'lr' stands 2 times in one object, as 0.1"),
        ("summary.json", '{"seed": 3, "seed": 3}', "'seed' stands 2 times"),
    ],
)
def test_a_key_that_is_a_duplicate_is_reported(tmp_path: Path, name: str, content: str, warning: str) -> None:
    """The key, its values, and that the last one counted; from the fast parser and from the slow one."""
    folder = write_run(tmp_path / "r")
    (folder / name).write_text(content, encoding="utf-8")
    run = read(folder)
    assert [line for line in run.warnings if f"run: {name}: the key {warning}" in line or warning in line]
    assert run.metrics["accuracy"] == 0.8


def test_texts_that_look_like_keys_are_no_keys(tmp_path: Path) -> None:
    """A quotation mark and a colon within a text, and one key in two objects, are nothing to tell."""
    folder = write_run(tmp_path / "r", config={"prompt": 'he said "a": and "a":', "a": {"x": 1}, "b": {"x": 2}})
    assert read(folder).warnings == ()


@pytest.mark.parametrize(
    ("history", "divergence"),
    [
        ("Epoch,Train Loss,Val Loss\n1,1,1\n2,9,9\n", "the training loss ends at 9, above the 1"),
        ("step,Loss/train\n1,1.0\n2,nan\n", "Loss/train is nan in epoch 2"),
        ("epoch,trainLoss,valLoss\n1,1,0.2\n2,0.5,0.9\n", "the validation loss ends at 0.9, over 2 times"),
        ("epoch,valAcc\n1,0.9\n2,0.1\n", "valAcc ends at 0.1, under its best value 0.9"),
        ("epoch,train/box_loss\n1,0.5\n2,inf\n", "train/box_loss is inf in epoch 2"),
        ("epoch,loss,val_loss\n1,-1,-1\n2,-2,5\n", "the validation loss ends at 5, further above its beginning"),
        ("epoch,Train Loss,Val Accuracy\n1,1,0.5\n2,0.4,0.8\n", None),
    ],
)
def test_divergence_is_seen_under_any_header(tmp_path: Path, history: str, divergence: str | None) -> None:
    """Blanks, capitals, TensorBoard's and Keras' names; accuracies where there is no loss."""
    found = read(write_run(tmp_path / "r", history=history)).training
    assert found is not None
    assert (found.divergence or "None").startswith(str(divergence))


@pytest.mark.parametrize(
    ("history", "warning"),
    [
        ("epoch,train_loss,val_loss\n1,1.0,\n2,,\n", "train_loss is empty in the last 1 of 2 epochs"),
        ("epoch,train_loss,val_loss\n1,1.0,\n2,0.9,\n", "val_loss is empty in all 2 epochs"),
        ("epoch,Train Loss\n1,1\n2,x\n3,0.5\n", "Train Loss is 'x' in row 2, which is not a number"),
        # Validation every second epoch, and a row for each of training and validation, are habits and no oddities.
        ("epoch,train_loss,val_loss\n1,1.0,\n2,0.9,0.8\n3,0.8,\n4,0.7,0.7\n5,0.6,\n", None),
    ],
)
def test_losses_that_say_nothing_are_reported(tmp_path: Path, history: str, warning: str | None) -> None:
    """Text and gaps in a loss may be what NaN left; gaps at intervals are none."""
    warnings = read(write_run(tmp_path / "r", history=history)).warnings
    if warning is None:
        assert warnings == ()
    else:
        assert [line for line in warnings if f"train_history.csv: {warning}" in line]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"scheduler.patience": 3}, False),
        ({"lr_scheduler.plateau.patience": 3}, False),
        ({"patience": 3}, True),
        ({"early_stopping.monitor": "val_loss", "early_stopping.min_delta": 0}, True),
        ({"early_stopping.enabled": False, "early_stopping.patience": 5}, False),
        ({"early_stopping": False}, False),
    ],
)
def test_only_a_rule_that_ends_training_is_early_stopping(config: dict[str, object], expected: bool) -> None:
    """A scheduler's patience lowers the learning rate, and a rule that is switched off ends nothing."""
    assert may_stop_early(config) is expected


def test_a_cut_history_beside_a_scheduler_is_reported(tmp_path: Path) -> None:
    """What the patience of a scheduler hid before: two of twenty epochs, and nothing to stop early."""
    config = {"epochs": 20, "scheduler": {"patience": 3}}
    run = read(write_run(tmp_path / "r", config=config))
    assert any("ends after 2 of 20 epochs" in line for line in diagnose([run], {}, "seed"))


def test_settings_and_counts_beside_metrics_are_no_metrics(tmp_path: Path) -> None:
    """They are kept under the name they have, and no mean is taken over them."""
    metrics = {"accuracy": 0.8, "val_loss": 0.4, "epoch": 7, "lr": 0.001, "seed": 3, "n_samples": 10, "best_epoch": 5}
    run = read(write_run(tmp_path / "r", metrics=metrics))
    assert set(run.metrics) & {"epoch", "lr", "seed", "n_samples", "best_epoch"} == set()
    assert run.metrics["loss"] == 0.4
    beside = {"epoch": 7.0, "lr": 0.001, "seed": 3.0, "n_samples": 10.0, "best_epoch": 5.0}
    assert run.attributes["beside_metrics"] == beside


ELEVEN = "id,true,pred\n" + "".join(f"i{n},{n % 2},{1 - n % 2 if n < 4 else n % 2}\n" for n in range(11))


@pytest.mark.parametrize(
    ("metrics", "reported"),
    [
        ({"accuracy": 0.64}, False),  # 7/11 = 0.63636…
        ({"accuracy": 0.636}, False),
        ({"accuracy": 0.65}, True),
        ({"accuracy": 0.64, "macro_f1": 0.6333333}, True),  # who writes seven decimals has not rounded to two
        ({"accuracy": 64}, True),
        ({"accuracy": 63.6}, True),
    ],
)
def test_a_report_is_held_to_the_decimals_that_it_has(
    tmp_path: Path, metrics: dict[str, float], reported: bool
) -> None:
    """Two decimals stand for half a hundredth around them, more decimals for less; percentages are reported as such."""
    run = read(write_run(tmp_path / "r", predictions=ELEVEN, metrics=metrics))
    lines = [line for line in run.warnings if "accuracy" in line]
    assert bool(lines) is reported
    if metrics["accuracy"] > 1:
        assert "is a percentage, and is read as" in lines[0]


def test_runs_of_run_eval_keep_their_signature_and_rank_themselves(tmp_path: Path) -> None:
    """Its summary says how the numbers were made, which metric ranks and which way; seeds alone are no other making."""
    for seed, value in ((1, 9.0), (2, 7.0)):
        write_run(
            tmp_path / f"results_{seed}",
            metrics={"accuracy": 0.8, "perplexity": value},
            predictions=shifted(2),
            seed=seed,
            signature=f"exaid-evals/1|task:t/val|cfg:{seed}|boot:10000/{seed}|stub:no",
            primary_metric="perplexity",
            lower_is_better=True,
            stub=False,
        )
    runs = read_runs([tmp_path / "results_1", tmp_path / "results_2"]).runs
    export = consolidate(runs)
    assert export.best is not None
    assert (export.primary_metric, export.best.run, export.lower) == ("perplexity", "results_2", True)
    assert [run.signature for run in runs] == [
        f"exaid-evals/1|task:t/val|cfg:{n}|boot:10000/{n}|stub:no" for n in (1, 2)
    ]
    assert not [line for line in export.warnings if "different settings" in line]


def test_what_has_no_signature_says_so(tmp_path: Path) -> None:
    """No cell of stub and signature is empty: `unknown` and `none` differ from a column that was forgotten."""
    write_run(tmp_path / "results_1")
    write_run(tmp_path / "results_2", predictions=shifted(3), metrics={}, seed=2, stub=False, signature="made|so")
    assert cli(["export", "--runs", f"{tmp_path}/results_*", "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "exported_metrics.csv").open(encoding="utf-8") as stream:
        rows = [(row["stub"], row["signature"]) for row in csv.DictReader(stream)]
    assert rows == [("unknown", "none"), ("false", "made|so")]


@pytest.mark.parametrize("alias", ["acc", "val/Acc", "accuracy"])
def test_a_primary_metric_is_found_by_the_names_that_files_give_it(tmp_path: Path, alias: str) -> None:
    """What readers accept the option does; what is not a metric is still refused."""
    runs = read_runs([write_run(tmp_path / "results_1")]).runs
    assert consolidate(runs, alias).primary_metric == "accuracy"
    with pytest.raises(ConfigError, match="no run has the metric 'wobble'"):
        consolidate(runs, "wobble")


def drift(first: object, second: object) -> list[str]:
    """Return what is said of two runs whose one setting has these values."""
    runs = [
        Run(name, "training_run", {"accuracy": 0.5}, config={"wd": value}, seed=seed)
        for seed, (name, value) in enumerate((("a", first), ("b", second)))
    ]
    return [line for line in diagnose(runs, {}, "seed") if "drift" in line]


def test_a_number_is_the_same_setting_however_it_is_written() -> None:
    """YAML reads 1e-4 as text, tables make 32.0 of 32; what rounding alone would make equal is not."""
    assert drift("1e-4", 0.0001) == drift(32, 32.0) == drift("0.10", 0.1) == []
    assert len(drift(1e-7, 2e-7)) == len(drift("adam", "sgd")) == len(drift(1, None)) == 1


def test_a_tiny_setting_is_not_written_as_zero(tmp_path: Path) -> None:
    """Six decimals are for large numbers: a learning rate of 1e-7 stays one, in CSV and JSON."""
    write_run(tmp_path / "results_1", config={"lr": 1e-7, "wd": 0.01})
    assert cli(["export", "--run", str(tmp_path / "results_1"), "--out", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "exported_metrics.csv").open(encoding="utf-8") as stream:
        assert [row["config.lr"] for row in csv.DictReader(stream)] == ["1e-07"]
    summary = json.loads((tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8"))
    assert summary["runs"][0]["config"] == {"lr": 1e-07, "wd": 0.01}

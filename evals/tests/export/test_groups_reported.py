"""What is said of several runs: folds that failed, ties, groups that must not be pooled, captions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from exaid_evals.export.aggregate import best_and_worst
from exaid_evals.runs.base import Run
from export.training_runs import shifted, write_run


def folds(root: Path, model: str, wrong: list[int], **changes: object) -> Path:
    """Write the folds of a cross-validation, of which so many items are wrong each."""
    for fold, n in enumerate(wrong):
        predictions = shifted(n).replace("i", f"{model}{fold}-")
        predictions = predictions.replace(f"{model}{fold}-d", "id", 1)
        write_run(root / model / f"fold_{fold}" / "results", metrics={}, predictions=predictions, **changes)  # type: ignore[arg-type]
    return root / model


def test_a_fold_that_failed_shows_in_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many there should be, which failed and why; in the JSON, below the table and on stderr."""
    top = folds(tmp_path, "resnet", [1, 2, 3])
    (top / "fold_1" / "results" / "summary.json").write_text("{", encoding="utf-8")
    assert cli(["export", "--run", str(top), "--out", str(tmp_path / "out")]) == 3
    record = json.loads((tmp_path / "out" / "cv_summary.json").read_text(encoding="utf-8"))
    assert list(violations(record)) == []
    group = record["groups"]["resnet"]
    assert (group["n_expected"], [one["fold"] for one in group["folds"]]) == (3, [0, 2])
    [failed] = group["failed"]
    assert (failed["run"], failed["fold"]) == ("fold_1/results", 1)
    assert failed["problem"].startswith("summary.json:1: not valid JSON")
    assert "1 of 3 folds cannot be read" in (tmp_path / "out" / "cv_summary.md").read_text(encoding="utf-8")
    assert "1 of 3 folds cannot be read: fold_1/results (fold 1)" in capsys.readouterr().err


def test_a_fold_that_is_not_there_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gap in the numbers, which no folder shows."""
    top = folds(tmp_path, "resnet", [1, 2, 3])
    (top / "fold_1").rename(tmp_path / "elsewhere")
    assert cli(["export", "--run", str(top), "--out", str(tmp_path / "out")]) == 0
    assert "there is no fold 1 between 0 and 2" in capsys.readouterr().err


def test_a_trial_that_failed_shows_in_the_summary(tmp_path: Path) -> None:
    """As folds do."""
    for number in range(3):
        config = {"lr": 0.1 * (number + 1)}
        write_run(tmp_path / "hpo" / f"trial_{number}", config=config, metrics={}, predictions=shifted(number))
    (tmp_path / "hpo" / "trial_2" / "val_predictions.csv").unlink()
    assert cli(["export", "--run", str(tmp_path / "hpo"), "--out", str(tmp_path / "out")]) == 3
    record = json.loads((tmp_path / "out" / "hpo_summary.json").read_text(encoding="utf-8"))
    assert list(violations(record)) == []
    group = record["groups"]["hpo"]
    assert (group["n_expected"], [one["trial"] for one in group["failed"]]) == (3, ["2"])


def test_cross_validations_are_reported_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No mean over two models' folds on stdout, and no best run among them all."""
    for model, wrong in (("resnet", [0, 1]), ("vit", [4, 5])):
        folds(tmp_path, model, wrong)
    runs = f"{tmp_path}/*/fold_*/results"
    assert cli(["export", "--runs", runs, "--out", str(tmp_path / "out"), "--primary-metric", "accuracy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:-1] == [
        "resnet: 2 runs",
        "  accuracy  0.950 ± 0.050 (n = 2)",
        "  kappa     0.900 ± 0.100 (n = 2)",
        "  macro_f1  0.949 ± 0.051 (n = 2)",
        "  accuracy: best resnet/fold_0/results (1.0000), worst resnet/fold_1/results (0.9000)",
        "vit: 2 runs",
        "  accuracy  0.550 ± 0.050 (n = 2)",
        "  kappa     0.100 ± 0.100 (n = 2)",
        "  macro_f1  0.547 ± 0.053 (n = 2)",
        "  accuracy: best vit/fold_0/results (0.6000), worst vit/fold_1/results (0.5000)",
    ]


def test_models_over_seeds_are_reported_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs whose settings name two models; with --group-by none they are one list, as was asked for."""
    for number, model in enumerate(("resnet", "resnet", "vit", "vit")):
        config = {"model": model, "lr": 0.1}
        folder = tmp_path / f"results_{number}"
        write_run(folder, config=config, metrics={}, predictions=shifted(number), seed=number)
    arguments = ["export", "--runs", f"{tmp_path}/results_*", "--out", str(tmp_path / "out")]
    assert cli(arguments) == 0
    out = capsys.readouterr().out
    assert "resnet: 2 runs\n  accuracy  0.950" in out
    assert "vit: 2 runs\n  accuracy  0.750" in out
    assert cli([*arguments, "--group-by", "none"]) == 0
    assert "\naccuracy  0.850" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "line", "worst"),
    [
        ([2, 2], "accuracy: neither best nor worst, results_0, results_1 (tied at 0.8000)", None),
        ([1, 1, 2], "accuracy: best results_0, results_1 (tied at 0.9000), worst results_2 (0.8000)", "results_2"),
        ([1, 2, 2], "accuracy: best results_0 (0.9000), worst results_1, results_2 (tied at 0.8000)", "results_1"),
    ],
)
def test_ties_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[int], line: str, worst: str | None
) -> None:
    """Who shares the best or worst value is named, and nobody is both."""
    for number, n in enumerate(wrong):
        predictions = shifted(n) if number != 1 else shifted(0).replace("i9,1,1", "i9,1,0")
        if number == 1 and n == 2:
            predictions = predictions.replace("i8,0,0", "i8,0,1")
        write_run(tmp_path / f"results_{number}", metrics={}, predictions=predictions, seed=number)
    arguments = ["export", "--runs", f"{tmp_path}/results_*", "--out", str(tmp_path / "out")]
    assert cli([*arguments, "--primary-metric", "accuracy"]) == 0
    assert line in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8"))
    assert list(violations(summary)) == []
    assert (summary["worst_run"] or {}).get("run") == worst
    assert summary["best_run"]["run"] == "results_0"
    assert summary["best_run"].get("tied", []) == (["results_1"] if wrong[0] == wrong[1] else [])


def test_one_run_is_best_and_no_worst() -> None:
    """Nothing is worse than the only one."""
    best, worst = best_and_worst([Run("a", "test", {"loss": 1.0})], "loss", lower=True)
    assert best is not None
    assert (best.run, best.tied, worst) == ("a", (), None)


def test_captions_name_n_and_what_is_undefined_and_no_warnings(tmp_path: Path) -> None:
    """A paper's caption is about its numbers; warnings stand below the Markdown, in the JSON and on stderr."""
    write_run(tmp_path / "results_1", metrics={"accuracy": 0.8, "dice": 0.5})
    write_run(tmp_path / "results_2", predictions=shifted(3), metrics={}, seed=1)
    assert cli(["export", "--runs", f"{tmp_path}/results_*", "--out", str(tmp_path / "out")]) == 0
    texts = {path.suffix: path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("aggregated_metrics.*")}
    assert "Warning" not in texts[".tex"]
    assert "Warning: duplicate seed 1" in texts[".md"]
    for text in (texts[".tex"], texts[".md"]):
        assert "n = 2 runs" in text
        assert "Undefined in some runs, which are left out of its mean:" in text
        assert "dice (1)" in text
        assert "by:seed" in text


def test_a_search_with_one_seed_has_no_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs of one seed whose learning rates differ are a search: ranked, not averaged, and no copies of each other."""
    for at in (1, 2, 3):
        run = tmp_path / f"runs/version_{at}"
        run.mkdir(parents=True)
        (run / "metrics.csv").write_text(f"epoch,step,val_acc\n0,1,0.{at}\n")
        (run / "hparams.yaml").write_text(f"lr: 0.{at}\nseed: 7\n")
    assert cli(["export", "--run", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert "val_acc: best version_3 (0.3000), worst version_1 (0.1000)" in shown.out
    assert "±" not in shown.out
    assert "duplicate seed" not in shown.err
    assert "drift" not in shown.err


def test_a_lone_run_shows_what_ranks_such_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YOLO has no accuracy: its mAP is shown."""
    (tmp_path / "results.csv").write_text("epoch,train/box_loss,metrics/mAP50(B),metrics/mAP50-95(B)\n1,1.2,0.5,0.31\n")
    assert cli(["export", "--run", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert "metrics/mAP50-95(B) 0.3100" in capsys.readouterr().out


def test_no_name_of_a_metric_writes_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wherever one is shown: its mean, and which runs are best and worst by it."""
    for at in (1, 2):
        folder = tmp_path / f"runs/run{at}"
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text(
            "".join(f'{{"epoch": {epoch}, "\\u001b[2J/val_accuracy": 0.{at}}}\n' for epoch in (1, 2))
        )
    assert cli(["export", "--runs", str(tmp_path / "runs/*"), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    assert r"\x1b[2J/val_accuracy: best" in shown.out
    assert "\x1b" not in shown.out + shown.err

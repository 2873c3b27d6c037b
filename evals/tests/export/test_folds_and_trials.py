"""Cross-validations and searches: the golden ones, by hand and by the standard library."""

from __future__ import annotations

import csv
import json
import shutil
import statistics
from pathlib import Path

import pytest

from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import consolidate
from export.training_runs import GOLD, copied

CV, HPO = GOLD / "cv" / "sgd", GOLD / "hpo_runs"


def test_folds_are_summed_up(tmp_path: Path) -> None:
    """The folder of folds gives every fold, and mean, σ, range and n of each metric, as `statistics` has them."""
    assert cli(["export", "--run", str(CV), "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "cv_summary.json").read_text(encoding="utf-8"))
    assert list(violations(record)) == []
    group = record["groups"]["sgd"]
    assert [fold["fold"] for fold in group["folds"]] == [0, 1, 2]
    files = [CV / f"fold_{fold}" / "results" / "metrics" / "val_metrics.json" for fold in range(3)]
    values = [json.loads(path.read_text())["accuracy"] for path in files]
    accuracy = group["metrics"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert accuracy["std"] == pytest.approx(statistics.pstdev(values), abs=1e-6)
    assert accuracy["range"] == pytest.approx(max(values) - min(values), abs=1e-6)
    assert (accuracy["n"], accuracy["n_missing"]) == (3, 0)


def test_folds_that_are_named_one_by_one_are_the_same_cross_validation(tmp_path: Path) -> None:
    """A pattern over results folders gives the summary that naming the folder gives."""
    assert cli(["export", "--run", str(CV), "--out", str(tmp_path / "a")]) == 0
    assert cli(["export", "--runs", f"{CV}/fold_*/results", "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "a" / "cv_summary.json").read_bytes() == (tmp_path / "b" / "cv_summary.json").read_bytes()


def test_cross_validations_of_several_models_stay_apart(tmp_path: Path) -> None:
    """Two folders of folds are two groups, also where the models' folders bear one name."""
    folders = [shutil.copytree(CV, tmp_path / where / "sgd") for where in ("first", "second")]
    export = consolidate(read_runs(folders).runs)
    assert [(group.name, len(group.runs)) for group in export.folds] == [("first/sgd", 3), ("second/sgd", 3)]


def test_trials_stand_best_first_beside_what_varies(tmp_path: Path) -> None:
    """Of the settings only alpha varies; the order is that of the primary metric."""
    assert cli(["export", "--run", str(HPO), "--out", str(tmp_path), "--primary-metric", "accuracy"]) == 0
    with (tmp_path / "hpo_summary.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:5] == ["run", "rank", "trial", "alpha", "accuracy"]
    assert [float(row["accuracy"]) for row in rows] == sorted((float(row["accuracy"]) for row in rows), reverse=True)
    by_trial = {row["trial"]: float(row["alpha"]) for row in rows}
    for number, alpha in by_trial.items():
        written = json.loads((HPO / f"trial_{number}" / "optuna_trial.json").read_text())["params"]["alpha"]
        assert alpha == pytest.approx(written, rel=1e-5)
    assert list(violations(json.loads((tmp_path / "hpo_summary.json").read_text(encoding="utf-8")))) == []
    summary = json.loads((tmp_path / "exported_summary.json").read_text(encoding="utf-8"))
    assert summary["group_by"] == "trial"
    assert not [line for line in summary["warnings"] if "drift" in line]


def test_a_trial_without_the_metric_comes_last_without_a_rank(tmp_path: Path) -> None:
    """Missing is not a worst value."""
    folder = copied("hpo_runs", tmp_path / "hpo_runs")
    path = folder / "trial_0" / "metrics" / "val_metrics.json"
    own = json.loads(path.read_text())
    for number in range(1, 4):
        other = folder / f"trial_{number}" / "metrics" / "val_metrics.json"
        other.write_text(json.dumps({**json.loads(other.read_text()), "dice": number}))
    path.write_text(json.dumps(own))
    assert cli(["export", "--run", str(folder), "--out", str(tmp_path / "o"), "--primary-metric", "dice"]) == 0
    with (tmp_path / "o" / "hpo_summary.csv").open(encoding="utf-8") as stream:
        assert [(row["trial"], row["rank"]) for row in csv.DictReader(stream)] == [
            ("3", "1"),
            ("2", "2"),
            ("1", "3"),
            ("0", ""),
        ]


def test_grouping_by_what_the_runs_are_not_is_refused() -> None:
    """Seeds are not folds, and the message says what folds are called."""
    runs = read_runs([GOLD / "digits" / "results_4"]).runs
    with pytest.raises(ConfigError, match="1 of 1 runs have no fold: results_4"):
        consolidate(runs, by="fold")

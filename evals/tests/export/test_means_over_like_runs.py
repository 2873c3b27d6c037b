"""Means are taken over runs that differ in seed or fold alone, with intervals that hold for few runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from exaid_evals.errors import ConfigError
from exaid_evals.export.aggregate import aggregate, best_and_worst
from exaid_evals.export.export_table import fitted, width_of
from exaid_evals.export.stage import consolidate
from exaid_evals.export.tables import aggregated_table, runs_table
from exaid_evals.export.write import summary_record
from exaid_evals.runs.base import Run


def runs_with(**settings: list[object]) -> list[Run]:
    """Return runs whose settings are those at the same place of each list; `model` and `wandb_group` are attributes."""
    n = len(next(iter(settings.values())))
    found = []
    for at in range(n):
        values = {key: column[at] for key, column in settings.items()}
        attributes = {key: values.pop(key) for key in ("model", "wandb_group", "mlflow_experiment") if key in values}
        found.append(Run(f"r{at}", "csv", {"accuracy": 0.5 + at / 100}, config=values, seed=at, attributes=attributes))
    return found


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_the_t_interval_is_scipys(n: int) -> None:
    """Mean ± t · s/√n, as SciPy computes it."""
    values = np.random.default_rng(n).normal(size=n).tolist()
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    one = aggregate(values)
    assert (one.ci95_t_low, one.ci95_t_high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


def test_the_t_interval_covers_what_it_says_of_three_runs() -> None:
    """Of 2,000 samples of three about 95 % of the intervals hold the mean, and of those with 1.96 about 81 %."""
    samples = np.random.default_rng(7).normal(size=(2000, 3))
    made = [aggregate(row) for row in samples.tolist()]
    by_t = np.mean([(one.ci95_t_low or 0) <= 0 <= (one.ci95_t_high or 0) for one in made])
    by_z = np.mean([(one.ci95_low or 0) <= 0 <= (one.ci95_high or 0) for one in made])
    assert abs(by_t - 0.95) < 0.02
    assert abs(by_z - 0.81) < 0.03


@pytest.mark.parametrize(
    ("settings", "groups"),
    [
        ({"lr": [0.1, 0.1, 0.1]}, [["r0", "r1", "r2"]]),
        ({"model": ["a", "b", "c"]}, [["r0"], ["r1"], ["r2"]]),
        ({"model": ["a", "a", "b"]}, [["r0", "r1"], ["r2"]]),
        ({"wandb_group": ["g", "h", "g"]}, [["r0", "r2"], ["r1"]]),
        ({"mlflow_experiment": ["1", "2"]}, [["r0"], ["r1"]]),
        ({"lr": [0.1, "1e-1", 0.2, 0.2]}, [["r0", "r1"], ["r2", "r3"]]),
        ({"split_seed": [1, 1, 2, 2]}, [["r0", "r1", "r2", "r3"]]),
        ({"note": ["x", "y", "z"]}, [["r0", "r1", "r2"]]),
    ],
)
def test_unlike_runs_are_groups(settings: dict[str, list[object]], groups: list[list[str]]) -> None:
    """Models, groups, experiments and shared settings part them; seeds, and what names each run, do not."""
    export = consolidate(runs_with(**settings))
    assert [[run.name for run in group.runs] for group in export.groups] == groups
    record = summary_record(export, "s")
    assert bool(record["aggregated"]) == (len(groups) == 1)
    if len(groups) > 1:
        assert [one["runs"] for one in record["groups"]] == groups
        assert "mean ± σ" not in dict(runs_table(export, "s").rows)
        notes = " ".join(aggregated_table(export, "s").notes)
        assert f"each of {len(groups)} groups" in notes


def test_a_comparison_of_models_is_no_drift() -> None:
    """As many runs of each model are compared on purpose, with whatever goes with a model; one odd run is not."""

    def drift(**settings: list[object]) -> list[str]:
        warnings = consolidate(runs_with(**settings)).warnings
        return [line.partition(":")[2].split()[0] for line in warnings if line.startswith("configuration drift")]

    planned: dict[str, list[object]] = {"backbone": ["a", "a", "b", "b"], "layers": [2, 2, 9, 9]}
    assert drift(**planned) == []
    assert drift(**planned, note=["x", "x", "x", "y"]) == ["note"]
    assert drift(backbone=["a", "a", "a", "b"], layers=[2, 2, 2, 9]) == ["backbone", "layers"]


def test_no_mean_over_trials_stands_anywhere() -> None:
    """A search has the best of its trials; a mean over them estimates nothing."""
    trials = [Run(f"t{at}", "optuna", {"value": float(at)}, trial=str(at), default_primary="value") for at in range(3)]
    record = summary_record(consolidate(trials, better="higher"), "s")
    assert (record["aggregated"], record["best_run"]["run"]) == ({}, "t2")


def test_better_alone_has_an_effect_or_says_why_not() -> None:
    """It ranks by the only metric there is; of several, one must be named."""
    runs = [Run(f"r{at}", "csv", {"speed": float(at)}, trial=str(at)) for at in range(3)]
    best = consolidate(runs, better="lower").best
    assert best is not None
    assert best.run == "r0"
    several = [Run(run.name, "csv", {**run.metrics, "size": 1.0}, trial=run.trial) for run in runs]
    with pytest.raises(ConfigError, match="--primary-metric: there are size, speed"):
        consolidate(several, better="lower")


@pytest.mark.parametrize("unlike", [{"form": "optuna", "trial": True}, {"form": "model_reports", "trial": False}])
def test_the_table_of_runs_has_a_mean_over_like_runs_alone(unlike: dict[str, Any]) -> None:
    """Seeds have one; the trials of a search, and reports of models, have none."""

    def means(form: str, *, trial: bool) -> bool:
        runs = [
            Run(f"r{at}", form, {"f1": at / 10}, seed=None if trial else at, trial=str(at) if trial else None)
            for at in range(3)
        ]
        sheet = runs_table(consolidate(runs, "f1", better="higher"), "s")
        assert ("no mean is taken" in sheet.notes[0]) == ("mean ± σ" not in dict(sheet.rows))
        assert ("mean ± σ" in aggregated_table(consolidate(runs, "f1", better="higher"), "s").columns) == (
            "mean ± σ" in dict(sheet.rows)
        )
        return "mean ± σ" in dict(sheet.rows)

    assert means("csv", trial=False)
    assert not means(**unlike)


def test_any_setting_groups_runs() -> None:
    """`--group-by` names it; one that no run has is wrong usage."""
    runs = runs_with(depth=[1, 2, 1, 2], lr=[1, 2, 3, 4])
    export = consolidate(runs, by="depth")
    assert [group.name for group in export.groups] == ["depth 1", "depth 2"]
    with pytest.raises(ConfigError, match="no run has a setting 'width'"):
        consolidate(runs, by="width")


def test_small_numbers_are_numbers() -> None:
    """2.3e-8 and 2.4e-8 are neither 0.0 nor tied."""
    runs = [Run(f"r{at}", "csv", {"loss": value}) for at, value in enumerate((2.3e-8, 2.4e-8, 2.5e-8))]
    best, worst = best_and_worst(runs, "loss", lower=True)
    assert best is not None
    assert worst is not None
    assert (best.run, best.tied, worst.run) == ("r0", (), "r2")


def test_wide_tables_stand_in_panels() -> None:
    """No panel is wider than the text of a page, by widths that are rather too large; no column is lost."""
    names = [f"a_rather_long_metric_{at}" for at in range(14)]
    runs = [Run(f"run/with/a/long/name/{at}" * 3, "csv", dict.fromkeys(names, 0.123456), seed=at) for at in range(3)]
    table = fitted(runs_table(consolidate(runs), "s").table())
    assert len(table.panels) > 1
    assert sorted(index for _, columns in table.panels for index in columns) == list(range(len(table.columns)))
    for _, columns in table.panels:
        width = max(width_of(row.name) for row in table.rows) + sum(
            max(
                width_of(table.columns[at].heading),
                *(width_of(table.columns[at].shown(row.cells[at])) for row in table.rows),
            )
            for at in columns
        )
        assert width <= 345 or len(columns) == 1


def test_runs_of_a_seed_with_and_without_a_fold_are_held_together() -> None:
    """A table may leave some folds empty: what was planned is looked at all the same."""
    cells = [(None, 0.1), (1, 0.1), (None, 0.2), (1, 0.2)]
    runs = [
        Run(f"r{at}", "csv", {"acc": 0.5 + at / 10}, seed=0, fold=fold, config={"lr": lr})
        for at, (fold, lr) in enumerate(cells)
    ]
    assert not [line for line in consolidate(runs, by="seed").warnings if "drift" in line]


def test_most_runs_say_what_ranks_them() -> None:
    """The parent of a search logs what none of its trials does, and does not rank them by that."""
    runs = [Run("parent", "mlflow", {"best_rmse": 0.1}, default_primary="best_rmse")]
    runs += [Run(f"t{at}", "mlflow", {"rmse": at / 10}, default_primary="rmse") for at in range(2)]
    assert consolidate(runs).primary_metric == "rmse"


def test_the_headline_is_of_the_data_that_ranks(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    """Keras' `accuracy` is the training's: where `val_accuracy` ranks, that is shown."""
    from exaid_evals.cli.main import run

    for seed in range(2):
        (tmp_path / f"r{seed}").mkdir()
        text = f"epoch,accuracy,loss,val_accuracy,val_loss\n0,0.9,1,0.5,1\n1,0.95,0.5,0.6{seed},0.9\n"
        (tmp_path / f"r{seed}" / "training.log").write_text(text, encoding="utf-8")
    assert run(["export", "--runs", str(tmp_path / "r*"), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "val_accuracy 0.605 ±" in out
    assert "\naccuracy " not in out

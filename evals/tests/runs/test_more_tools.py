"""Runs of tools that write arrays, statistics, searches, or a file a metric."""

from __future__ import annotations

import json
import re
import sqlite3
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exaid_evals.errors import DataError
from exaid_evals.export.reading import read_runs
from exaid_evals.runs.base import Run
from exaid_evals.runs.formats import helm
from exaid_evals.runs.formats.sklearn_tables import SklearnFormat
from exaid_evals.runs.registry import find_run, format_of
from runs.shapes import FAIRSEQ


def read(place: Path) -> list[Run]:
    """Read a place as an export does, without a failure."""
    reading = read_runs([place])
    assert not reading.failures
    return list(reading.runs)


def test_evaluations_of_stable_baselines_stand_at_their_timesteps(tmp_path: Path) -> None:
    """Means over episodes, under the names that the library's own logger gives them."""
    results = np.array([[1.0, 3.0], [5.0, 7.0]])
    np.savez(tmp_path / "evaluations.npz", timesteps=[1000, 2000], results=results, ep_lengths=[[10, 20], [30, 50]])
    [run] = read(tmp_path)
    assert (run.format, run.default_primary) == ("stable_baselines3", "eval/mean_reward")
    assert dict(run.metrics) == {"eval/mean_reward": 6.0, "eval/mean_ep_length": 40.0}
    history = find_run(str(tmp_path), [])
    assert [(one.step, one.value) for one in history.series["eval/mean_reward"].points] == [(1000, 2.0), (2000, 6.0)]


def test_what_the_logger_wrote_goes_before_the_evaluations(tmp_path: Path) -> None:
    """Its rows have the evaluations' means already, at the timesteps of training."""
    np.savez(tmp_path / "evaluations.npz", timesteps=[1000], results=[[1.0]], ep_lengths=[[10]])
    (tmp_path / "progress.csv").write_text(
        "eval/mean_reward,time/total_timesteps,train/loss\n,500,0.5\n2.0,1000,0.25\n"
    )
    [run] = read(tmp_path)
    assert (run.metrics["eval/mean_reward"], run.metrics["train/loss"], run.attributes["steps"]) == (2.0, 0.25, 2)


def test_episodes_of_several_monitors_are_in_order_of_time(tmp_path: Path) -> None:
    """An episode's step is how many timesteps all environments had made."""
    for number, rows in enumerate(("1.0,10,0.5\n3.0,10,2.5\n", "2.0,5,1.5\n")):
        text = f'#{{"t_start": 1.5, "env_id": "Toy-v0"}}\nr,l,t\n{rows}'
        (tmp_path / f"{number}.monitor.csv").write_text(text)
    points = find_run(str(tmp_path), []).series["episode/reward"].points
    assert [(one.step, one.value) for one in points] == [(10, 1.0), (15, 2.0), (25, 3.0)]


def test_arrays_that_must_be_unpickled_are_not_opened(tmp_path: Path) -> None:
    """An archive may hold code; so may any object in an array."""
    odd = np.array([{"x": 1}], dtype=object)
    np.savez(tmp_path / "evaluations.npz", timesteps=odd, results=[[1.0]], ep_lengths=[[1]])
    with pytest.raises(DataError, match=re.escape("is not what EvalCallback writes (ValueError")):
        find_run(str(tmp_path), [])


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: content.replace(b"PK\x01\x02", b"PK\x01\x03"),
        lambda content: content[:60] + bytes(byte ^ 0xFF for byte in content[60:90]) + content[90:],
        lambda content: content.replace(b"\x00\x00\x08\x00", b"\x00\x00\x0c\x00"),
        lambda content: content.replace(b"\x00\x00\x08\x00", b"\x01\x00\x08\x00"),
    ],
)
def test_a_damaged_archive_of_arrays_is_refused(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    """Its table, its data, a method of packing that is unknown, a member that is marked as encrypted."""
    path = tmp_path / "evaluations.npz"
    np.savez_compressed(path, timesteps=np.arange(30), results=np.arange(60.0).reshape(30, 2))
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DataError):
        find_run(str(tmp_path), [])


def test_arrays_of_other_values_or_with_a_damaged_header_are_refused(tmp_path: Path) -> None:
    """Steps that are names, and a header that Python cannot even divide into words."""
    np.savez(tmp_path / "evaluations.npz", timesteps=["a"], results=[[1.0]])
    with pytest.raises(DataError, match="is not what EvalCallback writes"):
        find_run(str(tmp_path), [])
    with zipfile.ZipFile(tmp_path / "evaluations.npz", "w") as archive:
        archive.writestr("timesteps.npy", b"\x93NUMPY\x01\x00\x05\x00((((\n")
    with pytest.raises(DataError, match="is not what EvalCallback writes"):
        find_run(str(tmp_path), [])


def test_statistics_of_helm(tmp_path: Path) -> None:
    """Means by split and perturbation, without what is counted beside quality and what was never computed."""
    folder = tmp_path / "runs" / "v1" / "law:model=org_a"
    folder.mkdir(parents=True)
    worst = {"name": "robustness", "computed_on": "worst"}
    stats = [
        {"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": 0.5},
        {"name": {"name": "exact_match", "split": "test", "perturbation": worst}, "count": 1, "mean": 0.25},
        {"name": {"name": "exact_match", "split": "valid"}, "count": 0},
        {"name": {"name": "f1", "split": "test", "sub_split": "short"}, "count": 1, "mean": 0.5},
        {"name": {"name": "f1", "split": "test", "sub_split": "long"}, "count": 1, "mean": 0.75},
        {"name": {"name": "num_references", "split": "test"}, "count": 1, "mean": 4.0},
    ]
    (folder / "stats.json").write_text(json.dumps(stats))
    spec = {
        "name": "law:model=org_a",
        "adapter_spec": {"model": "org/a"},
        "scenario_spec": {"args": {"subject": "law"}},
    }
    (folder / "run_spec.json").write_text(json.dumps(spec))
    [run] = read(tmp_path)
    assert (run.format, dict(run.config)) == ("helm", {"model": "org/a", "scenario.subject": "law"})
    assert dict(run.metrics) == {
        "test/exact_match": 0.5,
        "test/exact_match@robustness.worst": 0.25,
        "test/short/f1": 0.5,
        "test/long/f1": 0.75,
    }


def test_a_search_of_flaml_is_a_run_a_configuration(tmp_path: Path) -> None:
    """Not steps of one training; the line that says which is best so far is none."""
    record = {"record_id": 0, "iter_per_learner": 1, "logged_metric": {}, "trial_time": 0.1, "wall_clock_time": 0.2}
    tried = [(0, 0.5, "rf"), (1, 0.25, "lgbm")]
    lines: list[dict[str, object]] = [
        {**record, "record_id": at, "validation_loss": loss, "config": {"n": 4 + at}, "learner": learner}
        for at, loss, learner in tried
    ]
    lines.append({"curr_best_record_id": 1})
    (tmp_path / "search.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    runs = read(tmp_path)
    assert [(run.format, run.trial, run.metrics["validation_loss"]) for run in runs] == [
        ("flaml", "0", 0.5),
        ("flaml", "1", 0.25),
    ]
    with (tmp_path / "search.log").open("a") as log:  # a second search, which counts anew
        log.write(f"{json.dumps({**lines[0], 'validation_loss': 0.125})}\n")
    again = {run.trial: run.metrics["validation_loss"] for run in read(tmp_path)}
    assert again == {"0": 0.5, "1": 0.25, "0-2": 0.125}
    assert dict(runs[1].config) == {"n": 5, "learner": "lgbm"}
    assert "validation_loss" in runs[0].lower_is_better


@pytest.mark.parametrize(
    ("files", "runs"),
    [
        (
            {
                "run-a-tag-val_acc.csv": "Wall time,Step,Value\n1.5,10,0.5\n2.5,20,0.75\n",
                "run-a-tag-loss.csv": "Wall time,Step,Value\n1.5,10,0.5\n2.5,20,0.25\n",
                "run-b-tag-val_acc.csv": "Wall time,Step,Value\n1.5,10,0.25\n",
            },
            [{"loss": 0.25, "val_acc": 0.75}, {"val_acc": 0.25}],
        ),
        (
            {
                "run-a-tag-loss.csv": "Wall time,Step,Value\n1.5,10,0.5\n2.5,20,0.25\n",
                "val_acc.csv": "Wall time,Step,Value\n1.5,10,0.5\n",
            },
            [{"loss": 0.25}, {"val_acc": 0.5}],
        ),
        (
            {
                "Train_Samples_train_loss.csv": "step,train_loss\n16,0.5\n32,0.25\n",
                "Eval_Samples_eval_loss.csv": "step,eval_loss\n32,0.75\n",
            },
            [{"Train_Samples_train_loss": 0.25, "Eval_Samples_eval_loss": 0.75}],
        ),
        (
            {
                "events/metric/loss.plx": "step|timestamp|metric\n1|2026-01-01|0.5\n2|2026-01-02|0.25\n",
                "events/metric/accuracy.plx": "step|timestamp|metric\n2|2026-01-02|0.75\n",
            },
            [{"loss": 0.25, "accuracy": 0.75}],
        ),
    ],
)
def test_files_of_a_metric_each_are_one_run(
    tmp_path: Path, files: dict[str, str], runs: list[dict[str, float]]
) -> None:
    """What TensorBoard's page downloads, by the run that names say, and what DeepSpeed's monitor and Polyaxon write.

    Files whose names say no run are a run of their own beside those of others.
    """
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert [dict(run.metrics) for run in read(tmp_path)] == runs


def test_two_histories_of_runs_are_no_files_of_metrics(tmp_path: Path) -> None:
    """A column that is not the file's name is a run's."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("step,loss\n1,0.5\n2,0.25\n")
    assert len(read(tmp_path)) == 2


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (("a" * 32, "b" * 32), ["one-aaaaaaaa", "one-bbbbbbbb"]),
        (("project-01", "project-02"), ["one-project-01", "one-project-02"]),
    ],
)
def test_runs_in_a_database_of_trackio(tmp_path: Path, ids: tuple[str, str], names: list[str]) -> None:
    """Two of one name stay apart, however alike their ids, and what the tool notes in the settings is none."""
    with sqlite3.connect(tmp_path / "project.db") as database:
        database.executescript(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_id, timestamp, run_name, step, metrics);"
            "CREATE TABLE configs (id INTEGER PRIMARY KEY, run_id, run_name, config, created_at);"
            "CREATE TABLE system_metrics (id INTEGER PRIMARY KEY, run_id, timestamp, run_name, metrics);"
        )
        for run, last in zip(ids, (0.75, 0.5), strict=True):
            config = json.dumps({"seed": 7, "lr": 0.1, "_Username": None}).encode()
            database.execute("INSERT INTO configs VALUES (NULL, ?, 'one', ?, '')", (run, config))
            for step, value in enumerate((0.25, last)):
                metrics = json.dumps({"val/acc": value}).encode()
                database.execute("INSERT INTO metrics VALUES (NULL, ?, '', 'one', ?, ?)", (run, step, metrics))
    database.close()
    runs = read(tmp_path)
    assert [run.name.rpartition("/")[2] for run in runs] == names
    assert [(run.format, run.seed, dict(run.config), dict(run.metrics)) for run in runs] == [
        ("trackio", 7, {"lr": 0.1}, {"val/acc": 0.75}),
        ("trackio", 7, {"lr": 0.1}, {"val/acc": 0.5}),
    ]


def test_epochs_that_begin_again_with_each_task_are_counted_through(tmp_path: Path) -> None:
    """As Avalanche logs them: no step was logged twice, and the task's number is no metric."""
    rows = [(task, epoch, 0.1 * (4 * task + epoch)) for task in range(3) for epoch in range(4)]
    text = "".join(f"{task},{epoch},{value}\n" for task, epoch, value in rows)
    (tmp_path / "training_results.csv").write_text(f"training_exp,epoch,training_accuracy\n{text}")
    history = find_run(str(tmp_path / "training_results.csv"), [])
    assert list(history.series) == ["training_accuracy"]
    assert [one.step for one in history.series["training_accuracy"].points] == list(range(12))
    assert not history.irregularities


def test_evaluations_of_all_experiences_after_each_have_a_column_an_experience(tmp_path: Path) -> None:
    """As Avalanche logs them: the last row is of the last experience alone, and no result."""
    rows = "0,0,0.9,0\n1,0,0.1,0\n0,1,0.7,0.2\n1,1,0.95,0\n"
    (tmp_path / "eval_results.csv").write_text(f"eval_exp,training_exp,eval_accuracy,forgetting\n{rows}")
    [run] = read_runs([tmp_path / "eval_results.csv"]).runs
    assert dict(run.metrics) == {
        "eval_accuracy/exp0": 0.7,
        "eval_accuracy/exp1": 0.95,
        "forgetting/exp0": 0.2,
        "forgetting/exp1": 0.0,
    }
    series = find_run(str(tmp_path / "eval_results.csv"), []).series["eval_accuracy/exp0"]
    assert [(one.step, one.value) for one in series.points] == [(0, 0.9), (1, 0.7)]


def test_epochs_that_go_on_over_stages_count_the_steps(tmp_path: Path) -> None:
    """A stage is then one of the training's own numbers."""
    (tmp_path / "m.csv").write_text("stage,epoch,loss\n0,1,0.5\n0,2,0.4\n1,3,0.3\n1,4,0.2\n")
    assert [one.step for one in find_run(str(tmp_path / "m.csv"), []).series["loss"].points] == [1, 2, 3, 4]


def test_a_table_beside_runs_that_is_not_read_is_named(tmp_path: Path) -> None:
    """Nothing is left out without a word."""
    (tmp_path / "training.csv").write_text("epoch,accuracy\n1,0.5\n2,0.75\n")
    (tmp_path / "eval.csv").write_text("eval_exp,training_exp,eval_accuracy\n0,0,0.5\n0,1,0.5\n")
    reading = read_runs([tmp_path])
    assert len(reading.runs) == 1
    assert [note for note in reading.notes if "eval.csv: no column counts steps or names runs: left out" in note]


def test_what_is_printed_twice_of_a_step_is_no_resumed_run(tmp_path: Path) -> None:
    """The last batches and the mean of an epoch of fairseq have one step: the mean stands."""
    (tmp_path / "train.log").write_text(FAIRSEQ)
    history = find_run(str(tmp_path / "train.log"), [])
    assert [(one.step, one.value) for one in history.series["train/loss"].points] == [(50, 5.0), (100, 2.5)]
    assert not history.irregularities


@pytest.mark.parametrize("step", ["nan", "inf", "1e999"])
def test_a_printed_mapping_whose_step_is_no_number_is_read_without_it(tmp_path: Path, step: str) -> None:
    """Whoever prints it may count what has no end."""
    lines = [f"{{'loss': {1 / at}, 'step': {step if at == 2 else at}}}\n" for at in range(1, 5)]
    (tmp_path / "train.log").write_text("".join(lines))
    points = find_run(str(tmp_path / "train.log"), []).series["loss"].points
    assert [one.value for one in points if one.step in (1, 3, 4)][-1] == 0.25


@pytest.mark.parametrize("name", ["train", "valid", "eval", "test"])
def test_a_printed_mapping_may_have_a_part_of_the_data_for_a_name(tmp_path: Path, name: str) -> None:
    """`{'valid': 0.5}` names nothing that was measured; what stands beside it is read."""
    lines = [f"{{'{name}': 0.5, 'loss': {1 / at}, 'epoch': {at}}}\n" for at in range(1, 5)]
    (tmp_path / "train.log").write_text("".join(lines))
    assert [one.value for one in find_run(str(tmp_path / "train.log"), []).series["loss"].points][-1] == 0.25


@pytest.mark.parametrize("part", ["[train] loss=0.5 ", "b" * 60 + " " * 5000])
def test_a_long_line_of_a_log_takes_no_longer_for_each_character(tmp_path: Path, part: str) -> None:
    """Parts of the data that are named thousands of times, and words with much space behind them."""
    text = part * (300_000 // len(part))
    (tmp_path / "train.log").write_text(f"step 1 loss=0.5\nstep 2 loss=0.25\nstep 3 {text}x\n")
    began = time.process_time()
    assert "loss" in find_run(str(tmp_path / "train.log"), []).series
    assert time.process_time() - began < 3


def test_runs_of_helm_are_found_among_many_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few folders are looked into for a sign of runs; where there is one, none is missing."""
    monkeypatch.setattr(helm, "_FOLDERS_AT_MOST", 2)
    stats = json.dumps([{"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": 0.5}])
    for number in range(5):
        (tmp_path / f"suite{number}" / "law").mkdir(parents=True)
        (tmp_path / f"suite{number}" / "law" / "stats.json").write_text(stats)
    assert len(read(tmp_path)) == 5


@pytest.mark.parametrize(
    "files",
    [
        {"train.log": "epoch 1 loss: 0.5\nepoch 2 loss: 0.25\n"},
        {"log.txt": '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}\n'},
        {f"run-a-tag-{name}.csv": "Wall time,Step,Value\n1,1,0.5\n" for name in ("loss", "acc")},
        {"0.monitor.csv": '#{"t_start": 1.5}\nr,l,t\n1.0,10,0.5\n3.0,10,2.5\n'},
    ],
)
def test_settings_that_are_read_are_watched(tmp_path: Path, files: dict[str, str]) -> None:
    """An export that remembers a run reads it again when they change."""
    for name, text in {**files, "config.json": '{"seed": 3}'}.items():
        (tmp_path / name).write_text(text)
    [run] = read(tmp_path)
    form = format_of(tmp_path)
    [source] = form.sources(tmp_path)
    assert run.seed == 3
    assert tmp_path / "config.json" in (form.inputs(source) or ())


def test_final_results_beside_a_history_without_a_metric_are_the_runs(tmp_path: Path) -> None:
    """What was logged were settings alone; and what is no number there is named."""
    (tmp_path / "history.csv").write_text("epoch,lr\n1,0.1\n2,0.05\n")
    (tmp_path / "results.json").write_text('{"test_accuracy": 0.75, "test_f1": NaN}')
    [run] = read(tmp_path)
    assert dict(run.metrics) == {"test_accuracy": 0.75, "test_f1": None}
    [warning] = run.warnings
    assert "results.json: test_f1: no number" in warning


def test_a_header_of_many_times_is_looked_through_once(tmp_path: Path) -> None:
    """A table that is no search's, with a name of theirs thousands of times."""
    (tmp_path / "table.csv").write_text("fit_time " * 7000 + "\n1\n")
    began = time.process_time()
    assert not SklearnFormat().claims(tmp_path)
    assert time.process_time() - began < 1

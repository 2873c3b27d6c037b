"""Trackers' stores as runs: splits beside each other, nested runs, values other than the last, and DVC's metrics."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.registry import FORMATS, SOURCES, format_of, formats, history_formats


def read(place: Path, settings: Settings | None = None) -> tuple[str, list[Run]]:
    """Return the format that claims a place, and its runs."""
    form = format_of(place, formats(settings))
    return form.name, [form.read(source, source.part or source.path.name) for source in form.sources(place)]


def scalars(folder: Path, tag: str, values: list[float]) -> None:
    """Write an event file of TensorBoard."""
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for step, value in enumerate(values):
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.add_event(Event(step=step, wall_time=1.0, summary=summary))
    writer.close()


def test_training_beside_validation_is_one_run(tmp_path: Path) -> None:
    """As Keras' callback writes them: the split stands before the tag, and what lies beside is another run."""
    for run in ("one", "two"):
        scalars(tmp_path / run / "train", "epoch_loss", [0.9, 0.5])
        scalars(tmp_path / run / "validation", "epoch_loss", [1.0, 0.75])
    name, runs = read(tmp_path)
    assert (name, len(runs)) == ("tensorboard", 2)
    assert dict(runs[0].metrics) == {"train/epoch_loss": 0.5, "validation/epoch_loss": 0.75}


def mlflow_run(store: Path, run_id: str, *, parent: str = "", acc: tuple[float, ...] = (0.5,), lr: str = "0.1") -> None:
    """Write a run of a file store as MLflow does."""
    folder = store / "1" / run_id
    for name in ("metrics", "params", "tags"):
        (folder / name).mkdir(parents=True)
    (store / "1" / "meta.yaml").write_text("experiment_id: '1'\nname: demo\nlifecycle_stage: active\n")
    meta = (
        f"run_id: {run_id}\nrun_name: {run_id}\nexperiment_id: '1'\nstatus: 3\nstart_time: 1\nlifecycle_stage: active\n"
    )
    (folder / "meta.yaml").write_text(meta)
    lines = [f"{step} {value} {step}\n" for step, value in enumerate(acc)]
    (folder / "metrics" / "acc").write_text("".join(lines))
    (folder / "params" / "lr").write_text(lr)
    if parent:
        (folder / "tags" / "mlflow.parentRunId").write_text(parent)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a store with a search and its two trials."""
    ids = [letter * 32 for letter in "abc"]
    mlflow_run(tmp_path / "mlruns", ids[0])
    for run_id, lr in zip(ids[1:], ("0.1", "0.2"), strict=True):
        mlflow_run(tmp_path / "mlruns", run_id, parent=ids[0], acc=(0.2, 0.9, 0.4), lr=lr)
    return tmp_path / "mlruns"


def test_nested_runs_are_trials_of_their_parent(store: Path) -> None:
    """Their group is the parent; the parent is a run of its own."""
    name, runs = read(store)
    assert name == "mlflow"
    assert {(run.trial or "")[:1] for run in runs} == {"", "b", "c"}
    assert {(run.group or "")[:1] for run in runs if run.trial} == {"a"}


@pytest.mark.parametrize(("which", "value"), [("last", 0.4), ("best", 0.9), ("min", 0.2), ("max", 0.9)])
def test_any_of_a_metrics_values_may_count(store: Path, which: str, value: float) -> None:
    """`--metric-value` holds for a tracker's logged points as for files of rows."""
    _, runs = read(store, Settings(metric_value=which))
    assert [run.metrics["acc"] for run in runs if run.trial] == [value, value]


def test_a_database_and_a_log_may_be_named_as_files(tmp_path: Path) -> None:
    """The file itself gives the runs of its folder."""
    gold = Path(__file__).parents[1] / "gold" / "export"
    database = tmp_path / "mlflow.db"
    database.write_bytes(gzip.decompress((gold / "mlflow" / "database" / "mlflow.db.gz").read_bytes()))
    for file in (database, next((gold / "inspect" / "deflated").rglob("*.eval"))):
        name, runs = read(file)
        assert name in ("mlflow", "inspect_ai")
        assert runs


def test_the_metrics_of_a_dvc_project(tmp_path: Path) -> None:
    """What dvc.yaml declares at its top and in a stage, JSON and TOML, with parameters; nothing outside the project."""
    (tmp_path / "out").mkdir()
    pipeline = (
        "metrics: [scores.json, ../secret.json]\nstages: {train: {cmd: x, metrics: [{out/m.toml: {cache: false}}]}}\n"
    )
    (tmp_path / "dvc.yaml").write_text(pipeline)
    (tmp_path / "scores.json").write_text('{"val": {"acc": 0.75}}')
    (tmp_path / "out" / "m.toml").write_text("loss = 0.5\n")
    (tmp_path / "params.yaml").write_text("train: {lr: 0.1, seed: 7}\n")
    name, [run] = read(tmp_path)
    assert (name, dict(run.metrics)) == ("dvc", {"m.loss": 0.5, "scores.val.acc": 0.75})
    assert (dict(run.config), run.seed) == ({"train.lr": 0.1}, 7)
    form = format_of(tmp_path)
    assert all("secret" not in str(path) for path in form.inputs(form.sources(tmp_path)[0]) or ())


def test_experiments_that_dvc_shows(tmp_path: Path) -> None:
    """`dvc exp show --json`: the workspace, a commit, and its experiments as trials; `dvc metrics show --json` too."""
    data = {
        "rev": "abc",
        "params": {"params.yaml": {"data": {"lr": 0.1}}},
        "metrics": {"m.json": {"data": {"acc": 0.7}}},
    }
    better = {**data, "rev": "def", "metrics": {"m.json": {"data": {"acc": 0.8}}}}
    states = [
        {"rev": "workspace", "data": {**data, "rev": "workspace"}, "experiments": None},
        {
            "rev": "abc",
            "name": "main",
            "data": data,
            "experiments": [{"revs": [{"rev": "def", "data": better}], "name": "exp-1"}],
        },
        {"rev": "old", "name": None, "data": None, "error": {"msg": "gone"}},
    ]
    (tmp_path / "shown.json").write_text(json.dumps(states))
    name, runs = read(tmp_path / "shown.json")
    assert name == "dvc"
    assert [(run.name, run.metrics["acc"], run.trial, run.group) for run in runs] == [
        ("workspace", 0.7, None, None),
        ("main", 0.7, None, None),
        ("exp-1", 0.8, "exp-1", "main"),
    ]
    (tmp_path / "metrics.json").write_text(json.dumps({"": {"data": {"m.json": {"data": {"acc": 0.7}}}}}))
    assert [run.metrics for run in read(tmp_path / "metrics.json")[1]] == [{"acc": 0.7}]


@pytest.mark.parametrize("packed", [False, True])
def test_an_offline_session_of_clearml(tmp_path: Path, packed: bool) -> None:
    """As the client writes it: batches of events a line, text for parameters, a single value under `Summary`."""
    session = tmp_path / "cache" / "offline-0123"
    session.mkdir(parents=True)
    parameters = {
        "General": {"lr": {"value": "0.1", "type": "float"}, "seed": {"value": "7"}},
        "Args": {"x": {"value": "a"}},
    }
    task = {"id": "offline-0123", "name": "run one", "project_name": "demo", "hyperparams": parameters}
    (session / "task.json").write_text(json.dumps(task))
    scalar = {"type": "training_stats_scalar", "metric": "loss"}
    events = [
        {**scalar, "variant": split, "iter": step, "value": (1 + (split == "val")) / (1 + step)}
        for step in (0, 1)
        for split in ("train", "val")
    ]
    single = {
        "type": "training_stats_scalar",
        "metric": "Summary",
        "variant": "test_acc",
        "iter": -(2**31),
        "value": 0.75,
    }
    lines = [json.dumps(events[:2]), json.dumps([*events[2:], single, {"type": "log", "msg": "x"}])]
    (session / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    if packed:
        with zipfile.ZipFile(session.with_suffix(".zip"), "w") as archive:
            for path in session.iterdir():
                archive.write(path, path.name)
        shutil.rmtree(session)
    name, [run] = read(tmp_path / "cache")
    assert (name, run.seed, run.attributes["clearml_task"]) == ("clearml", 7, "run one")
    assert dict(run.metrics) == {"loss/train": 0.5, "loss/val": 1.0, "test_acc": 0.75}
    assert dict(run.config) == {"lr": 0.1, "Args/x": "a"}


@pytest.mark.parametrize("packed", [False, True])
def test_an_offline_archive_of_comet(tmp_path: Path, packed: bool) -> None:
    """A metric bears its context, nested parameters have points, and counters of steps are no settings."""
    key = "0123456789abcdef" * 2
    folder = tmp_path / key
    folder.mkdir()
    (folder / "experiment.json").write_text(json.dumps({"offline_id": key, "project_name": "demo", "tags": []}))

    def metric(name: str, value: object, step: int | None, **more: str) -> dict[str, Any]:
        held = {"metricName": name, "metricValue": value, "step": step, "epoch": 0}
        return {"type": "metric_msg", "payload": {"metric": held, **more}}

    def parameter(name: str, value: object, source: str = "manual") -> dict[str, Any]:
        return {
            "type": "parameter_msg",
            "payload": {"param": {"paramName": name, "paramValue": value, "source": source}},
        }

    messages = [
        {"type": "log_other", "payload": {"key": "Name", "value": "run one"}},
        *(parameter("seed", 7), parameter("opt|lr", "0.1"), parameter("curr_step", 1, "auto-logged")),
        *(metric("loss", 1 / (1 + step), step) for step in (0, 1)),
        *(metric("accuracy", 0.5 + step / 4, None, context="validate") for step in (0, 1)),
        {"type": "standard_output", "payload": {"output": "x"}},
    ]
    (folder / "messages.json").write_text("".join(f"{json.dumps(one)}\n" for one in messages))
    if packed:
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
        shutil.rmtree(folder)
    name, [run] = read(tmp_path)
    assert (name, run.seed, run.attributes["comet_name"], run.attributes["steps"]) == ("comet", 7, "run one", 2)
    assert dict(run.metrics) == {"loss": 0.5, "validate/accuracy": 0.75}
    assert dict(run.config) == {"opt.lr": 0.1}


def test_an_offline_run_of_neptune(tmp_path: Path) -> None:
    """Its log goes on in a second file; what was assigned is a metric or a setting, and what was deleted is gone."""
    folder = tmp_path / "project" / ".neptune" / "offline" / "run__01-02__3__x"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text(json.dumps({"mode": "offline", "containerId": "01-02"}))

    def line(kind: str, path: str, **more: object) -> str:
        return json.dumps({"obj": {"type": kind, "path": path.split("/"), **more}, "version": 1}) + "\n"

    points = [{"value": 1 / (1 + at), "step": None, "ts": 1.0} for at in range(3)]
    first = [
        line("AssignInt", "parameters/seed", value=7),
        line("AssignFloat", "parameters/lr", value=0.1),
        line("AssignString", "sys/name", value="run one"),
        line("AssignFloat", "test/accuracy", value=0.75),
        *(line("LogFloats", name, values=points[:2]) for name in ("train/loss", "gone/loss", "monitoring/cpu")),
    ]
    (folder / "data-1.log").write_text("".join(first))
    last = [line("LogFloats", "train/loss", values=points[2:]), line("DeleteAttribute", "gone/loss")]
    (folder / "data-2.log").write_text("".join(last))
    name, [run] = read(tmp_path / "project")
    assert (name, run.seed, run.attributes["neptune_name"], run.attributes["steps"]) == ("neptune", 7, "run one", 3)
    assert dict(run.metrics) == {"train/loss": pytest.approx(1 / 3), "test/accuracy": 0.75}
    assert dict(run.config) == {"lr": 0.1}


@pytest.mark.parametrize("packed", [False, True])
def test_a_log_of_neptune_that_begins_with_a_step_is_neptunes(tmp_path: Path, packed: bool) -> None:
    """Its lines are JSON with steps, as other logs' are; of an archive each file of the log is read, and watched."""
    folder = tmp_path / "runs" / "run__1"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text("{}")
    for at in (1, 2):
        operation = {"type": "LogFloats", "path": ["val", "acc"], "values": [{"value": at / 4, "step": float(at)}]}
        (folder / f"data-{at}.log").write_text(json.dumps({"obj": operation, "version": at}) + "\n")
    if packed:
        shutil.make_archive(str(folder), "zip", folder)
        shutil.rmtree(folder)
    name, [run] = read(tmp_path / "runs")
    assert (name, dict(run.metrics), run.attributes["steps"]) == ("neptune", {"val/acc": 0.5}, 2)
    form = format_of(tmp_path / "runs")
    [source] = form.sources(tmp_path / "runs")
    inputs = form.inputs(source) or ()
    assert len(inputs) == (1 if packed else 3)
    assert all(path.is_file() for path in inputs)


def test_the_names_of_sources_are_those_of_formats_with_histories() -> None:
    """What `--source` offers without importing a format is what formats say of themselves."""
    assert list(SOURCES) == [name for name in history_formats() if name in FORMATS]

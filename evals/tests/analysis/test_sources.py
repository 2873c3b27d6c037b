"""Histories from real files: those that W&B, MLflow and TensorBoard write themselves, and hostile ones."""

from __future__ import annotations

import gzip
import json
import math
import sys
from pathlib import Path

import pytest

from analysis.trackers import script
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.plugins import optional
from exaid_evals.errors import ConfigError, DataError, MissingDependencyError
from exaid_evals.runs.files import wandb_online
from exaid_evals.runs.formats import row_files
from exaid_evals.runs.history import History
from exaid_evals.runs.registry import find_run, formats, history_formats, read_history

GOLD = Path(__file__).parents[1] / "gold" / "export"
_WANDB = """
import time, wandb
settings = wandb.Settings(x_stats_sampling_interval=0.2)
run = wandb.init(project="p", name="run-a", config={"lr": 0.1, "model": {"depth": 3}}, settings=settings)
for step in range(12):
    run.log({"loss": float("nan") if step == 7 else 1 / (step + 1), "val": {"accuracy": step / 12}}, step=2 * step)
    time.sleep(0.15)
run.finish()
"""
_MLFLOW = """
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("digits")
with mlflow.start_run(run_name="run-a"):
    mlflow.log_params({"lr": 0.1, "depth": 3})
    for step in range(12):
        mlflow.log_metric("loss", float("nan") if step == 7 else 1 / (step + 1), step=2 * step)
        mlflow.log_metric("val/accuracy", step / 12, step=2 * step)
"""


def values(history: History, metric: str) -> list[float]:
    """Return the finite values of a metric."""
    return [float(value) for value in history.series[metric].clean.values]


def kinds(history: History, metric: str) -> set[str]:
    """Return what is odd about a metric."""
    return {one.kind for one in history.irregularities if one.metric == metric}


def check_twelve_steps(history: History) -> None:
    """Hold a run of twelve steps, the eighth of which has no number, against what was logged."""
    assert values(history, "loss") == pytest.approx([1 / (step + 1) for step in range(12) if step != 7])
    assert [point.step for point in history.series["loss"].points] == [2.0 * step for step in range(12)]
    assert math.isnan(history.series["loss"].points[7].value)  # type: ignore[arg-type]
    assert kinds(history, "loss") == {"nan"}


@pytest.mark.slow
def test_a_real_offline_run_of_wandb(tmp_path: Path) -> None:
    """What wandb itself has written is read whole: steps, nested metrics, NaN, configuration, system metrics."""
    pytest.importorskip("wandb")
    script(_WANDB, tmp_path, WANDB_MODE="offline", WANDB_SILENT="true")
    history = find_run("run-a", [tmp_path])
    assert history.source == "wandb"
    check_twelve_steps(history)
    assert values(history, "val.accuracy") == pytest.approx([step / 12 for step in range(12)])
    assert history.config == {"lr": 0.1, "model.depth": 3}
    assert history.system


@pytest.mark.slow
def test_a_real_store_of_mlflow(tmp_path: Path) -> None:
    """What MLflow itself has written is read whole: every step, NaN, parameters."""
    pytest.importorskip("mlflow")
    script(_MLFLOW, tmp_path, (tmp_path / "mlruns").as_uri(), MLFLOW_ALLOW_FILE_STORE="true")
    history = find_run("run-a", [tmp_path])
    assert history.source == "mlflow"
    check_twelve_steps(history)
    assert values(history, "val/accuracy") == pytest.approx([step / 12 for step in range(12)])
    assert history.config == {"lr": "0.1", "depth": "3"}


def test_a_database_of_mlflow_gives_what_its_files_give(tmp_path: Path) -> None:
    """The golden database and the golden files, written by MLflow from the same runs, hold the same points."""
    database = tmp_path / "mlflow.db"
    database.write_bytes(gzip.decompress((GOLD / "mlflow" / "database" / "mlflow.db.gz").read_bytes()))
    mlflow = history_formats()["mlflow"]
    in_files = GOLD / "mlflow" / "files"
    shared = sorted(set(mlflow.named(in_files)) & set(mlflow.named(tmp_path)))
    assert shared
    for name in shared:
        one, other = read_history(mlflow, in_files, name), read_history(mlflow, tmp_path, name)
        assert {metric: repr(sorted(found.points, key=repr)) for metric, found in one.series.items()} == {
            metric: repr(sorted(found.points, key=repr)) for metric, found in other.series.items()
        }
        assert one.config == other.config


def tensorboard_log(folder: Path, steps: range) -> None:
    """Write scalars with TensorBoard's own writer."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder), filename_suffix=f".{steps.start:03d}")
    for step in steps:
        loss = float("nan") if step == 7 else 1 / (step + 1)
        for tag, value in (("loss", loss), ("val/accuracy", step / 12)):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=2 * step, wall_time=1.0, summary=summary))
    writer.close()


def test_a_real_log_of_tensorboard(tmp_path: Path) -> None:
    """What TensorBoard's writer has written is read whole, over the two files that a restart within a second leaves."""
    pytest.importorskip("tensorboard")
    for number, steps in ((9, range(6)), (10, range(6, 12))):
        tensorboard_log(tmp_path / "runs" / "run-a", steps)
        [path] = (tmp_path / "runs" / "run-a").glob("events.*.00[06]")
        path.rename(path.with_name(f"events.out.tfevents.1700000000.host.1.{number}"))
    history = find_run("run-a", [tmp_path / "runs"], "tensorboard")
    assert len(history.series["loss"].points) == 12
    assert kinds(history, "loss") == {"nan"}
    assert values(history, "val/accuracy") == pytest.approx([step / 12 for step in range(12)], abs=1e-6)
    assert [step for step, _ in history.events] == [12.0]


def test_a_cut_log_of_tensorboard_keeps_what_stands_before(tmp_path: Path) -> None:
    """A killed training's log is read as far as it goes."""
    pytest.importorskip("tensorboard")
    tensorboard_log(tmp_path, range(12))
    path = next(tmp_path.glob("events.*"))
    path.write_bytes(path.read_bytes()[:-150])
    assert 5 < len(find_run(str(tmp_path), []).series["loss"].points) < 12


def test_parquet(tmp_path: Path) -> None:
    """What pyarrow itself has written is read, a null as a missing value."""
    arrow = pytest.importorskip("pyarrow", exc_type=ImportError)
    from pyarrow import parquet

    table = arrow.table({"step": [0, 2, 4], "loss": [1.0, float("nan"), 0.5], "val_accuracy": [0.1, None, 0.3]})
    parquet.write_table(table, tmp_path / "run-a.parquet")
    history = find_run("run-a", [tmp_path])
    assert history.source == "parquet"
    assert values(history, "val_accuracy") == [0.1, 0.3]
    assert kinds(history, "loss") == {"nan"}
    assert kinds(history, "val_accuracy") == {"missing"}
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="is not a Parquet file"):
        find_run("bad", [tmp_path])


def test_csv_keeps_counts_and_reports_what_is_odd(tmp_path: Path) -> None:
    """Gaps, repeated and unordered steps, NaN, infinity, text, empty cells and short rows are named, none is lost."""
    rows = [f"{step},{1 / (step + 1)},ok" for step in [*range(8), 20, 21, 21, 5, 22]]
    rows[2], rows[3], rows[4], rows[5] = "2,nan,ok", "3,inf,ok", "4,oops,ok", "5,,ok"
    (tmp_path / "run-a.csv").write_text("step,loss,note\n" + "\n".join(rows) + "\n23,1\n", encoding="utf-8")
    history = find_run("run-a", [tmp_path])
    found = {one.kind: one.count for one in history.irregularities}
    assert found == {
        "nan": 1, "infinite": 1, "not_a_number": 1, "missing": 1, "repeated_step": 2, "gap": 12
    }  # fmt: skip
    assert len(history.series["loss"].points) == 13
    assert any("1 rows are not 3 cells wide" in warning for warning in history.warnings)
    assert any("note" in warning for warning in history.warnings)
    steps = history.series["loss"].clean.steps
    assert list(steps) == sorted(set(steps))


def test_jsonl_and_the_batches_beside_it(tmp_path: Path) -> None:
    """Python's NaN is read, lines that are not objects are reported, and the batch log beside belongs to the run."""
    folder = tmp_path / "run-a"
    folder.mkdir()
    lines = [
        json.dumps({"step": 0, "loss": float("nan"), "system/mem": 1}),
        "[1]",
        '{"step": 1, "loss": 2, "event": "restart"}',
    ]
    (folder / "history.jsonl").write_text("\n".join(lines), encoding="utf-8")
    batch = {"step": 1, "batch_idx": 3, "metrics": {"loss": 2.5}, "items": ["a.png"], "phase": "eval"}
    (folder / "batch_metrics.jsonl").write_text(json.dumps(batch) + "\n", encoding="utf-8")
    (folder / "config.json").write_text('{"lr": 0.1}', encoding="utf-8")
    history = find_run("run-a", [tmp_path])
    assert kinds(history, "loss") == {"nan"}
    assert list(history.system) == ["mem"]
    assert history.events == ((1.0, "event: restart"),)
    assert history.batches[0].phase == "eval"
    assert history.config == {"lr": 0.1}
    assert any("1 line is not a JSON object (line " in warning for warning in history.warnings)


@pytest.mark.slow
def test_a_campaign_has_a_run_for_each_variant(campaign: Campaign) -> None:
    """Cases are the steps, measures the metrics, and the campaign itself says how they improve."""
    from exaid_evals.cli.main import run as cli

    assert cli(["compute-metrics", "--data-dir", str(campaign.root)]) in (0, 3)
    history = find_run("V3", [campaign.root], "campaign")
    assert history.steps_are == "case"
    assert "coverage" in history.series
    assert history.directions["coverage"] == "higher"
    assert any("no conversation" in warning for warning in history.warnings)


def test_a_name_that_nothing_has_is_reported_with_those_there_are(tmp_path: Path) -> None:
    """The message names the runs that lie there; an unknown source is wrong usage."""
    (tmp_path / "other.csv").write_text("step,loss\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"other \(csv\)"):
        find_run("run-a", [tmp_path])
    with pytest.raises(ConfigError, match="known are"):
        find_run("run-a", [tmp_path], "excel")


def test_two_sources_that_have_the_run_are_no_guess(tmp_path: Path) -> None:
    """Where a CSV and a JSONL have one name, the user must say which is meant."""
    (tmp_path / "run-a.csv").write_text("step,loss\n1,2\n", encoding="utf-8")
    (tmp_path / "run-a.jsonl").write_text('{"step": 1, "loss": 2}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="runs of several formats"):
        find_run("run-a", [tmp_path])
    assert find_run("run-a", [tmp_path], "csv").source == "csv"


def test_wandb_online_needs_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key nothing is asked of anybody."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="WANDB_API_KEY"):
        find_run("me/project/run", [], "wandb")
    assert not wandb_online.is_online("run-a")


def test_what_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing package is wrong usage with a remedy, and no ImportError."""
    with pytest.raises(MissingDependencyError, match=r"exaid-evals\[analysis\]"):
        optional("no_such_package", "no-such-package", "this")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "run-a.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingDependencyError, match="pyarrow"):
        read_history(row_files.ParquetFormat(), tmp_path)


def test_no_source_claims_an_empty_folder(tmp_path: Path) -> None:
    """Neither an empty folder nor a missing one is anybody's."""
    for form in formats():
        for place in (tmp_path, tmp_path / "missing"):
            assert not form.claims(place)
            assert not form.named(place)


def test_a_path_in_no_known_format_is_reported_with_those_that_are(tmp_path: Path) -> None:
    """Of a file and of a folder; a name that is not a path is reported with the runs there are."""
    (tmp_path / "notes.bin").write_bytes(b"\x00\x01" * 50)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"is not a history of a known format.*wandb.*csv"):
        find_run(str(tmp_path / "notes.bin"), [tmp_path])
    with pytest.raises(DataError, match="holds no run of a known format"):
        find_run(str(tmp_path / "empty"), [tmp_path])
    with pytest.raises(DataError, match="no run is called"):
        find_run("nobody", [tmp_path])

"""Histories are followed as they grow, whatever the writer does to the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.watching import watch
from exaid_evals.runs.base import Source
from exaid_evals.runs.following import Follower
from exaid_evals.runs.formats.row_files import CsvFormat
from exaid_evals.runs.registry import follower


def polled(one: Follower) -> list[tuple[float, dict[str, Any]]]:
    """Return what has come."""
    return [(row.step, dict(row.metrics)) for row in one.poll()]


def append(path: Path, text: str) -> None:
    """Write on at the end of a file."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)


def test_lines_come_when_they_are_whole(tmp_path: Path) -> None:
    """Half a line waits for its rest; the last one comes at the end."""
    path = tmp_path / "log.jsonl"
    one = follower(path)
    assert polled(one) == []  # nobody has written yet
    append(path, '{"step": 1, "loss": 0.5}\n{"step": 2, "lo')
    assert polled(one) == [(1, {"loss": 0.5})]
    assert polled(one) == []
    append(path, 'ss": NaN}\n{"step": 3, "nested": {"a": 1}, "text": "x"}\nno json\n\n{"step": 4, "loss": 1}')
    rows = polled(one)
    assert [step for step, _ in rows] == [2, 3]
    assert np.isnan(rows[0][1]["loss"])
    assert rows[1][1] == {"nested.a": 1.0}
    assert [(row.step, dict(row.metrics)) for row in one.finish()] == [(4, {"loss": 1.0})]
    assert any("1 lines that are not JSON objects" in warning for warning in one.warnings)


def test_the_finest_column_counts_the_steps(tmp_path: Path) -> None:
    """As in the analysis, from when it comes; a file without one is counted on over several looks."""
    epochs = tmp_path / "epochs.jsonl"
    append(epochs, '{"epoch": 1, "a": 1}\n')
    one = follower(epochs)
    assert polled(one) == [(1, {"a": 1})]
    append(epochs, '{"epoch": 2, "step": 900, "a": 2}\n')
    assert polled(one) == [(900, {"a": 2, "epoch": 2})]
    append(epochs, '{"epoch": 3, "a": 3}\n')
    assert polled(one) == [(900, {"a": 3, "epoch": 3})]  # of the last step
    bare = tmp_path / "bare.jsonl"
    append(bare, '{"a": 1}\n{"a": 2}\n')
    two = follower(bare)
    polled(two)
    append(bare, '{"a": 3}\n')
    assert polled(two) == [(2, {"a": 3})]


@pytest.mark.parametrize("how", ["cut", "replaced"])
def test_a_file_that_begins_anew_is_read_anew(how: str, tmp_path: Path) -> None:
    """A new run under the old name, shorter or in another file."""
    path = tmp_path / "log.csv"
    path.write_text("step,a\n1,1\n2,2\n")
    one = follower(path)
    assert len(polled(one)) == 2
    if how == "replaced":
        path.unlink()
        (tmp_path / "other").write_text("x")  # so that the file system does not give the same inode again
    path.write_text("epoch,b\n1,7\n" if how == "cut" else "epoch,b\n1,7\n2,8\n3,9\n4,10\n")
    assert polled(one)[0] == (1, {"b": 7})
    assert any("read from its beginning" in warning for warning in one.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "step;loss\n1;0,5\n2;0,25\n",
        "step\tloss\n1\t0,5\n2\t0,25\n",
        "step|loss|\n1|0.5|\n2|0.25|\n",
        "step loss\n1 0.5\n2  0.25\n",
        "sep=;\nstep;loss\n1;0,5\n2;25 %\n",
        "# of a run\n# step,loss\n1,0.5\nstep,loss\n2,0.25 ± 0.01\n",
        'step,loss\n1,"0,5"\n2,"0,25"\n',
    ],
)
def test_delimited_text_is_followed_as_it_is_analysed(text: str, tmp_path: Path) -> None:
    """Any usual delimiter, decimal commas, what Excel and NumPy write above: values as read from whole files."""
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    one = follower(path)
    assert polled(one) == [(1, {"loss": 0.5}), (2, {"loss": 0.25})]
    assert not one.warnings
    whole = CsvFormat().history(Source(path), "log").series["loss"].points
    assert [(point.step, {"loss": point.value}) for point in whole] == [(1, {"loss": 0.5}), (2, {"loss": 0.25})]


def test_delimited_text(tmp_path: Path) -> None:
    """Commas, semicolons and tabs; empty cells are missing; rows of another width are counted."""
    for name, delimiter in (("a.csv", ","), ("b.csv", ";"), ("c.tsv", "\t")):
        path = tmp_path / name
        rows = [["step", "loss", "acc"], ["1", "0.5", ""], ["2", "nan", "0.7"], ["3", "1"]]
        path.write_text("".join(delimiter.join(row) + "\r\n" for row in rows))
        one = follower(path)
        (first, second) = polled(one)
        assert first == (1, {"loss": 0.5})
        assert np.isnan(second[1]["loss"])
        assert "1 rows of another width" in one.warnings[0]


def test_a_tensorboard_log_is_read_again(tmp_path: Path) -> None:
    """A store is asked whole, and what is new in it comes."""
    summary = pytest.importorskip("tensorboard.compat.proto.summary_pb2")
    event_pb2 = pytest.importorskip("tensorboard.compat.proto.event_pb2")
    writer_of = pytest.importorskip("tensorboard.summary.writer.event_file_writer")
    writer = writer_of.EventFileWriter(str(tmp_path))

    def log(step: int, value: float) -> None:
        made = summary.Summary(value=[summary.Summary.Value(tag="loss", simple_value=value)])
        writer.add_event(event_pb2.Event(wall_time=float(step), step=step, summary=made))
        writer.flush()

    log(1, 0.5)
    one = follower(tmp_path)
    assert polled(one) == [(1, {"loss": 0.5})]
    log(2, 0.25)
    assert polled(one) == [(2, {"loss": 0.25})]
    assert polled(one) == []
    writer.close()


def test_what_is_no_history_is_refused(tmp_path: Path) -> None:
    """An unknown form, several runs of which none is named, a line without an end."""
    (tmp_path / "x.txt").write_text("1")
    with pytest.raises(ConfigError, match="no source knows it"):
        follower(tmp_path / "x.txt")
    with pytest.raises(ConfigError, match="no such file"):
        follower(tmp_path / "none")
    runs = tmp_path / "runs"
    for name in ("a", "b"):
        (runs / name).mkdir(parents=True)
        (runs / name / "history.jsonl").write_text('{"step": 1, "loss": 1}\n')
    with pytest.raises(DataError, match="several runs"):
        follower(runs)
    assert polled(follower(runs, run_name="b")) == [(1, {"loss": 1})]
    endless = tmp_path / "endless.jsonl"
    endless.write_bytes(b"x" * (65 * 1024 * 1024))
    one = follower(endless)
    with pytest.raises(DataError, match="line without an end"):
        [one.poll() for _ in range(20)]


def test_the_loop_follows_until_nothing_comes(tmp_path: Path) -> None:
    """It tells of a drop that is written meanwhile, and of a stall, and ends when it was idle for long enough."""
    path = tmp_path / "log.jsonl"
    now = [0.0]
    values = [*np.random.default_rng(0).normal(0.9, 0.005, 40), *[0.4] * 10]
    left = [json.dumps({"step": step, "val_accuracy": value}) + "\n" for step, value in enumerate(values)]
    append(path, "".join(left[:10]))
    pending = left[10:]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if pending:
            append(path, pending.pop(0))

    reported: list[Anomaly] = []
    config = MonitoringConfig.model_validate({"alerts": {"log": False}})
    with TrainingMonitor(config, watch_stalls=False) as monitor:
        seen = watch(
            follower(path), monitor, reported.append, follow=True, until_idle=200.0, clock=lambda: now[0], sleep=sleep
        )
    assert reported == seen.anomalies
    assert (seen.n_steps, list(seen.metrics)) == (50, ["val_accuracy"])
    assert [(one.kind, one.step) for one in seen.anomalies if one.kind != "divergence"] == [
        ("sudden_drop", 40),
        ("stall", 49),
    ]
    assert now[0] == pytest.approx(240, abs=3)


def rows_of(losses: list[float], steps: list[int]) -> str:
    """Return lines."""
    return "".join(
        json.dumps({"step": step, "train_loss": loss}) + "\n" for step, loss in zip(steps, losses, strict=True)
    )


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_steps_that_begin_anew_hide_nothing(at_once: int, tmp_path: Path) -> None:
    """Rows keep the order of the file, and what is found does not depend on how many come at once."""
    rng = np.random.default_rng(0)
    losses = (2 * np.exp(-np.arange(800) / 200) + 0.1 + rng.normal(0, 0.02, 800)).tolist()
    losses = [loss * (6 if at >= 650 else 1) for at, loss in enumerate(losses)]
    lines = rows_of(losses, [at % 100 for at in range(800)]).splitlines(keepends=True)
    path = tmp_path / "log.jsonl"
    one = follower(path)
    quiet = MonitoringConfig.model_validate({"alerts": {"log": False}})
    found: list[Anomaly] = []
    with TrainingMonitor(quiet, watch_stalls=False) as monitor:
        for at in range(0, 800, at_once):
            append(path, "".join(lines[at : at + at_once]))
            found += [it for row in one.poll() for it in monitor.log_step(row.step, row.metrics)]
    with TrainingMonitor(quiet, watch_stalls=False) as monitor:
        live = [it for at, loss in enumerate(losses) for it in monitor.log_step(at % 100, {"train_loss": loss})]
    assert found == live
    assert ("sudden_drop", 50) in [(it.kind, it.step) for it in found]


def test_a_renamed_file_is_read_to_its_end(tmp_path: Path) -> None:
    """What a rotation leaves in the old file between two looks is not lost."""
    path = tmp_path / "log.jsonl"
    one = follower(path)
    append(path, rows_of([1.0], [0]))
    assert [row.step for row in one.poll()] == [0]
    append(path, rows_of([1.0, 1.0], [1, 2]))
    path.rename(tmp_path / "log.jsonl.1")
    append(tmp_path / "log.jsonl.1", rows_of([1.0], [3]))
    append(path, rows_of([1.0], [4]))
    steps = [row.step for _ in range(3) for row in one.poll()]
    assert steps == [1, 2, 3, 4]


def test_megabytes_without_a_step_are_not_the_end(tmp_path: Path) -> None:
    """Rows of batches may fill more than one look."""
    path = tmp_path / "log.jsonl"
    batch = json.dumps({"batch_idx": 1, "step": 1, "metrics": {"loss": 1.0}, "items": ["x" * 3000]}) + "\n"
    path.write_text(batch * 6000 + rows_of([1.0], [5]))
    assert path.stat().st_size > 17_000_000
    assert [row.step for row in follower(path).poll()] == [5]


def test_warnings_do_not_grow_with_the_looks(tmp_path: Path) -> None:
    """One line for a kind, with its count."""
    path = tmp_path / "log.jsonl"
    one = follower(path)
    for step in range(30):
        append(path, json.dumps({"step": step, "train_loss": 1.0, "note": "abc"}) + "\n")
        one.poll()
    assert list(one.warnings) == ["log.jsonl: note: values that are not numbers are left out (30 times)"]


def test_thousands_are_read_as_in_the_analysis(tmp_path: Path) -> None:
    """In a file of decimal commas `1.234` is a thousand and more, unless its column has decimal points."""
    path = tmp_path / "log.csv"
    path.write_text("step;loss;perplexity;score\n0;0,5;1.234;0.5\n1;0,4;1.100;1.234\n", encoding="utf-8")
    one = follower(path)
    rows = [*one.poll(), *one.finish()]
    assert [row.metrics for row in rows] == [
        {"loss": 0.5, "perplexity": 1234, "score": 0.5},
        {"loss": 0.4, "perplexity": 1100, "score": 1.234},
    ]

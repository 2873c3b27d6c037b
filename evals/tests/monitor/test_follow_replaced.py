"""Histories that another program writes anew, in place, while they are followed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from exaid_evals.cli.main import run
from exaid_evals.errors import DataError
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.watching import watch
from exaid_evals.runs import following as stores
from exaid_evals.runs.following import Row
from exaid_evals.runs.registry import follower
from monitor.test_follow import polled
from timing import growth


def lines(loss: float, n: int) -> str:
    """Return a history."""
    return "".join(json.dumps({"step": step, "loss": loss}) + "\n" for step in range(n))


@pytest.mark.parametrize("n", [5, 10])
def test_a_file_that_is_written_anew_is_read_from_its_beginning(tmp_path: Path, n: int) -> None:
    """Also where it has its old length again at the next look, or is longer: its bytes are others."""
    path = tmp_path / "h.jsonl"
    path.write_text(lines(1.0, 5))
    one = follower(path)
    assert len(polled(one)) == 5
    path.write_text(lines(2.0, n))  # the same file, cut and written
    assert polled(one) == [(float(step), {"loss": 2.0}) for step in range(n)]
    assert "cut or replaced 1 times" in one.warnings[-1]
    with path.open("a") as stream:
        stream.write('{"step":99,"loss":2.0}\n')
    assert polled(one) == [(99.0, {"loss": 2.0})]


def test_a_pipe_in_the_place_of_a_history_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It is not a history, and says so."""
    path = tmp_path / "h.jsonl"
    path.write_text(lines(1.0, 5))
    one = follower(path)
    one.poll()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="not an ordinary file"):
        one.poll()


def test_a_store_that_is_just_being_written_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a Parquet file is one tomorrow; what never is again is an error; one that holds less is another."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(stores, "_MOST_FAILURES", 3)
    path = tmp_path / "h.parquet"
    pd.DataFrame({"step": range(5), "loss": [1.0] * 5}).to_parquet(path)
    one = follower(path)
    assert len(one.poll()) == 5
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    assert one.poll() == []
    assert "could not be read the last 1 times" in one.warnings[-1]
    pd.DataFrame({"step": range(3), "loss": [2.0] * 3}).to_parquet(path)
    assert polled(one) == [(float(step), {"loss": 2.0}) for step in range(3)]
    path.write_bytes(whole[:50])
    assert [one.poll(), one.poll()] == [[], []]
    with pytest.raises(DataError, match="not a Parquet file"):
        one.poll()


def test_many_metrics_are_counted_in_time() -> None:
    """The time of a row grows with its metrics, and not with their square."""

    class Rows:
        warnings = ()

        def __init__(self, n: int) -> None:
            self.left = [Row(step, {f"m{at}": 1.0 for at in range(n)}) for step in range(3)]

        def poll(self) -> list[Row]:
            rows, self.left = self.left, []
            return rows

        def finish(self) -> list[Row]:
            return []

    def watched(n: int) -> None:
        settings = MonitoringConfig.model_validate({"alerts": {"log": False}, "enable_real_time_analysis": False})
        with TrainingMonitor(settings) as monitor:
            assert len(watch(Rows(n), monitor, print).metrics) == n

    assert growth(watched, 500, times=16) < 60


@pytest.mark.parametrize("given", [["--interval", "nan"], ["--interval", "inf"], ["--until-idle", "nan"]])
def test_a_time_without_end_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    """Found before any work."""
    path = tmp_path / "h.jsonl"
    path.write_text(lines(1.0, 5))
    assert run(["monitor", str(path), "--follow", *given]) == 2
    assert "is not a time to wait" in capsys.readouterr().err

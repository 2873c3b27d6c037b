"""The monitor returns what it finds, writes what `analyze` reads, and never is what ends a training."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.analysis.stage import analyse
from exaid_evals.artifacts.schemas import require_valid
from exaid_evals.errors import ConfigError
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.stall import STEPS, StallWatch
from exaid_evals.runs.registry import find_run


def config(**parts: Any) -> MonitoringConfig:
    """Return a configuration that tells nobody."""
    return MonitoringConfig.model_validate({"alerts": {"log": False}, **parts})


def accuracies(n: int, drop_at: int) -> list[float]:
    """Return a metric that falls by half."""
    rng = np.random.default_rng(0)
    return [float(value) for value in np.where(np.arange(n) < drop_at, 0.9, 0.45) + rng.normal(0, 0.005, n)]


def test_anomalies_are_returned_as_they_happen() -> None:
    """The step of the drop returns it; the others return nothing."""
    with TrainingMonitor(config(), watch_stalls=False) as monitor:
        returned = {
            step: [one.kind for one in found]
            for step, value in enumerate(accuracies(60, 40))
            if (found := monitor.log_step(step, {"val_accuracy": value}))
        }
    assert returned[40] == ["sudden_drop"]
    assert min(returned) == 40
    assert monitor.counts["sudden_drop", "critical"] == 1
    assert monitor.anomalies[0].metric == "val_accuracy"


def test_only_the_chosen_metrics_are_watched() -> None:
    """`metrics` names them; without real-time analysis none is."""
    chosen = config(anomaly_detection={"metrics": ["b"]})
    with TrainingMonitor(chosen, watch_stalls=False) as monitor:
        assert [one.metric for one in monitor.log_step(0, {"a": math.nan, "b": math.nan})] == ["b"]
    with TrainingMonitor(config(enable_real_time_analysis=False)) as monitor:
        assert monitor.log_step(0, {"a": math.nan}) == []


class _Tensor:
    """As PyTorch's: one element, and `item()`."""

    def item(self) -> float:
        return 0.5


class _Hostile:
    """Raises at every touch."""

    def __float__(self) -> float:
        raise RuntimeError("no")

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "bad",
    ["text", None, b"1", [1.0], np.zeros(3), {}, object(), _Hostile()],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_no_number_is_counted(bad: Any) -> None:
    """It is left out, said once, and the metrics beside it are seen."""
    with TrainingMonitor(config(), watch_stalls=False) as monitor:
        for step in range(3):
            found = monitor.log_step(step, {"odd": bad, "loss": math.nan})
    assert monitor.problems["not a number: odd"] == 3
    assert [one.metric for one in found] == ["loss"]


@pytest.mark.parametrize(
    "arguments", [(None, {}), ("x", {"a": 1.0}), (1, None), (1, [1]), (math.nan, {"a": 1}), (1, {_Hostile(): 1})]
)
def test_nothing_that_is_handed_over_raises(arguments: tuple[Any, Any]) -> None:
    """Steps, metrics and batches of any form are taken or counted."""
    with TrainingMonitor(config(), watch_stalls=False) as monitor:
        monitor.log_step(*arguments)
        monitor.log_step(1, {"a": 1.0}, batch_info="no mapping")  # type: ignore[arg-type]


def test_numbers_of_every_make_are_taken(tmp_path: Path) -> None:
    """NumPy's scalars, one-element arrays, tensors, integers and booleans."""
    metrics = {"a": np.float32(0.5), "b": np.array([2.0]), "c": _Tensor(), "d": 3, "e": True, "f": np.int64(7)}
    with TrainingMonitor(config(reporting={"log_dir": tmp_path}), watch_stalls=False) as monitor:
        monitor.log_step(1, metrics)
        assert not monitor.problems
    row = json.loads((tmp_path / "run" / "history.jsonl").read_text())
    assert row == {"a": 0.5, "b": 2.0, "c": 0.5, "d": 3.0, "e": 1.0, "f": 7.0, "step": 1}


def test_a_full_disk_ends_no_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where a file stands in place of the folder, steps go on, and the log says it once."""
    (tmp_path / "taken").write_text("")
    with TrainingMonitor(config(reporting={"log_dir": tmp_path / "taken"}), watch_stalls=False) as monitor:
        for step in range(5):
            assert [one.kind for one in monitor.log_step(step, {"loss": math.nan})][:1] in ([], ["not_finite"])
    assert sum(monitor.problems.values()) == 5
    assert len([one for one in caplog.records if "history" in one.message]) == 1


def test_the_history_is_what_analyze_reads(tmp_path: Path) -> None:
    """Steps, NaN, infinities, small numbers and batches come back as they were logged, also after a restart."""
    where = config(reporting={"log_dir": tmp_path})
    values = accuracies(60, 40)
    with TrainingMonitor(where, run_name="my run/1", watch_stalls=False) as monitor:
        for step, value in enumerate(values[:30]):
            monitor.log_step(step, {"val_accuracy": value, "lr": 3e-7, "loss": math.nan if step == 5 else 1.0})
    path = monitor.history_file
    assert path is not None
    with path.open("ab") as stream:
        stream.write(b'{"step":30,"val_acc')  # what a killed process leaves
    where = config(reporting={"log_dir": tmp_path, "resume": True})
    with TrainingMonitor(where, run_name="my run/1", watch_stalls=False) as monitor:
        for step, value in enumerate(values[30:], start=30):
            monitor.log_step(step, {"val_accuracy": value}, {"batch_idx": 4, "items": ["x.png"]})
    history = find_run(path.parent.name, [tmp_path], "jsonl")
    assert [point.value for point in history.series["val_accuracy"].points] == values
    assert history.series["lr"].points[0].value == 3e-7
    assert [odd.kind for odd in history.series["loss"].irregularities] == ["nan"]
    assert len(history.batches) == 30
    assert history.batches[0].items == ("x.png",)
    assert any(one.kind == "sudden_drop" and one.step == 40 for one in analyse(history).anomalies)


def test_a_batch_stands_in_the_evidence() -> None:
    """An anomaly names the batch and its first items."""
    with TrainingMonitor(config(), watch_stalls=False) as monitor:
        batch = {"batch_idx": 3, "items": [f"{number}.png" for number in range(30)]}
        (one,) = monitor.log_step(1, {"loss": math.nan}, batch)
    assert one.evidence["batch_idx"] == 3
    assert (one.evidence["items"][0], len(one.evidence["items"]), one.evidence["n_items"]) == ("0.png", 20, 30)


def test_a_report_is_written_at_the_end(tmp_path: Path) -> None:
    """`auto_generate_reports` writes what `analyze` writes; its summary is valid."""
    reporting = {"log_dir": tmp_path / "logs", "auto_generate_reports": True, "output_dir": tmp_path / "reports"}
    with TrainingMonitor(config(reporting=reporting), run_name="r1", watch_stalls=False) as monitor:
        for step, value in enumerate(accuracies(60, 40)):
            monitor.log_step(step, {"val_accuracy": value})
    assert not monitor.problems
    summary = json.loads((tmp_path / "reports" / "r1" / "summary.json").read_text())
    require_valid(summary, "summary.json")
    assert "val_accuracy fell from 0.8994" in summary["key_finding"]


def test_a_report_that_cannot_be_written_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A history without a number ends in a line of the log, and `close` returns."""
    reporting = {"log_dir": tmp_path, "auto_generate_reports": True, "output_dir": tmp_path / "reports"}
    with TrainingMonitor(config(reporting=reporting), watch_stalls=False) as monitor:
        monitor.log_step(0, {"loss": math.nan})
    assert "no metric has a finite number" in caplog.text
    assert next(iter(monitor.problems)).startswith("history: ")


def test_a_stall_is_reported_once_and_ends_with_a_step() -> None:
    """No step for ten times the usual time: a stall; nothing before there are five intervals; then all anew."""
    now = [0.0]
    reported: list[Any] = []
    watched = StallWatch(
        config(anomaly_detection={"stall_min_seconds": 1}).anomaly_detection, lambda: now[0], lambda: reported.append
    )
    for step in range(5):
        now[0] = 2.0 * step
        watched.step(step)
    now[0] += 1000
    assert watched.check() is None  # four intervals say too little
    watched.step(5)
    for step in range(6, 20):
        now[0] += 2.0
        watched.step(step)
    now[0] += 19.9
    assert watched.check() is None
    now[0] += 0.2
    stall = watched.check()
    assert stall is not None
    assert (stall.metric, stall.kind, stall.step, stall.severity) == (STEPS, "stall", 19, "high")
    assert stall.magnitude == pytest.approx(20.1)
    assert watched.check() is None
    watched.step(20)
    assert watched.check() is None


def test_the_background_thread_tells_of_a_stall() -> None:
    """It alerts while the loop hangs, and the next step returns the stall too."""
    now = [0.0]
    reported = threading.Event()
    watching = config(anomaly_detection={"stall_min_seconds": 0.04, "stall_factor": 2})
    with TrainingMonitor(watching, clock=lambda: now[0]) as monitor:
        monitor._alerts.anomaly = lambda one: reported.set() if one.kind == "stall" else None  # type: ignore[method-assign]
        for step in range(10):
            now[0] += 0.01
            monitor.log_step(step, {"loss": 1.0})
        now[0] += 100
        assert reported.wait(120)
        found = monitor.log_step(10, {"loss": 1.0})
    assert [one.kind for one in found] == ["stall"]
    assert monitor.counts["stall", "high"] == 1


def test_the_thread_holds_up_no_exit(tmp_path: Path) -> None:
    """A program that forgets to close its monitor ends all the same."""
    script = (
        "from exaid_evals.monitor import TrainingMonitor\n"
        "monitor = TrainingMonitor()\nmonitor.log_step(0, {'loss': 1.0})\n"
        "import sys; print([name for name in ('numpy', 'pandas', 'torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert not list(tmp_path.iterdir())


def test_a_wrong_configuration_is_refused_before_any_work(tmp_path: Path) -> None:
    """A type that is none, a file that is not there."""
    with pytest.raises(ConfigError, match="is not a configuration"):
        TrainingMonitor(7)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no such configuration"):
        TrainingMonitor(tmp_path / "none.yaml")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_steps() -> None:
    """Between 2·10⁴ and 8·10⁴ steps, with anomalies among them, less than 24 KiB are added: half a byte a step."""
    logging.getLogger("exaid_evals.monitor").setLevel(logging.CRITICAL + 1)
    monitor = TrainingMonitor(config(anomaly_detection={"plateau_patience": 50}), watch_stalls=False)
    values = [*accuracies(997, 500), math.nan]

    def run(first: int, last: int) -> None:
        for step in range(first, last):
            monitor.log_step(step, {"val_accuracy": values[step % 998]})

    tracemalloc.start()
    try:
        run(0, 10_000)
        while len(monitor.anomalies) < 1000:  # these are remembered, and are bounded too
            run(10_000, 20_000)
        before, _ = tracemalloc.get_traced_memory()
        run(20_000, 80_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        monitor.close()
    assert after - before < 24 * 1024
    assert sum(monitor.counts.values()) > 1000

"""A folder and a history belong to one training at a time, and to nobody after it, whatever was forked or failed."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from exaid_evals.errors import ConfigError
from exaid_evals.monitor import AutoRecoverySystem, MonitoringConfig, TrainingMonitor
from monitor.test_recovery import METRIC
from monitor.training_states import Model, Optimizer


def recovery(folder: Path, *, resume: bool = False) -> AutoRecoverySystem:
    """Return a recovery with a checkpoint."""
    one = AutoRecoverySystem(folder, ["rollback"], metric=METRIC, resume=resume).attach(Model(), Optimizer())
    one.observe(0, {METRIC: 0.9})
    return one


def monitor(tmp_path: Path, *, resume: bool = False) -> TrainingMonitor:
    """Return a monitor with a recovery in a folder of its own."""
    settings = {"enable": True, "checkpoint_dir": tmp_path / "checkpoints", "metric": METRIC, "resume": resume}
    return TrainingMonitor(
        MonitoringConfig.model_validate({"alerts": {"log": False}, "auto_recovery": settings}), watch_stalls=False
    )


def forked(seconds: float) -> int:
    """Return the number of a process that inherits everything, and sleeps."""
    number = os.fork()
    if number == 0:
        time.sleep(seconds)
        os._exit(0)
    return number


def ended(number: int) -> None:
    """End a process."""
    os.kill(number, signal.SIGKILL)
    os.waitpid(number, 0)


def test_a_refused_recovery_gives_the_folder_back(tmp_path: Path) -> None:
    """An interpreter holds the last exception, and with it the object: the next attempt succeeds all the same."""
    recovery(tmp_path / "c").close()
    with pytest.raises(ConfigError, match="another training") as held:
        recovery(tmp_path / "c")
    recovery(tmp_path / "c", resume=True).close()
    assert held.value is not None


def test_a_refused_attach_gives_the_folder_back(tmp_path: Path) -> None:
    """No learning rate to lower: attached again with an optimiser, it has the folder."""
    (tmp_path / "checkpoints").mkdir()
    with monitor(tmp_path) as one:
        with pytest.raises(ConfigError, match="no learning rate") as held:
            one.attach(Model())
        one.attach(Model(), Optimizer()).attach(Model(), Optimizer())  # also twice
    assert held.value is not None


def test_a_forked_worker_does_not_keep_the_folder(tmp_path: Path) -> None:
    """A data loader's worker may outlive the monitor that was closed, and the process that was killed."""
    one = recovery(tmp_path / "c")
    worker = forked(60)
    try:
        one.close()
        recovery(tmp_path / "c", resume=True).close()
    finally:
        ended(worker)
    read, write = os.pipe()
    training = os.fork()
    if training == 0:
        recovery(tmp_path / "d")
        os.write(write, str(forked(60)).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(training, 0)
    worker = int(os.read(read, 20))
    try:
        recovery(tmp_path / "d", resume=True).close()
    finally:
        os.kill(worker, signal.SIGKILL)
        os.close(read)
        os.close(write)


def test_a_forked_process_leaves_the_lock_to_its_parent(tmp_path: Path) -> None:
    """What ends in a worker gives the parent's folder to nobody."""
    one = recovery(tmp_path / "c")
    worker = os.fork()
    if worker == 0:
        one.close()
        os._exit(0)
    os.waitpid(worker, 0)
    with pytest.raises(ConfigError, match="another training keeps its checkpoints"):
        recovery(tmp_path / "c", resume=True)
    one.close()


def test_nothing_is_done_after_the_end(tmp_path: Path) -> None:
    """A step that is reported after `close` takes the folder for nobody."""
    one = recovery(tmp_path / "c")
    one.close()
    assert one.observe(1, {METRIC: 0.95}) is None
    recovery(tmp_path / "c", resume=True).close()


def test_a_history_is_resumed_by_one_training(tmp_path: Path) -> None:
    """The second one is reported before any work; after the first one's end it goes on."""
    given = {"alerts": {"log": False}, "reporting": {"log_dir": tmp_path, "resume": True}}
    settings = MonitoringConfig.model_validate(given)
    first = TrainingMonitor(settings, run_name="a", watch_stalls=False)
    first.log_step(0, {"loss": 1.0})
    with pytest.raises(ConfigError, match="another training writes this history"):
        TrainingMonitor(settings, run_name="a", watch_stalls=False)
    first.close()
    with TrainingMonitor(settings, run_name="a", watch_stalls=False) as second:
        second.log_step(1, {"loss": 1.0})
    assert len((tmp_path / "a" / "history.jsonl").read_text().splitlines()) == 2


def test_of_two_that_found_no_history_one_writes_it(tmp_path: Path) -> None:
    """The other one's steps go on, and its problems say why its rows are missing."""
    given = {"alerts": {"log": False}, "reporting": {"log_dir": tmp_path, "resume": True}}
    settings = MonitoringConfig.model_validate(given)
    with TrainingMonitor(settings, run_name="a") as first, TrainingMonitor(settings, run_name="a") as second:
        first.log_step(0, {"loss": 1.0})
        second.log_step(0, {"loss": 2.0})
        assert not first.problems
        assert any("another training writes it" in what for what in second.problems)
    assert (tmp_path / "a" / "history.jsonl").read_text() == '{"loss":1.0,"step":0}\n'

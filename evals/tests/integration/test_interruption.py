"""Interrupting a command with workers: nothing stays behind, nothing is shouted, and it goes on to the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.cli.main import run

SRC = Path(__file__).resolve().parents[2] / "src"
COMMAND = [sys.executable, "-m", "exaid_evals", "run-variants", "--stub", "-j", "2", "--force"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc"),
]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a campaign of 60 cases, all of them replayed: 300 run logs, of which a test waits for 20 at most."""
    data_dir = tmp_path_factory.mktemp("campaign")
    where = ["--stub", "--data-dir", str(data_dir)]
    assert run(["make-traces", *where, "--source", "synthetic", "--limit", "60"]) == 0
    assert run(["run-variants", *where]) == 0
    return data_dir


@pytest.fixture
def started(campaign: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Return a function that starts the command in a session of its own; what is left of it is ended."""
    running: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("EXAID_")}
        environment |= {"PYTHONPATH": str(SRC), "EXAID_DATA_DIR": str(campaign)}
        process = subprocess.Popen(
            COMMAND,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        for pid in members(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait(60)


def members(session: int) -> list[int]:
    """Return the processes of a session, but for those that have ended and wait to be asked how."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:  # it has just gone
            continue
        state, _, _, its_session, *_ = text.rpartition(")")[2].split()
        if int(its_session) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Return whether a condition comes to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def at_work(process: subprocess.Popen[str]) -> bool:
    """Wait for the workers: beside the command and the two of them, Python starts a process that tracks resources."""
    return within(60, lambda: len(members(process.pid)) >= 4)


def contents(campaign: Path) -> dict[str, str]:
    """Return the content hash of every run log."""
    return {path.relative_to(campaign).as_posix(): sha256_file(path) for path in campaign.glob("runs/*/*.gz")}


def files_of(campaign: Path) -> dict[Path, int]:
    """Return the inode of every run log: a log that is written anew is another file."""
    return {path: path.stat().st_ino for path in campaign.glob("runs/*/*.gz")}


def rewritten(campaign: Path, before: dict[Path, int], n: int) -> bool:
    """Wait until the command has written at least `n` logs anew: by its progress, since machines differ in speed."""
    return within(60, lambda: sum(inode != before[path] for path, inode in files_of(campaign).items()) >= n)


@pytest.mark.parametrize("n_written", [0, 1, 20])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_die_with_the_command(
    started: Callable[[], subprocess.Popen[str]], campaign: Path, number: signal.Signals, n_written: int
) -> None:
    """Killed alone, in whatever way and at whatever time, the command leaves no process behind."""
    before = files_of(campaign)
    process = started()
    assert at_work(process)
    assert rewritten(campaign, before, n_written)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert within(60, lambda: not members(process.pid)), (out, err)
    if number == signal.SIGTERM:
        assert process.returncode == 130
        assert "interrupted; finished work is kept" in err
        assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("later_s", "n_written"), [(0.0, 0), (0.1, 0), (0.0, 1), (0.0, 20)])
def test_an_interrupted_group_is_silent_and_goes_on(
    started: Callable[[], subprocess.Popen[str]],
    campaign: Path,
    number: signal.Signals,
    later_s: float,
    n_written: int,
) -> None:
    """Ctrl-C, or `timeout`, reaches workers too, even while they start: one line, status 130, and it goes on."""
    before, inodes = contents(campaign), files_of(campaign)
    process = started()
    assert at_work(process)
    time.sleep(later_s)
    assert rewritten(campaign, inodes, n_written)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("interrupted; finished work is kept")
    assert within(60, lambda: not members(process.pid))
    assert run(["run-variants", "--stub", "--data-dir", str(campaign)]) == 0
    assert contents(campaign) == before
    assert not list(campaign.glob("runs/*/.*.tmp"))

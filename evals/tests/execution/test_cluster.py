"""Work on a Dask cluster on loopback: the same bytes, and nothing lost where a worker or the scheduler dies."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dask_cluster import Started
from exaid_evals.cli.main import run
from exaid_evals.errors import ConfigError, ExaidError
from exaid_evals.execution import cluster
from exaid_evals.execution.choose import executor
from exaid_evals.execution.cluster import DaskCluster, WorkerDiffersError
from folders import contents
from stub_campaigns import ARGUMENTS, shared_campaign

pytestmark = pytest.mark.slow


def slow_square(number: int, *, seconds: float = 0.1) -> int:
    """Return a square, after a while."""
    time.sleep(seconds)
    return number * number


def squares() -> partial[int]:
    """Build the work."""
    return partial(slow_square)


def test_a_killed_worker_costs_nothing(started: Started, capfd: pytest.CaptureFixture[str]) -> None:
    """What it worked on is done by the other, each item comes once, in order; who did what is reported."""
    results = DaskCluster(started.address).map_ordered(squares, range(40))
    found = [next(results)]
    started.workers[0].send_signal(signal.SIGKILL)
    found += results
    assert found == [(number, number * number) for number in range(40)]
    reported = capfd.readouterr().err
    assert "cluster: dashboard http://" in reported
    assert re.search(r"cluster: tcp://127\S+: \d+ items, \d+\.\d\d a second", reported)


def test_a_killed_scheduler_is_an_error_with_a_remedy(started: Started) -> None:
    """What came before is kept by whoever wrote it; the command says how to go on."""
    results = DaskCluster(started.address).map_ordered(squares, range(400))
    assert next(results) == (0, 0)
    started.scheduler.send_signal(signal.SIGKILL)
    with pytest.raises(ExaidError, match=r"scheduler went away.*the same command goes on"):
        list(results)


def test_a_worker_with_other_packages_is_refused_by_name(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's address and what differs are named, before any result."""
    mine = {**cluster.environment(), "numpy": "0.1"}
    monkeypatch.setattr(cluster, "environment", lambda: mine)
    with pytest.raises(WorkerDiffersError, match=r"the worker tcp://127.* has numpy \S+, not 0\.1"):
        list(DaskCluster(started.address).map_ordered(squares, range(3)))


def test_no_scheduler_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what starts one."""
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    with pytest.raises(ExaidError, match=r"no Dask scheduler answers.*dask scheduler"):
        list(DaskCluster("tcp://127.0.0.1:9").map_ordered(squares, range(3)))


WITH_TESTS = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[:2]))}


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Path]:
    """A scheduler's file; the scheduler, which has no workers, begins a second later."""
    file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", str(file)]
    arguments = ["sh", "-c", 'sleep 1; exec "$@"', "sh", *command]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL, env=WITH_TESTS) as scheduler:
        try:
            yield file
        finally:
            scheduler.kill()


def test_a_scheduler_is_found_by_its_file_and_its_first_worker_waited_for(
    alone: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As a batch system starts them: one after the other, each when there is room for it."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(alone)]
    command += ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
    waits = 'until [ -s "$0" ]; do sleep 0.1; done; sleep 1; exec "$@"'
    arguments = ["sh", "-c", waits, str(alone), *command]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL, env=WITH_TESTS) as worker:
        try:
            found = list(executor(1, str(alone)).map_ordered(squares, range(3)))
        finally:
            worker.kill()
    assert found == [(0, 0), (1, 1), (2, 4)]
    assert "the scheduler has no workers yet; waiting up to" in capfd.readouterr().err


def test_where_no_worker_comes_it_is_said_how_to_start_one(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the scheduler's address, whatever named it."""
    monkeypatch.setattr(cluster, "_FIRST_WORKER_S", 1)
    with pytest.raises(ExaidError, match=r"has no workers.*dask worker tcp://127\.0\.0\.1:\d+ --nthreads 1"):
        list(executor(1, str(alone)).map_ordered(squares, range(3)))


def test_a_scheduler_without_the_package_is_refused(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads what it passes on; here it lacks the module that the command has."""
    (tmp_path / "module_of_the_command.py").write_text(
        "from functools import partial\ndef build(): return partial(abs)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    build = importlib.import_module("module_of_the_command").build
    with pytest.raises(ExaidError, match=r"scheduler cannot read.*same lock file"):
        list(DaskCluster(started.address).map_ordered(build, range(3)))


def test_without_an_item_no_scheduler_is_looked_for() -> None:
    """Such as where one file is checked, which is done here."""
    nothing: list[int] = []
    assert list(DaskCluster("tcp://127.0.0.1:1").map_ordered(squares, iter(nothing))) == []


def test_what_is_no_cluster_is_refused() -> None:
    """An unknown word, and no worker at all."""
    for text in ("somewhere", "local:0"):
        with pytest.raises(ConfigError):
            executor(1, text)


def test_a_cluster_gives_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Traces, runs, metrics, tables and ledgers of a campaign made on two workers are those made here."""
    there = tmp_path / "data"
    on_two = ["--cluster", "local:2", "--data-dir", str(there)]
    assert run(["make-traces", *ARGUMENTS, "--limit", "2", *on_two]) == 0
    assert run(["run-variants", "--stub", *on_two]) == 0, capsys.readouterr().err
    assert run(["compute-metrics", *on_two]) == 0, capsys.readouterr().err
    here = shared_campaign().root
    for part in ("traces", "manifests", "runs", "metrics"):
        assert contents(there / part) == contents(here / part)
    assert "items, " in capsys.readouterr().err


def test_a_cluster_exports_and_reads_concepts_as_one_process_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same files, and the same lines."""
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(f'{{"id":{number},"text":"Fever and a rash."}}\n' for number in range(300)))
    printed = []
    for options in ((), ("--cluster", "local:2")):
        campaign = str(shared_campaign().root)
        out = tmp_path / f"out-{len(options)}"
        assert run(["export", "--run", campaign, "--out", str(out), *options]) == 0
        capsys.readouterr()
        assert run(["concepts", str(texts), *options]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert (tmp_path / "out-0/exported_summary.json").read_bytes() == (
        tmp_path / "out-2/exported_summary.json"
    ).read_bytes()


def test_a_cluster_validates_as_one_process_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same counts and the same problems, of a campaign one of whose run logs and traces are damaged."""
    campaign = tmp_path / "data"
    shutil.copytree(shared_campaign().root, campaign)
    for path in (sorted(campaign.glob("runs/V1/*.gz"))[0], sorted(campaign.glob("traces/*.gz"))[-1]):
        path.write_bytes(path.read_bytes()[:-20])
    capsys.readouterr()
    printed = []
    for options in ((), ("--cluster", "local:2")):
        assert run(["validate", "--data-dir", str(campaign), *options]) == 1
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count("truncated gzip") == 2


def test_a_worker_of_several_threads_is_refused() -> None:
    """They would share what is built for a command, and give one command's results to another."""
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as threads,
        pytest.raises(WorkerDiffersError, match=r"has 2 threads, and must have one.*--nthreads 1"),
    ):
        list(DaskCluster(threads.scheduler_address).map_ordered(squares, range(3)))

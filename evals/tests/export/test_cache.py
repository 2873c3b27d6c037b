"""Re-export reads what has changed and nothing else, and writes what an export from nothing writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exaid_evals.cli.main import run as cli
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.formats.training_run import TrainingRunFormat
from export.training_runs import shifted, write_run

LONG_AGO = 1_600_000_000


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Write three runs that were finished long ago."""
    for seed in range(3):
        settle(write_run(tmp_path / "runs" / f"results_{seed}", predictions=shifted(seed), metrics={}, seed=seed))
    return tmp_path / "runs"


def settle(folder: Path) -> Path:
    """Let a run's files be old; what was written just now might change again within one tick of the clock."""
    for path in [*folder.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the folders whose runs are read, as they are read."""
    seen: list[str] = []
    real = TrainingRunFormat.read

    def noted(self: TrainingRunFormat, source: Source, name: str) -> Run:
        seen.append(source.path.name)
        return real(self, source, name)

    monkeypatch.setattr(TrainingRunFormat, "read", noted)
    # The change time of files cannot be set back, so the clock is set forward.
    monkeypatch.setattr("exaid_evals.export.reading.time.time_ns", lambda: 4_000_000_000_000_000_000)
    return seen


def export(runs: Path, out: Path, *more: str) -> dict[str, bytes]:
    """Export, and return every result: logs and what is remembered are none."""
    assert cli(["export", "--runs", f"{runs}/results_*", "--out", str(out), *more]) == 0
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.relative_to(out).parts[0] not in ("logs", ".state")
    }


def test_one_new_run_is_all_that_is_read(runs: Path, tmp_path: Path, read: list[str]) -> None:
    """After a new run only that is read, and the bytes are those of an export from nothing."""
    export(runs, tmp_path / "out")
    read.clear()
    settle(write_run(runs / "results_9", predictions=shifted(4), metrics={}, seed=9))
    again = export(runs, tmp_path / "out")
    assert read == ["results_9"]
    assert again == export(runs, tmp_path / "fresh")


def test_a_changed_file_is_read_again_whatever_its_times_say(runs: Path, tmp_path: Path, read: list[str]) -> None:
    """An edit that keeps size and modification time is seen by the change time."""
    export(runs, tmp_path / "out")
    read.clear()
    path = runs / "results_1" / "summary.json"
    path.write_text(path.read_text().replace('"seed": 1', '"seed": 8'), encoding="utf-8")
    os.utime(path, (LONG_AGO, LONG_AGO))
    after = export(runs, tmp_path / "out")
    assert read == ["results_1"]
    assert b"\nresults_1,training_run,8," in after["exported_metrics.csv"]


def test_files_that_were_only_touched_are_not_read_again(runs: Path, tmp_path: Path, read: list[str]) -> None:
    """Copied or touched files have other times and the same content."""
    export(runs, tmp_path / "out")
    read.clear()
    for path in runs.rglob("*.json"):
        os.utime(path)
    export(runs, tmp_path / "out")
    assert read == []


def test_an_optional_file_that_appears_is_read(runs: Path, tmp_path: Path, read: list[str]) -> None:
    """What was not there is part of what a run depends on; so is what is gone."""
    export(runs, tmp_path / "out")
    read.clear()
    (runs / "results_0" / "optuna_trial.json").write_text('{"number": 3, "params": {}}', encoding="utf-8")
    export(runs, tmp_path / "out", "--group-by", "seed")
    assert read == ["results_0"]


def test_force_and_a_damaged_memory_read_everything(runs: Path, tmp_path: Path, read: list[str]) -> None:
    """--force asks for it; a damaged file counts as none, and is mended."""
    first = export(runs, tmp_path / "out")
    for spoil in (False, True):
        read.clear()
        if spoil:
            (tmp_path / "out" / ".state" / "export_runs.jsonl").write_bytes(b'{"program": "x"}\n{bad')
        assert export(runs, tmp_path / "out", *([] if spoil else ["--force"])) == first
        assert len(read) == 3
    read.clear()
    export(runs, tmp_path / "out")
    assert read == []


def test_what_may_still_change_is_decided_by_its_content(runs: Path, tmp_path: Path) -> None:
    """Files of this very second are compared by content: a change within one tick of the clock is not missed."""
    folder = runs / "results_2"
    export(runs, tmp_path / "out")
    path = folder / "summary.json"
    status = path.stat()
    path.write_text(path.read_text().replace('"seed": 2', '"seed": 7'), encoding="utf-8")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert b"\nresults_2,training_run,7," in export(runs, tmp_path / "out")["exported_metrics.csv"]


@pytest.mark.slow
def test_jobs_change_no_byte(tmp_path: Path) -> None:
    """Four hundred and fifty runs in one process and in two are the same export."""
    for number in range(450):
        write_run(tmp_path / "runs" / f"results_{number}", predictions=shifted(number % 10), metrics={}, seed=number)
    one = export(tmp_path / "runs", tmp_path / "one", "--jobs", "1", "--log-level", "error")
    assert one == export(tmp_path / "runs", tmp_path / "two", "--jobs", "2", "--log-level", "error")


def test_nothing_is_looked_for_where_no_folder_changed(
    runs: Path, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of unchanged runs no format is asked; where a file appears, whoever claims the folder may be another."""
    first = export(runs, tmp_path / "out")
    asked: list[str] = []
    real = TrainingRunFormat.claims

    def noted(self: TrainingRunFormat, folder: Path) -> bool:
        asked.append(folder.name)
        return real(self, folder)

    monkeypatch.setattr(TrainingRunFormat, "claims", noted)
    assert export(runs, tmp_path / "out") == first
    assert (asked, len(read)) == ([], 3)
    (runs / "results_1" / "metrics" / "notes.txt").write_text("checked\n", encoding="utf-8")
    assert export(runs, tmp_path / "out") == first
    assert asked == ["results_1"]


def test_a_link_that_comes_to_life_is_read(runs: Path, tmp_path: Path, read: list[str]) -> None:
    """A link that led nowhere changes no folder when its target appears, and is read then."""
    trial = tmp_path / "elsewhere.json"
    (runs / "results_2" / "optuna_trial.json").symlink_to(trial)
    assert b"config.alpha" not in export(runs, tmp_path / "out")["exported_metrics.csv"]
    read.clear()
    trial.write_text('{"params": {"alpha": 0.5}}', encoding="utf-8")
    os.utime(trial, (LONG_AGO, LONG_AGO))
    assert b"config.alpha" in export(runs, tmp_path / "out")["exported_metrics.csv"]
    assert read == ["results_2"]

"""The pipeline end to end, on synthetic cases in stub mode."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exaid_evals.artifacts.hashing import sha256_file
from stub_campaigns import shared_seeds

SRC = Path(__file__).resolve().parents[2] / "src"
WRITTEN = [
    "exports/exported_metrics.csv",
    "exports/exported_summary.json",
    "manifests/dataset_manifest.jsonl",
    "metrics/V3.metrics.jsonl",
    "metrics/comparisons.metrics.jsonl",
    "metrics/figures/coverage_vs_budget.csv",
    "metrics/figures/coverage_vs_budget.pdf",
    "metrics/figures/coverage_vs_budget.png",
    "metrics/tables/comparisons.tex",
    "metrics/tables/coverage_at_budget.tex",
    "metrics/tables/main.csv",
    "metrics/tables/main.md",
    "report.html",
]


def reproduce(data_dir: Path, *arguments: str, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `exaid-evals reproduce --stub` over a campaign in a process of its own."""
    base = {key: value for key, value in os.environ.items() if not key.startswith("EXAID_")}
    base |= {"PYTHONPATH": str(SRC), "EXAID_SOURCE": "synthetic", "EXAID_DATA_DIR": str(data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "exaid_evals", "reproduce", "--stub", *arguments],
        env=base | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done


def contents(data_dir: Path) -> dict[str, str]:
    """Return the content hash of every file of a campaign."""
    paths = sorted(path for path in data_dir.rglob("*") if path.is_file())
    return {path.relative_to(data_dir).as_posix(): sha256_file(path) for path in paths}


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a campaign of eight cases, made with one job; two jobs get four cases each."""
    data_dir = tmp_path_factory.mktemp("campaign")
    reproduce(data_dir, "--limit", "8", "--jobs", "1")
    return data_dir


@pytest.mark.slow
def test_everything_is_written_and_valid(campaign: Path) -> None:
    """One command leaves traces, runs, metrics, tables, figures and an export."""
    assert [name for name in WRITTEN if not (campaign / name).is_file()] == []
    assert sorted(path.name for path in (campaign / "runs").iterdir()) == ["V0", "V1", "V2", "V3", "V4"]


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_circumstances(campaign: Path, tmp_path: Path) -> None:
    """Another number of jobs, hash seed, time zone, locale and working directory: every file has the same content."""
    reproduce(tmp_path, "--limit", "8", "--jobs", "2", PYTHONHASHSEED="7", TZ="Asia/Kathmandu", LC_ALL="C", LANG="C")
    assert contents(tmp_path) == contents(campaign)


@pytest.mark.slow
def test_a_second_call_does_nothing_again(campaign: Path) -> None:
    """With nothing changed no file is written, and the heavy libraries stay where they are."""
    before = {path: path.stat().st_mtime_ns for path in (campaign / "runs").rglob("*.gz")}
    time.sleep(0.01)
    done = reproduce(campaign, "--limit", "8")
    assert {path: path.stat().st_mtime_ns for path in (campaign / "runs").rglob("*.gz")} == before
    assert "nothing to do" in done.stderr
    assert "0 run logs written, 40 current" in done.stdout


@pytest.mark.slow
def test_several_seeds_make_several_campaigns() -> None:
    """A campaign a seed, other conversations about the same cases, and one export over all of them."""
    made = shared_seeds()
    export = json.loads((made.exports / "exported_summary.json").read_text(encoding="utf-8"))
    assert [run["run"] for run in export["runs"]] == ["seed-1", "seed-2"]
    first, second = export["runs"]
    assert (first["seed"], second["seed"]) == (1, 2)
    assert first["attributes"]["case_list_hash"] == second["attributes"]["case_list_hash"]
    assert first["attributes"]["trace_dataset_hash"] != second["attributes"]["trace_dataset_hash"]
    assert (made.exports / "over_seeds.tex").is_file()
    assert export["aggregated"]["V3.coverage"]["n"] == 2
    assert export["stub"] is True


@pytest.mark.slow
def test_damaged_data_stop_the_pipeline(campaign: Path, tmp_path: Path) -> None:
    """An edited trace is refused by name, and nothing is computed from it."""
    damaged = tmp_path / "data"
    shutil.copytree(campaign, damaged)
    trace = next(path for path in sorted((damaged / "traces").iterdir()))
    other = next(path for path in sorted((campaign / "runs" / "V0").iterdir()))
    trace.write_bytes(other.read_bytes())
    done = reproduce(damaged, "--limit", "8", status=1)
    assert trace.name in done.stdout
    assert "stopped at stage 00" in done.stderr

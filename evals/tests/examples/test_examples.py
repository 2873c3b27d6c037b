"""The examples work as the documentation says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exaid_evals.replay.run_log import read_run

ROOT = Path(__file__).resolve().parents[3]
MAX_LINES = 30


def run(*arguments: str, data_dir: Path) -> str:
    """Run a command with the examples on the path, and return what it prints."""
    paths = [str(ROOT / "examples"), str(ROOT / "evals" / "src")]
    environment = {**os.environ, "EXAID_DATA_DIR": str(data_dir), "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_own_traces_go_through_an_own_summarizer(tmp_path: Path) -> None:
    """Traces made by hand are frozen, replayed through a summarizer named in YAML, measured, and valid."""
    run(str(ROOT / "examples" / "own_traces.py"), str(tmp_path), data_dir=tmp_path)
    cli = ["-m", "exaid_evals"]
    run(*cli, "run-variants", "--variants-dir", str(ROOT / "examples" / "variants"), data_dir=tmp_path)
    log = read_run(tmp_path / "runs" / "Lead" / "case-a1.jsonl.gz")
    assert [item.semantics_text.split("\n")[1] for item in log.summaries] == [
        "A 7-year-old girl with fever, arthritis and a rash for three weeks.",
        "Systemic juvenile idiopathic arthritis is likely.",
        "I agree.",
    ]
    run(*cli, "compute-metrics", data_dir=tmp_path)
    assert "all valid" in run(*cli, "validate", data_dir=tmp_path)


def test_the_summarizer_is_short() -> None:
    """An own summarizer fits in 30 lines."""
    lines = (ROOT / "examples" / "lead_summarizer.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES

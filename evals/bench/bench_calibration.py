"""How long a calibration takes: 625 policies over 40 stub cases, beside the real gate on a sample of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exaid_evals.calibration.simulate import policies
from exaid_evals.calibration.sweep import CaseWorker
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import GridConfig
from exaid_evals.middleware.gates import TokenGate, TokenGateSettings
from exaid_evals.replay.engine import stream_chunks
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import read_trace

COMMAND = [sys.executable, "-m", "exaid_evals"]
JOBS = min(2, os.cpu_count() or 1)
SPEED = 120.0
SAMPLE_EVERY = 25
"""Of the policies, that the real gate is timed with."""
SAMPLE_CASES = 2
TARGET_S = 60


def run(*arguments: str) -> float:
    """Run the command line and return its wall time in s."""
    environment = {**os.environ, "EXAID_STUB_MODE": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent / "src")
    started = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], check=True, env=environment, capture_output=True)
    return time.perf_counter() - started


def per_policy_and_case(campaign: Campaign) -> tuple[float, float]:
    """Return the time in s of one policy over one case: all policies at once, and the real gate."""
    grid = policies(GridConfig())[0]
    entries = verify_frozen(campaign).entries[:SAMPLE_CASES]
    traces = [read_trace(campaign.trace_file(entry.case_id)) for entry in entries]
    worker = CaseWorker(campaign.root, grid, SPEED)
    started = time.perf_counter()
    for trace in traces:
        worker.count(trace)
    fast = (time.perf_counter() - started) / len(grid) / len(traces)
    sample = grid[::SAMPLE_EVERY]
    started = time.perf_counter()
    for trace in traces:
        for policy in sample:
            list(stream_chunks(trace, TokenGate(TokenGateSettings(**policy.settings)), SPEED))
    return fast, (time.perf_counter() - started) / len(sample) / len(traces)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        evaluated, others = Path(temporary) / "evaluated", Path(temporary) / "others"
        run("make-traces", "--data-dir", str(evaluated))
        run("make-traces", "--data-dir", str(others), "--exclude-from", str(evaluated))
        folders = ["--traces", str(others), "--data-dir", str(evaluated)]
        times = {jobs: run("calibrate", *folders, "--jobs", str(jobs)) for jobs in sorted({1, JOBS})}
        fast, real = per_policy_and_case(Campaign(others))
    print(f"{len(policies(GridConfig())[0])} policies × 40 cases, stub, report and figure included")
    for jobs, seconds in times.items():
        print(f"  --jobs {jobs}   {seconds:6.1f} s   (target {TARGET_S} s)")
    print(
        f"one policy over one case: {1e6 * fast:.0f} µs; with the real gate {1e6 * real:.0f} µs ({real / fast:.0f} ×)"
    )


if __name__ == "__main__":
    main()

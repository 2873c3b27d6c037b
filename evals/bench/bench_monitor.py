"""What the training monitor costs per metric and step, and what it finds while a run goes on.

Run: ``python evals/bench/bench_monitor.py`` prints both tables; ``--write`` writes them into docs/monitoring.md;
``--cost-only`` leaves out the second, which trains the runs of simulated_runs.py (some minutes). The times are of this
machine's processor, in the thread of the training. The second table asks, of runs with a planted cause, whether an
anomaly of severity high or critical was reported after the onset, and how many steps after it; and of clean runs, how
many had one. Thresholds were looked at on runs of the development half alone.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from simulated_runs import DEVELOPMENT, HELD_OUT, KINDS, N_CLEAN, N_PER_KIND, simulate

from exaid_evals.anomalies.base import SEVERITIES
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.runs.following import merged
from exaid_evals.runs.rows import history_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitoring.md"
COST = ("<!-- cost: begin (bench_monitor.py --write writes this) -->", "<!-- cost: end -->")
FOUND = ("<!-- found: begin (bench_monitor.py --write writes this) -->", "<!-- found: end -->")
MOST_MICROSECONDS = 50.0
_STEPS, _REPEATS = 4000, 3


def _rows(n_metrics: int) -> list[dict[str, float]]:
    """Return steps of metrics that improve with noise; every third has no direction."""
    rng = random.Random(0)  # noqa: S311 - made-up metrics
    names = [("train_loss_%d", "val_accuracy_%d_acc", "signal_%d")[at % 3] % at for at in range(n_metrics)]
    steps = max(200, _STEPS // n_metrics)
    return [{name: 1 + math.exp(-step / 500) + rng.gauss(0, 0.02) for name in names} for step in range(steps)]


def _microseconds(rows: Sequence[dict[str, float]], config: MonitoringConfig) -> float:
    """Return the least of three times, per metric and step: of the processor, since cores are shared with others."""
    best = math.inf
    for _ in range(_REPEATS):
        with TrainingMonitor(config, watch_stalls=False) as monitor:
            started = time.thread_time()
            for step, row in enumerate(rows):
                monitor.log_step(step, row)
            best = min(best, time.thread_time() - started)
    return 1e6 * best / (len(rows) * len(rows[0]))


def cost() -> tuple[str, float]:
    """Return the table of costs in Markdown, and the greatest."""
    lines = ["| metrics a step | µs per metric and step | with the history on disk |", "| --: | --: | --: |"]
    greatest = 0.0
    quiet = {"alerts": {"log": False}}
    for n_metrics in (1, 10, 100):
        rows = _rows(n_metrics)
        plain = _microseconds(rows, MonitoringConfig.model_validate(quiet))
        with tempfile.TemporaryDirectory() as folder:
            config = MonitoringConfig.model_validate({**quiet, "reporting": {"log_dir": folder}})
            logged = _microseconds(rows, config)
        greatest = max(greatest, plain, logged)
        lines.append(f"| {n_metrics} | {plain:.1f} | {logged:.1f} |")
    return "\n".join(lines), greatest


def first_reported(task: tuple[int, int, str | None]) -> tuple[str | None, float | None]:
    """Simulate a run, and return its kind and the steps from the onset to the first severe report; None: never.

    Of a clean run every step is after the onset.
    """
    half, index, kind = task
    run = simulate(half, index, kind)
    history = history_of(run.name, "jsonl", run.rows)
    onset = run.onset if run.onset is not None else 0
    with TrainingMonitor(MonitoringConfig.model_validate({"alerts": {"log": False}}), watch_stalls=False) as monitor:
        for step, row in merged(history.series, {}):
            for one in monitor.log_step(step, row):
                if SEVERITIES.index(one.severity) >= 2 and step >= onset:
                    return kind, step - onset
    return kind, None


def found(jobs: int) -> str:
    """Return the table of what was found in both halves, in Markdown."""
    halves = {"development": DEVELOPMENT, "held-out": HELD_OUT}
    reported: dict[str, dict[str | None, list[float | None]]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for name, half in halves.items():
            tasks: list[tuple[int, int, str | None]] = [
                (half, number * 1000 + repeat, kind)
                for number, kind in enumerate(KINDS)
                for repeat in range(N_PER_KIND)
            ]
            tasks += [(half, 900_000 + repeat, None) for repeat in range(N_CLEAN)]
            by_kind = reported.setdefault(name, {})
            for kind, delay in pool.map(first_reported, tasks, chunksize=4):
                by_kind.setdefault(kind, []).append(delay)
    lines = [
        "| planted | development: reported | held-out: reported | held-out: steps after the onset, median (most) |",
        "| :-- | --: | --: | --: |",
    ]
    for kind in KINDS:
        cells = [
            f"{sum(one is not None for one in reported[name][kind])} of {len(reported[name][kind])}" for name in halves
        ]
        delays = [one for one in reported["held-out"][kind] if one is not None]
        shown = f"{statistics.median(delays):g} ({max(delays):g})" if delays else "–"
        lines.append(f"| {kind.replace('_', ' ')} | {' | '.join(cells)} | {shown} |")
    clean = [f"{sum(one is not None for one in reported[name][None])} of {N_CLEAN}" for name in halves]
    lines.append(f"| clean runs with an alarm | {' | '.join(clean)} | |")
    return "\n".join(lines)


def _put(page: str, marks: tuple[str, str], table: str) -> str:
    before, _, rest = page.partition(marks[0])
    _, _, after = rest.partition(marks[1])
    return f"{before}{marks[0]}\n\n{table}\n\n{marks[1]}{after}"


def main() -> int:
    """Measure, and print or write; the exit status says whether the cost is below its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--cost-only", action="store_true")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    chosen = parser.parse_args()
    costs, greatest = cost()
    print(costs)
    tables = [(COST, costs)]
    if not chosen.cost_only:
        tables.append((FOUND, found(chosen.jobs)))
        print(f"\n{tables[-1][1]}")
    if chosen.write:
        page = PAGE.read_text(encoding="utf-8")
        for marks, table in tables:
            page = _put(page, marks, table)
        PAGE.write_text(page, encoding="utf-8")
    return int(greatest > MOST_MICROSECONDS)


if __name__ == "__main__":
    sys.exit(main())

"""Time the whole pipeline in stub mode: 302 cases × 5 variants, a second call, growth, and the command line.

    python evals/bench/bench_pipeline.py [--beside CHECKOUT] [--cases 302] [--rounds 3]

With `--beside`, the CPU time of each stage is printed beside that of another checkout, whose `.venv` is ready: the two
take turns, so that a busy machine slows both. CPU time is that of the whole process tree, user and system.

Every figure is a median over whole processes on this machine; targets are beside them. Memory is the largest
resident set of any process of the run, and the sum that all of them could have held at once.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS_OF_FAST = 5
COMMAND = [sys.executable, "-m", "exaid_evals"]
JOBS = os.cpu_count() or 1


def run(*arguments: str, data_dir: Path) -> float:
    """Run the command line quietly and return its wall time in s."""
    environment = {**os.environ, "EXAID_STUB_MODE": "1", "EXAID_DATA_DIR": str(data_dir)}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent / "src")
    started = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], check=True, env=environment, capture_output=True)
    return time.perf_counter() - started


def median_of(n: int, *arguments: str, data_dir: Path) -> float:
    """Return the median wall time of several calls."""
    return statistics.median(run(*arguments, data_dir=data_dir) for _ in range(n))


def whole(n_cases: int, folder: Path) -> dict[str, float]:
    """Return the wall time in s of each stage over so many cases, in an empty campaign."""
    data_dir = folder / f"{n_cases}-cases"
    stages = {
        "01 make-traces": ["make-traces", "--mode", "all", "--limit", str(n_cases)],
        "02 run-variants": ["run-variants", "--jobs", str(JOBS)],
        "03 compute-metrics": ["compute-metrics", "--jobs", str(JOBS)],
        "04 export": ["export"],
        "00 validate": ["validate"],
    }
    return {name: run(*arguments, data_dir=data_dir) for name, arguments in stages.items()}


STAGES = (
    ("01 make-traces", "make-traces --mode all --limit {n} --jobs {jobs}"),
    ("02 run-variants", "run-variants --jobs {jobs}"),
    ("03 compute-metrics", "compute-metrics --jobs {jobs}"),
    ("04 export", "export"),
    ("00 validate", "validate"),
)


def cpu_of(checkout: Path, line: str, folder: Path) -> float:
    """Run a verb of a checkout and return the CPU time of its processes in s."""
    environment = {**os.environ, "EXAID_STUB_MODE": "1", "EXAID_DATA_DIR": str(folder / "data")}
    environment["EXAID_CACHE_DIR"] = str(folder / "cache")
    command = [checkout / ".venv/bin/exaid-evals", *line.split()]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env=environment, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def beside(other: Path, n_cases: int, rounds: int) -> None:
    """Print the CPU time of each stage here and in another checkout, medians over rounds in which they take turns."""
    checkouts = {"here": Path(__file__).resolve().parents[2], "there": other.resolve()}
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(-1, rounds):  # the round before the first fills both caches with two cases
            for name, line in STAGES:
                for which, checkout in checkouts.items():
                    folder = Path(temporary) / which
                    if name.startswith("01"):  # what was read in the texts of the round before is not to be known
                        for old in (folder / "data", folder / "cache" / "concepts"):
                            shutil.rmtree(old, ignore_errors=True)
                    n = n_cases if number >= 0 else 2
                    cpu_s = cpu_of(checkout, line.format(n=n, jobs=JOBS), folder)
                    if number >= 0:
                        found.setdefault((name, which), []).append(cpu_s)
    print(f"{n_cases} cases × 5 variants, stub, {JOBS} cores, CPU s, medians of {rounds}")
    print(f"  {'stage':<20}{'here':>8}{'there':>8}{'ratio':>8}")
    totals = dict.fromkeys(checkouts, 0.0)
    for name, _ in STAGES:
        costs = {which: statistics.median(found[name, which]) for which in checkouts}
        totals = {which: totals[which] + costs[which] for which in checkouts}
        print(f"  {name:<20}{costs['here']:8.1f}{costs['there']:8.1f}{costs['here'] / costs['there']:8.2f}")
    print(f"  {'all':<20}{totals['here']:8.1f}{totals['there']:8.1f}{totals['here'] / totals['there']:8.2f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--cases", type=int, default=302)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.beside is not None:
        beside(arguments.beside, arguments.cases, arguments.rounds)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        whole(3, folder)  # compiles the vocabularies, so that their cache is warm for all that follows
        small, large = whole(30, folder), whole(302, folder)
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        again = folder / "again"
        run("reproduce", data_dir=again)
        second = median_of(RUNS_OF_FAST, "reproduce", data_dir=again)
        helping = median_of(RUNS_OF_FAST, "--help", data_dir=again)
        helping_verb = median_of(RUNS_OF_FAST, "run-variants", "--help", data_dir=again)
    print(f"302 cases × 5 variants, stub, {JOBS} cores")
    for name in large:
        print(f"  {name:<20} {large[name]:7.1f} s   per case: {large[name] / small[name] * 30 / 302:5.2f} × that of 30")
    total, total_small = sum(large.values()), sum(small.values())
    print(f"  {'all stages':<20} {total:7.1f} s   (target 90 s)")
    print(f"  {'per case':<20} {total / 302 / (total_small / 30):7.2f} × that of 30 cases (target ≤ 1.10)")
    print(f"  {'largest process':<20} {peak_mb:7.0f} MB; {JOBS + 1} processes at most (target 1,500 MB)")
    print(f"reproduce, 40 cases, nothing changed: {second:.2f} s (target 5 s)")
    print(f"--help: {helping:.3f} s; run-variants --help: {helping_verb:.3f} s (target 0.3 s)")


if __name__ == "__main__":
    main()

"""How the stages grow with the number of cases: CPU time and memory of each, and the exponent of its growth.

A stage is one command with one process, in stub mode over synthetic cases. CPU time is the process's own, so other
work on the machine hardly changes it; memory is the largest resident set of any process. The exponent is the slope of
log CPU over log cases, from the smallest to the largest size after the time that the smallest takes for three cases is
taken off: 1 is linear. What has been measured is kept in the folder, so that the same call goes on.

    python evals/bench/bench_scale.py --data /tmp/scale --variants V0 30 300 3000
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SETTING_UP = 3
"""Cases of the campaign that shows what starting costs."""


class Measured(NamedTuple):
    """One command: its CPU and wall time in s, and the memory of its largest process in MB."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def stages(n: int, variants: list[str]) -> dict[str, list[str]]:
    """Return what is measured, in order."""
    return {
        "01 make-traces": ["make-traces", "--source", "synthetic", "--n-cases", str(n)],
        "02 run-variants": ["run-variants", *variants],
        "03 compute-metrics": ["compute-metrics"],
        "04 export": ["export"],
        "00 validate": ["validate", "--jobs", "1"],
        "01 again": ["make-traces", "--source", "synthetic", "--n-cases", str(n)],
        "02 again": ["run-variants", *variants],
        "03 again": ["compute-metrics"],
    }


def measured(arguments: list[str], data_dir: Path) -> Measured:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    source = str(Path(__file__).resolve().parents[1] / "src")
    environment = {**os.environ, "EXAID_STUB_MODE": "1", "EXAID_DATA_DIR": str(data_dir), "PYTHONPATH": source}
    command = [sys.executable, "-m", "exaid_evals", *arguments]
    began = time.perf_counter()
    with (data_dir.parent / "last.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: status {process.returncode}, see {log.name}")
    return Measured(used.ru_utime + used.ru_stime, time.perf_counter() - began, used.ru_maxrss / 1024)


def warm_up(folder: Path) -> None:
    """Let vocabularies be compiled into the user's cache, which is part of no stage's time."""
    for arguments in list(stages(1, ["V0"]).values())[:2]:
        measured(arguments, folder / "warm-up")


def results(folder: Path, sizes: list[int], variants: list[str]) -> Iterator[tuple[int, str, Measured]]:
    """Yield size, stage and what it takes, from the folder where that is known."""
    kept = folder / f"measured-{'-'.join(variants) or 'all'}.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    for n in sizes:
        for stage, arguments in stages(n, variants).items():
            key = f"{n} {stage}"
            if key not in known:
                known[key] = measured(arguments, folder / f"{n}-{'-'.join(variants) or 'all'}")
                kept.write_text(json.dumps(known, indent=1))
            yield n, stage, Measured(*known[key])


def exponent(sizes: list[int], cpu_s: list[float], start_s: float) -> float | None:
    """Return the slope between the ends, after the time of starting; None where nothing is left of it.

    >>> exponent([10, 1000], [2.0, 101.0], 1.0)
    1.0
    """
    first, last = cpu_s[0] - start_s, cpu_s[-1] - start_s
    if len(sizes) < 2 or min(first, last) <= 0:
        return None
    return math.log(last / first) / math.log(sizes[-1] / sizes[0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", type=int)
    parser.add_argument("--variants", nargs="*", default=[])
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    given.data.mkdir(parents=True, exist_ok=True)
    sizes = sorted(given.sizes)
    warm_up(given.data)
    table: dict[str, dict[int, Measured]] = {}
    for n, stage, one in results(given.data, [SETTING_UP, *sizes], given.variants):
        table.setdefault(stage, {})[n] = one
    print(f"{'CPU s (peak MB)':<20}" + "".join(f"{n:>18,}" for n in sizes) + f"{'exponent':>10}{'ms a case':>11}")
    for stage, by_size in table.items():
        start_s, cpu_s = by_size[SETTING_UP].cpu_s, [by_size[n].cpu_s for n in sizes]
        cells = "".join(f"{by_size[n].cpu_s:>11.1f} ({by_size[n].peak_mb:4.0f})" for n in sizes)
        found = exponent(sizes, cpu_s, start_s)
        slope = "-" if found is None else f"{found:.2f}"
        print(f"{stage:<20}{cells}{slope:>10}{1000 * (cpu_s[-1] - start_s) / sizes[-1]:>11.2f}")


if __name__ == "__main__":
    main()

"""`make torture`: kills, faults, races, small disks, fuzz and planted keys; a row for each, and 1 where any is wrong.

python -m torture [--size tiny|small|nightly] [--seed N] [kills|failures|races|disks|fuzz|keys …]
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIZES = {
    "tiny": {"kills": 2, "failures": 1, "races": 1, "disks": 1, "fuzz": 10, "keys": 1},
    "small": {"kills": 6, "failures": 4, "races": 1, "disks": 3, "fuzz": 150, "keys": 8},
    "nightly": {"kills": 200, "failures": 200, "races": 5, "disks": 24, "fuzz": 1300, "keys": 17},
}
_SHIM = "TORTURE_SHIM"


def main() -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="torture", description="Hold the promises of docs/reliability.md against faults."
    )
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("parts", nargs="*", default=[], help="kills, failures, races, disks, fuzz, keys")
    asked = parser.parse_args()
    size, parts = SIZES[asked.size], asked.parts or list(SIZES["small"])
    if set(parts) - set(size):
        parser.error(f"parts are {', '.join(size)}")
    with tempfile.TemporaryDirectory(prefix="torture-") as place:
        _with_shim(Path(place))
        from torture import bench as benches
        from torture import faults, fuzz, planted

        shim = ctypes.CDLL(os.environ[_SHIM]) if os.environ.get(_SHIM) else None
        if shim is None:
            print("NO C COMPILER: calls do not fail, and nothing is killed at one", flush=True)
        print(f"{asked.size} size, seed {asked.seed}: {', '.join(parts)}", flush=True)
        started = time.monotonic()
        counts = []
        rng = random.Random(asked.seed)  # noqa: S311 - no secret
        rows = {
            "kills": lambda: faults.kills(bench, size["kills"], rng) if shim else (),
            "failures": lambda: faults.failures(bench, size["failures"]) if shim else (),
            "races": lambda: faults.races(bench, size["races"]),
            "disks": lambda: faults.disks(bench, faults.sizes(size["disks"])),
            "fuzz": lambda: fuzz.fuzzed(bench.whole, size["fuzz"], asked.seed),
            "keys": lambda: planted.planted(size["keys"]),
        }
        bench = benches.make_bench(Path(place) / "bench", shim)
        for part in parts:
            for name, count in rows[part]():
                print(count.line(name), flush=True)
                counts.append(count)
        sums = benches.total(counts)
        print(
            f"{sums['attempts']} attempts, {sums['wrong']} wrong, {sums['paid_twice']} calls paid twice, "
            f"{time.monotonic() - started:.0f} s"
        )
        for wrong in [wrong for one in counts for wrong in one.wrong][:20]:
            print(f"wrong: {wrong}")
    return 1 if sums["wrong"] or sums["paid_twice"] else 0


def _with_shim(folder: Path) -> None:
    """Start this program again with the shim loaded, where a C compiler is here."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if _SHIM in os.environ or compiler is None or not sys.platform.startswith("linux"):
        return
    library = Path(tempfile.mkdtemp(prefix="torture-shim-")) / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(source), "-ldl"], check=True)
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}  # threads do not survive a fork
    folder.rmdir()
    os.execve(  # noqa: S606 - this very program
        sys.executable,
        [sys.executable, "-m", "torture", *sys.argv[1:]],
        {**os.environ, **one, "LD_PRELOAD": str(library), _SHIM: str(library)},
    )


if __name__ == "__main__":
    sys.exit(main())

"""Run every benchmark of this folder, one after the other; `make bench` calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the benchmarks named on the command line, or all of them; return the worst exit status."""
    wanted = sys.argv[1:]
    benchmarks = [path for path in sorted(HERE.glob("bench_*.py")) if not wanted or path.stem[6:] in wanted]
    if not benchmarks:
        known = ", ".join(path.stem[6:] for path in sorted(HERE.glob("bench_*.py")))
        print(f"no such benchmark; there are {known}", file=sys.stderr)
        return 2
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
    worst = 0
    for path in benchmarks:
        print(f"\n=== {path.stem}", flush=True)
        worst = max(worst, subprocess.run([sys.executable, str(path)], check=False, env=environment).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())

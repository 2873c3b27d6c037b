"""What `validate` costs a record: the whole command beside reading alone, beside jsonschema and another checkout.

    python evals/bench/bench_validation.py [--cases 302] [--rounds 5] [--beside CHECKOUT]

Each command is run over a campaign of so many cases under five variants and over one of a tenth of them; what a record
costs is the difference in time by the difference in records, so that starting is in none of the figures. CPU time is
that of the process and those it starts, user and system; wall time with two processes says what a user waits. Reading
alone is gunzip, a split into lines and orjson, in one process; `jsonschema`, which is slow, is asked about a tenth. All
take turns, so that a busy machine slows each of them.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_READ = """
import sys, zlib, orjson
for path in open(sys.argv[1]).read().split():
    data = open(path, "rb").read()
    for line in (zlib.decompress(data, 31) if path.endswith(".gz") else data).splitlines():
        orjson.loads(line)
"""
_JSONSCHEMA = """
import sys, zlib, json
from jsonschema import Draft202012Validator
from exaid_evals.artifacts.schemas import load_schema
known = {}
for path in open(sys.argv[1]).read().split()[::10]:
    data = open(path, "rb").read()
    for line in (zlib.decompress(data, 31) if path.endswith(".gz") else data).splitlines():
        record = json.loads(line)
        key = record["schema_name"], record["schema_version"]
        if key not in known:
            known[key] = Draft202012Validator(load_schema(*key))
        if any(True for _ in known[key].iter_errors(record)):
            sys.exit(f"{path}: the yardstick finds a record invalid")
"""
STAGES = (
    "make-traces --source synthetic --n-cases {n} --limit {n} --mode all",
    "run-variants",
    "compute-metrics",
)


def cost_of(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Run a command and return the CPU time of its processes and the wall time, in s."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


def verb_of(checkout: Path) -> list[str]:
    """Return how a checkout's command line is called; this one's with the Python that runs the benchmark."""
    return [sys.executable, "-m", "exaid_evals"] if checkout == ROOT else [str(checkout / ".venv/bin/exaid-evals")]


def make(checkout: Path, folder: Path, n_cases: int, environment: dict[str, str]) -> int:
    """Make a campaign with a checkout; return the number of its records, and list its files beside it."""
    for stage in STAGES:
        words = [*stage.format(n=n_cases).split(), "--data-dir", str(folder)]
        subprocess.run([*verb_of(checkout), *words], check=True, env=environment, capture_output=True)
    kinds = ("manifests", "cases", "traces", "runs", "metrics")
    files = sorted(path for kind in kinds for path in (folder / kind).rglob("*.jsonl*"))
    folder.with_suffix(".files").write_text("\n".join(map(str, files)))
    said = subprocess.run(
        [*verb_of(ROOT), "validate", "--data-dir", str(folder)],
        check=True,
        env=environment,
        capture_output=True,
        text=True,
    )
    return int(said.stdout.splitlines()[-1].split(" files, ")[1].split(" record")[0].replace(",", ""))


def commands(folder: Path, other: Path | None) -> dict[str, list[str]]:
    """Return what is timed over a campaign."""
    validate = [*verb_of(ROOT), "validate", "--data-dir", str(folder)]
    listed = str(folder.with_suffix(".files"))
    timed = {
        "gunzip and orjson alone": [sys.executable, "-c", _READ, listed],
        "validate --jobs 1": [*validate, "--jobs", "1"],
        "validate --jobs 2": [*validate, "--jobs", "2"],
        "validate --jobs 1 --trust-ledger": [*validate, "--jobs", "1", "--trust-ledger"],
        "json and jsonschema (of a tenth)": [sys.executable, "-c", _JSONSCHEMA, listed],
    }
    if other is not None:
        timed["validate, there"] = [*verb_of(other), "validate", "--data-dir", str(folder)]
    return timed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=302)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path, help="another checkout, whose .venv is ready; it makes the campaigns")
    given = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["EXAID_STUB_MODE"] = "1"
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        environment["EXAID_CACHE_DIR"] = str(Path(temporary) / "cache")
        sizes = [max(given.cases // 10, 1), given.cases]
        other = None if given.beside is None else given.beside.resolve()
        n_records = [make(other or ROOT, Path(temporary, f"of-{n}"), n, environment) for n in sizes]
        for _ in range(given.rounds):
            for n in sizes:
                for name, command in commands(Path(temporary, f"of-{n}"), other).items():
                    found.setdefault((name, n), []).append(cost_of(command, environment))
    records = n_records[1] - n_records[0]
    print(f"{given.cases} cases × 5 variants, {n_records[1]:,} records; medians of {given.rounds} rounds")
    print(f"{'':<34}{'CPU µs a record':>16}{'wall µs a record':>18}{'CPU s in all':>14}")
    for name in commands(Path("of"), other):
        cpu, wall = ([statistics.median(one[which] for one in found[name, n]) for n in sizes] for which in range(2))
        share = 0.1 if "a tenth" in name else 1.0
        each = [(large - small) / records / share * 1e6 for small, large in (cpu, wall)]
        print(f"{name:<34}{each[0]:>16.1f}{each[1]:>18.1f}{cpu[1] / share:>14.2f}")


if __name__ == "__main__":
    main()

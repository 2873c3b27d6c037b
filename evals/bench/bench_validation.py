"""Validation against its yardstick: `json.loads` and `jsonschema`'s iter_errors over the same files, in the same run.

    python evals/bench/bench_validation.py [--cases 302] [--repeats 5]

Ours reads the files from disk, hashes them, and makes every check beyond the schemas; the yardstick reads and
validates alone, so the ratio understates what the checks cost. Medians are printed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from exaid_evals.artifacts.schemas import load_schema
from exaid_evals.validation.scan.file import check_file
from exaid_evals.validation.scan.targets import Target, campaign_targets
from exaid_evals.validation.surroundings import Surroundings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from factories import write_campaign

# A talk of MAC: the supervisor, 6 to 13 messages of three doctors, and a verdict.
_N_MESSAGES = 11
_N_CHARS = 1100
_VARIANTS = ("V0", "V1", "V2", "V3", "V4")


def ours(targets: list[Target]) -> int:
    """Check the files as `validate` does; return the number of records."""
    surroundings = Surroundings()
    reports = [check_file(target, surroundings, keep=5) for target in targets]
    bad = [report for report in reports if report.n_findings]
    if bad:
        raise SystemExit(f"{bad[0].path}: {bad[0].findings[0]}")
    return sum(report.n_records for report in reports)


def yardstick(targets: list[Target]) -> int:
    """Read the files and validate each record with jsonschema; return the number of records."""
    validators: dict[tuple[str, str], Any] = {}
    n_records = 0
    for path, _ in targets:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            for raw in stream:
                record = json.loads(raw)
                key = (record["schema_name"], record["schema_version"])
                if key not in validators:
                    validators[key] = Draft202012Validator(load_schema(*key))
                if any(True for _ in validators[key].iter_errors(record)):
                    raise SystemExit(f"{path}: the yardstick finds a record invalid")
                n_records += 1
    return n_records


def median_s(work: Callable[[], int], repeats: int) -> tuple[float, int]:
    """Return the median time of some runs in seconds, and the number of records."""
    times, n_records = [], 0
    for _ in range(repeats):
        start = time.perf_counter()
        n_records = work()
        times.append(time.perf_counter() - start)
    return statistics.median(times), n_records


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=302)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--yardstick-repeats", type=int, default=1, help="it takes minutes where we take seconds")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shape = {"n_messages": _N_MESSAGES, "n_chars": _N_CHARS}
        campaign = write_campaign(Path(folder), n_cases=arguments.cases, variants=_VARIANTS, **shape)
        targets = campaign_targets(campaign)
        ours(targets[:50])
        fast_s, n_records = median_s(lambda: ours(targets), arguments.repeats)
        slow_s, n_same = median_s(lambda: yardstick(targets), arguments.yardstick_repeats)
    if n_records != n_same:
        raise SystemExit(f"{n_records} records here, {n_same} there")
    print(f"files {len(targets):,}, records {n_records:,}")
    print(f"{'validate, all checks':<32}{fast_s:8.2f} s {fast_s / n_records * 1e6:9.1f} µs a record")
    print(f"{'json.loads + jsonschema':<32}{slow_s:8.2f} s {slow_s / n_records * 1e6:9.1f} µs a record")
    print(f"{'ratio':<32}{slow_s / fast_s:8.1f} ×")


if __name__ == "__main__":
    main()

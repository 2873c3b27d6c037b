"""Validation against its yardstick: `json.loads` and `jsonschema`'s iter_errors over the same files, in the same run.

    python evals/bench/bench_validation.py [--cases 302] [--rounds 7]

Ours reads the files from disk, hashes traces, and makes every check beyond the schemas; the yardstick only reads and
validates, so the ratio has the checks' cost in it. The two take turns, so that a busy machine slows both.
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
from exaid_evals.validation.scan import check_files
from exaid_evals.validation.targets import Target, campaign_targets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from factories import write_campaign

# A conversation of MAC: the supervisor, 6 to 13 messages of three doctors, and a verdict.
_N_MESSAGES = 11
_N_CHARS = 1100
_VARIANTS = ("V0", "V1", "V2", "V3", "V4")


def ours(targets: list[Target]) -> int:
    """Check the files as `validate` does; return the number of records."""
    reports = check_files(targets, keep=5, jobs=1)
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


def cpu_us_per_record(work: Callable[[list[Target]], int], targets: list[Target]) -> float:
    """Return what the work costs a record, in µs of this process's time: what else the machine does is not ours."""
    start = time.process_time()
    n_records = work(targets)
    return (time.process_time() - start) / n_records * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=302)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shape = {"n_messages": _N_MESSAGES, "n_chars": _N_CHARS}
        campaign = write_campaign(Path(folder), n_cases=arguments.cases, variants=_VARIANTS, **shape)
        targets = campaign_targets(campaign)
        n_records = ours(targets)
        fast, slow = [], []
        for number in range(arguments.rounds):
            fast.append(cpu_us_per_record(ours, targets))
            # The yardstick takes minutes for all files, so each round gives it another share of them.
            slow.append(cpu_us_per_record(yardstick, targets[number :: arguments.rounds]))
    print(f"{len(targets):,} files, {n_records:,} records; medians of {arguments.rounds} rounds, CPU time")
    for label, costs in (("validate, all checks", fast), ("json.loads + jsonschema", slow)):
        cost = statistics.median(costs)
        print(f"{label:<26}{cost:9.1f} µs a record{cost * n_records / 1e6:9.2f} s for all")
    print(f"{'ratio':<26}{statistics.median(slow) / statistics.median(fast):9.1f} ×")


if __name__ == "__main__":
    main()

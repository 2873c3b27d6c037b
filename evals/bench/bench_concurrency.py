"""Time live runs: 40 cases × V0–V4 against a server on loopback that answers after 200 ms, by number of threads.

The ideal is calls × 200 ms / threads, or the longest chain of calls that must be made one after the other (a variant of
a case), whichever is longer. Few threads would need half an hour for all cases: one gets every tenth of them, up to
four get every second, and the last column says what that amounts to for all.
The server runs in a process of its own and answers from a table, so that it takes no time from the client.

Usage: bench_concurrency.py [THREADS ...]   (default: 1 4 16)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

EVALS = Path(__file__).resolve().parent.parent
LATENCY_S = 0.2
N_CASES = 40
THREADS = (1, 4, 16)
_SERVE = """
import sys, threading
from servers.openai_server import Answer, OpenAIServer
yes = '{"completeness": true, "value": true, "novelty": true}'
summary = sys.argv[2]
def answer(received):
    return yes if "NEW WORDS" in received.messages[1][1] else summary
with OpenAIServer(latency_s=float(sys.argv[1]), answer=answer) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""


def environment(**others: str) -> dict[str, str]:
    """Return an environment in which package and test helpers are found."""
    paths = os.pathsep.join([str(EVALS / "src"), str(EVALS / "tests")])
    return {**os.environ, "PYTHONPATH": paths, **others}


def run(*arguments: str, env: dict[str, str]) -> tuple[float, str]:
    """Run the command line; return its wall time in s and what it printed."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "exaid_evals", *arguments]
    done = subprocess.run(command, check=True, env=env, capture_output=True, text=True)
    return time.perf_counter() - started, done.stdout


def calls_of(data_dir: Path) -> dict[tuple[str, str], int]:
    """Return the number of recorded calls of each variant of each case."""
    sys.path.insert(0, str(EVALS / "src"))
    from exaid_evals.artifacts.jsonl import read_jsonl

    found: dict[tuple[str, str], int] = {}
    for path in (data_dir / "cassettes").glob("eval-*"):
        for record in read_jsonl(path):
            key = record["variant_id"], record["case_id"]
            found[key] = found.get(key, 0) + 1
    return found


def measure(traces: Path, folder: Path, threads: int, env: dict[str, str], cases: list[str]) -> dict[str, Any]:
    """Run all variants over some cases live, in a campaign of its own."""
    data_dir = folder / f"{threads}-threads"
    data_dir.mkdir()
    for name in ("traces", "manifests"):
        (data_dir / name).symlink_to(traces / name)
    arguments = ("run-variants", "--llm", "openai", "--jobs", str(threads), "--cases", ",".join(cases))
    wall_s, _ = run(*arguments, env={**env, "EXAID_DATA_DIR": str(data_dir)})
    calls = calls_of(data_dir)
    total = sum(calls.values())
    ideal_s = max(total * LATENCY_S / threads, max(calls.values()) * LATENCY_S)
    return {"threads": threads, "cases": len(cases), "calls": total, "wall_s": wall_s, "ideal_s": ideal_s}


def main() -> None:
    """Print the table."""
    wanted = [int(argument) for argument in sys.argv[1:]] or list(THREADS)
    fields = ("status_action", "key_findings", "differential_rationale", "uncertainty_confidence")
    fields += ("recommendation_next_step", "agent_contributions")
    summary = json.dumps(dict.fromkeys(fields, "The patient has fever, and measles is likely."))
    serve = [sys.executable, "-c", _SERVE, str(LATENCY_S), summary]
    started = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as temporary,
        subprocess.Popen(serve, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdout is not None  # noqa: S101 - for the type checker
        env = environment(OPENAI_API_KEY="bench-key-0123", OPENAI_BASE_URL=server.stdout.readline().strip())
        folder = Path(temporary)
        traces = folder / "traces"
        run("make-traces", "--stub", "--limit", str(N_CASES), env={**env, "EXAID_DATA_DIR": str(traces)})
        cases = sorted(path.name.removesuffix(".jsonl.gz") for path in (traces / "traces").glob("case-*"))
        print(f"{N_CASES} cases × V0–V4, live against {LATENCY_S * 1000:.0f} ms of latency, {os.cpu_count()} cores")
        print(
            f"  {'threads':>7} {'cases':>6} {'calls':>7} {'wall s':>8} {'ideal s':>8} {'of ideal':>9} {'all cases':>10}"
        )
        for threads in wanted:
            row = measure(traces, folder, threads, env, cases[:: 10 if threads == 1 else 2 if threads <= 4 else 1])
            share, scaled_s = row["ideal_s"] / row["wall_s"], row["wall_s"] * len(cases) / row["cases"]
            print(
                f"  {row['threads']:>7} {row['cases']:>6} {row['calls']:>7,} {row['wall_s']:>8.1f} "
                f"{row['ideal_s']:>8.1f} {share:>9.0%} {scaled_s:>8.0f} s",
                flush=True,
            )
        server.communicate()
    print(f"took {(time.perf_counter() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    main()

"""How often the analysis names the cause of a drop that was planted, and how often it finds one where there is none.

Run: ``python evals/bench/bench_root_causes.py`` evaluates both halves of the simulated runs and writes the table into
docs/analysis.md; ``--check`` says instead whether the table there is what the code gives. ``--half development`` looks
at the half on which thresholds and weights were chosen, and writes nothing; ``--misses`` lists what was named wrongly.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.analysis.stage import analyse
from exaid_evals.runs.rows import history_of

sys.path.insert(0, str(Path(__file__).resolve().parent))
from simulated_runs import DEVELOPMENT, HELD_OUT, KINDS, N_CLEAN, N_PER_KIND, SimulatedRun, simulate

PAGE = Path(__file__).resolve().parents[2] / "docs" / "analysis.md"
BEGIN, END = "<!-- root causes: begin (bench_root_causes.py writes this) -->", "<!-- root causes: end -->"
HALVES = {"development": DEVELOPMENT, "held-out": HELD_OUT}
LEAST_NAMED, MOST_ALARMS, MOST_NAMED_CLEAN = 0.90, 0.08, 0.025
NOTHING = "nothing"


@dataclass
class Result:
    """What became of one half: planted kind (or None) → family named first → runs."""

    named: dict[str | None, Counter[str]] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)

    @property
    def share_named(self) -> float:
        """Of the planted causes, those that were named first."""
        right = sum(self.named[kind][KINDS[kind]] for kind in KINDS)
        return right / sum(sum(self.named[kind].values()) for kind in KINDS)

    @property
    def share_alarms(self) -> float:
        """Of the clean runs, those in which a drop was found and explained, by `unknown` too."""
        clean = self.named[None]
        return 1 - clean[NOTHING] / sum(clean.values())

    @property
    def named_clean(self) -> int:
        """Clean runs in which a cause is named."""
        return sum(count for name, count in self.named[None].items() if name not in (NOTHING, "unknown"))


def examined(run: SimulatedRun) -> tuple[str | None, str, str]:
    """Return a run's planted kind, what the analysis names first, and a line about it."""
    diagnosis = analyse(history_of(run.name, "jsonl", run.rows)).diagnosis
    if diagnosis is None:
        return run.kind, NOTHING, f"{run.name} {run.kind} at {run.onset}: nothing found"
    lines = [
        f"{run.name} {run.kind} at {run.onset}: {diagnosis.named}, {diagnosis.onset.anomaly.metric} "
        f"{diagnosis.onset.interval}"
    ]
    for one in diagnosis.hypotheses[:3]:
        lines.append(f"    {one.family} {one.score:.1f}")
        lines += [f"        {evidence.weight:+.1f} {evidence.text}" for evidence in one.evidence]
    return run.kind, diagnosis.named, "\n".join(lines)


def _one(task: tuple[int, int, str | None]) -> tuple[str | None, str, str]:
    return examined(simulate(*task))


def evaluate(
    half: int, jobs: int, kinds: Iterable[str] = tuple(KINDS), n: int = N_PER_KIND, clean: int = N_CLEAN
) -> Result:
    """Simulate and analyse the runs of a half."""
    tasks: list[tuple[int, int, str | None]] = [
        (half, number * 1000 + repeat, kind)
        for number, kind in enumerate(KINDS)
        if kind in kinds
        for repeat in range(n)
    ]
    tasks += [(half, 900_000 + repeat, None) for repeat in range(clean)]
    result = Result({kind: Counter() for kind in (*KINDS, None)})
    with ProcessPoolExecutor(jobs) as pool:
        for kind, named, line in pool.map(_one, tasks, chunksize=4):
            result.named[kind][named] += 1
            if named != (KINDS[kind] if kind else NOTHING):
                result.misses.append(line)
    return result


def table(results: dict[str, Result]) -> str:
    """Return the table of the page, in Markdown."""
    lines = [
        "| planted | family | "
        + " | ".join(f"{half}: named first" for half in results)
        + " | named otherwise (held-out) |"
    ]
    lines.append("| :-- | :-- | " + " | ".join("--:" for _ in results) + " | :-- |")
    for kind, family in KINDS.items():
        cells = [f"{result.named[kind][family]} of {sum(result.named[kind].values())}" for result in results.values()]
        others = {name: count for name, count in sorted(results["held-out"].named[kind].items()) if name != family}
        reported = ", ".join(f"{name} {count}" for name, count in others.items())
        lines.append(f"| {kind.replace('_', ' ')} | {family} | {' | '.join(cells)} | {reported} |")
    totals = [f"**{result.share_named:.1%}**" for result in results.values()]
    lines.append(f"| **all causes** | | {' | '.join(totals)} | |")
    alarms = [
        f"{sum(one.named[None].values()) - one.named[None][NOTHING]} of {sum(one.named[None].values())}"
        for one in results.values()
    ]
    lines.append(f"| clean runs with an alarm | | {' | '.join(alarms)} | |")
    wrong = [f"{one.named_clean} of {sum(one.named[None].values())}" for one in results.values()]
    lines.append(f"| clean runs with a cause named | | {' | '.join(wrong)} | |")
    return "\n".join(lines)


def main() -> int:
    """Evaluate, and write, check or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=[*HALVES, "both"], default="both")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    chosen = parser.parse_args()
    started = time.perf_counter()
    halves = HALVES if chosen.half == "both" else {chosen.half: HALVES[chosen.half]}
    results = {name: evaluate(seed, chosen.jobs) for name, seed in halves.items()}
    for name, result in results.items():
        print(f"{name}: named first {result.share_named:.1%}, alarms on clean runs {result.share_alarms:.1%}")
        if chosen.misses:
            print("\n".join(result.misses))
    print(f"{time.perf_counter() - started:.0f} s")
    if chosen.half != "both":
        return 0
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    fresh = f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}"
    if chosen.check:
        print("the page is current" if fresh == text else "the page is not what the code gives")
        return int(fresh != text)
    PAGE.write_text(fresh, encoding="utf-8")
    held = results["held-out"]
    wrong = held.named_clean / sum(held.named[None].values())
    return int(held.share_named < LEAST_NAMED or held.share_alarms > MOST_ALARMS or wrong > MOST_NAMED_CLEAN)


if __name__ == "__main__":
    sys.exit(main())

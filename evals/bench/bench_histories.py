"""What monitor and analysis make of histories of three designs: alarms on clean runs, causes of faults.

Run: ``python evals/bench/bench_histories.py`` prints the tables of a generator, and on stderr what was not as it should
be; ``--write`` writes them into docs/analysis.md; ``--generator`` says which (made_histories.py: made;
dynamic_histories.py: dynamic), ``--runs`` how many of each kind (10). An alarm of the analysis is an incident that is
high or critical, or a diagnosis; one of the monitor an anomaly that is high or critical. Seed 1 was looked at when
thresholds were chosen.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import dynamic_histories
import made_histories
from made_histories import Made
from numpy.random import Generator, default_rng

from exaid_evals.analysis.report.sentences import key_finding
from exaid_evals.analysis.stage import analyse
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.runs.rows import history_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "analysis.md"
DEVELOPMENT, HELD_OUT = 1, 2
MOST_ALARMS, MOST_MONITOR_ALARMS, LEAST_DIAGNOSED, LEAST_RIGHT, LEAST_PRECISION = 0.05, 0.08, 0.9, 0.8, 0.9
GENERATORS = {"made": made_histories, "dynamic": dynamic_histories}

_SEVERE = ("high", "critical")


@dataclass
class Tally:
    """What was said of the runs of one kind.

    Attributes:
        family: that is right; None where none is.
        n: runs.
        alarms: of the analysis.
        monitor: alarms of the monitor.
        named: family that was named → runs; `undetermined` where the cause was left open, `none` without a diagnosis.
    """

    family: str | None
    n: int = 0
    alarms: int = 0
    monitor: int = 0
    named: Counter[str] = field(default_factory=Counter)


def examined(run: Made) -> tuple[bool, bool, str, str]:
    """Return whether the analysis and the monitor alarm, which family is named, and the finding."""
    analysis = analyse(history_of("run", "jsonl", [*run.rows, *run.batches]))
    alarm = analysis.diagnosis is not None or any(one.severity in _SEVERE for one in analysis.incidents)
    named = "none" if analysis.diagnosis is None else analysis.diagnosis.named.replace("unknown", "undetermined")
    monitor = TrainingMonitor(MonitoringConfig.model_validate({"alerts": {"log": False}}), watch_stalls=False)
    reported = []
    for row in run.rows:
        reported += monitor.log_step(row["step"], {name: value for name, value in row.items() if name != "step"})
    reported += monitor.finish()
    monitor.close()
    return alarm, any(one.severity in _SEVERE for one in reported), named, key_finding(analysis)


def _kinds(generator: str, clean: bool) -> Sequence[Callable[[Generator], Made]]:
    module = GENERATORS[generator]
    return module.CLEAN if clean else module.TROUBLED


def _one(task: tuple[str, bool, int, int, int]) -> tuple[str, str | None, bool, bool, str, str]:
    generator, clean, kind, index, seed = task
    kinds = _kinds(generator, clean)
    run = kinds[kind](default_rng([seed, kind, index]))
    return (run.kind, run.family, *examined(run))


def evaluate(generator: str, seed: int, per_kind: int, jobs: int = 2) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """Return kind → tally of the clean runs, and of those with a fault."""
    found: list[dict[str, Tally]] = []
    with ProcessPoolExecutor(jobs) as pool:
        for clean in (True, False):
            n = len(_kinds(generator, clean))
            tasks = [(generator, clean, kind, index, seed) for kind in range(n) for index in range(per_kind)]
            tallies: dict[str, Tally] = {}
            for kind, family, alarm, monitor, named, finding in pool.map(_one, tasks, chunksize=4):
                one = tallies.setdefault(kind, Tally(family))
                one.n += 1
                one.alarms += alarm
                one.monitor += monitor
                one.named[named] += 1
                if alarm == clean or (clean and monitor) or (family and named != family):
                    print(f"{kind}: {named}{', reported by the monitor' * monitor}: {finding}", file=sys.stderr)
            found.append(tallies)
    return found[0], found[1]


@dataclass(frozen=True)
class Shares:
    """The figures that the bars are held against, each from 0 to 1."""

    alarms: float
    monitor_alarms: float
    diagnosed: float
    right: float
    precision: float

    @property
    def passed(self) -> bool:
        """Whether all bars are reached."""
        return (
            self.alarms <= MOST_ALARMS
            and self.monitor_alarms <= MOST_MONITOR_ALARMS
            and self.diagnosed >= LEAST_DIAGNOSED
            and self.right >= LEAST_RIGHT
            and self.precision >= LEAST_PRECISION
        )


def shares(clean: dict[str, Tally], troubled: dict[str, Tally]) -> Shares:
    """Return alarms on clean runs, faults that are seen, causes that are right where one is, and that are if named.

    Where no family can be distinguished from what is logged, whatever is named is wrong.
    """
    n_clean = sum(one.n for one in clean.values())
    reported = [one for one in troubled.values() if one.family is not None]
    right = sum(one.named[str(one.family)] for one in reported)
    families = ("data", "optimisation", "evaluation", "system")
    named = sum(one.named[family] for one in troubled.values() for family in families)
    return Shares(
        sum(one.alarms for one in clean.values()) / n_clean,
        sum(one.monitor for one in clean.values()) / n_clean,
        sum(one.alarms for one in troubled.values()) / sum(one.n for one in troubled.values()),
        right / sum(one.n for one in reported),
        right / max(named, 1),
    )


def tables(clean: dict[str, Tally], troubled: dict[str, Tally]) -> str:
    """Return the tables of the page, in Markdown."""
    lines = ["| clean course | runs | alarms of `analyze` | of `monitor` |", "| :-- | --: | --: | --: |"]
    lines += [f"| {kind} | {one.n} | {one.alarms} | {one.monitor} |" for kind, one in clean.items()]
    lines += ["", "| fault | right family | runs | reported by `analyze` | by `monitor` | named |"]
    lines += ["| :-- | :-- | --: | --: | --: | :-- |"]
    for kind, one in troubled.items():
        named = ", ".join(f"{family} {n}" for family, n in one.named.most_common())
        lines.append(f"| {kind} | {one.family or '–'} | {one.n} | {one.alarms} | {one.monitor} | {named} |")
    found = shares(clean, troubled)
    lines += [
        "",
        f"Clean runs with an alarm: {found.alarms:.1%} (`monitor` {found.monitor_alarms:.1%}); faults reported: "
        f"{found.diagnosed:.1%}; cause right where one family is: {found.right:.1%}; named causes that are right: "
        f"{found.precision:.1%}.",
    ]
    return "\n".join(lines)


def main() -> int:
    """Print or write the tables; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="of each kind")
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="1: looked at when thresholds were chosen")
    parser.add_argument("--generator", choices=sorted(GENERATORS), default="made")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/analysis.md")
    asked = parser.parse_args()
    began = time.process_time()
    clean, troubled = evaluate(asked.generator, asked.seed, asked.runs)
    reported = tables(clean, troubled)
    print(reported)
    print(f"{time.process_time() - began:.0f} s in this process", file=sys.stderr)
    if asked.write:
        text = PAGE.read_text(encoding="utf-8")
        begin = f"<!-- {asked.generator} histories: begin (bench_histories.py --write writes this) -->"
        end = f"<!-- {asked.generator} histories: end -->"
        ahead, _, rest = text.partition(begin)
        PAGE.write_text(f"{ahead}{begin}\n\n{reported}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
    return 0 if shares(clean, troubled).passed else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""What monitor, analysis and recovery bring, by the success metrics of a published handbook: docs/success.md.

Run: ``python evals/bench/success_metrics.py`` trains the network of examples/sabotaged_training.py, undisturbed and
with each sabotage, and prints the tables; ``--write`` writes them into the page. A training takes about a second of the
processor.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))
from sabotaged_training import SABOTAGE_AT, SABOTAGES, STEPS, train  # noqa: E402

from exaid_evals.analysis.report.write import write_report  # noqa: E402
from exaid_evals.analysis.stage import analyse  # noqa: E402
from exaid_evals.runs.registry import find_run  # noqa: E402

PAGE = ROOT / "docs" / "success.md"
BEGIN, END = "<!-- success: begin (evals/bench/success_metrics.py --write writes this) -->", "<!-- success: end -->"
CAUSES = {
    "learning rate × 1000": "optimisation",
    "weights overwritten": "system",
    "a weight is NaN": "optimisation",
    "a shard mislabelled": "data",
    "validation replaced": "evaluation",
}
"""Sabotage → the family of causes that is right."""
POINT = 0.01
"""Accuracy below that of the undisturbed run of the same seed, from which on a training has failed."""


@dataclass(frozen=True)
class Trial:
    """One sabotaged training.

    Attributes:
        detected: steps from the sabotage to the first anomaly of severity high or critical; None where none came.
        seconds: the same in seconds of the training.
        named: the family of causes that the analysis names; `unknown` where it says that it is not determined.
        analysed_in: seconds of the processor for the analysis and its report.
        failed: whether it ended a point below the undisturbed run, without a recovery.
        prevented: whether it did not, with one; None where no recovery was tried.
    """

    detected: int | None
    seconds: float | None
    named: str
    analysed_in: float
    failed: bool
    prevented: bool | None


def alarm(anomalies: object, after: int = 0) -> int | None:
    """Return the step of the first anomaly that is high or critical."""
    steps = [one.step for one in anomalies if one.severity in ("high", "critical") and one.step >= after]  # type: ignore[attr-defined]
    return int(min(steps)) if steps else None


def trial(sabotage: str, seed: int, undisturbed: float, folder: Path) -> Trial:
    """Train without a recovery, look for the cause, and train with one where that may help."""
    ended = train("numpy", seed, sabotage, None, folder / "log")
    at = alarm(ended.anomalies, SABOTAGE_AT)
    began = time.process_time()
    analysis = analyse(find_run(str(folder / "log" / f"numpy-{seed}"), []))
    write_report(analysis, folder / "report")
    seconds = time.process_time() - began
    named = "unknown" if analysis.diagnosis is None else analysis.diagnosis.named
    failed = ended.accuracy < undisturbed - POINT
    prevented = None
    if sabotage in SABOTAGES:
        prevented = train("numpy", seed, sabotage, folder / "checkpoints").accuracy >= undisturbed - POINT
    steps = None if at is None else at - SABOTAGE_AT
    return Trial(steps, None if steps is None else steps * ended.seconds_a_step, named, seconds, failed, prevented)


def measured(seeds: int) -> tuple[dict[str, list[Trial]], int]:
    """Return the trials of each sabotage, and in how many undisturbed runs there was an alarm."""
    found: dict[str, list[Trial]] = {name: [] for name in CAUSES}
    alarms = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            whole = train("numpy", seed, None, None)
            alarms += alarm(whole.anomalies) is not None
            for number, name in enumerate(CAUSES):
                found[name].append(trial(name, seed, whole.accuracy, Path(folder) / f"{seed}-{number}"))
                print(f"seed {seed}: {name}: {found[name][-1]}", file=sys.stderr)
    return found, alarms


def tables(found: dict[str, list[Trial]], alarms: int, seeds: int) -> str:
    """Return the tables in Markdown."""
    lines = [
        "| sabotage | detected | steps until then, median (most) | cause right | not determined "
        "| failed without recovery | of these prevented with it |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for name, trials in found.items():
        steps = [one.detected for one in trials if one.detected is not None]
        until = f"{median(steps):g} ({max(steps)})" if steps else "–"
        right = sum(one.named == CAUSES[name] for one in trials)
        open_ = sum(one.named == "unknown" for one in trials)
        failed = [one for one in trials if one.failed]
        tried = [one for one in failed if one.prevented is not None]
        mended = f"{sum(bool(one.prevented) for one in tried)} of {len(tried)}" if tried else "–"
        lines.append(
            f"| {name} | {len(steps)} of {seeds} | {until} | {right} of {seeds} | {open_} of {seeds} | "
            f"{len(failed)} of {seeds} | {mended} |"
        )
    every = [one for trials in found.values() for one in trials]
    named = [(CAUSES[name], one) for name, trials in found.items() for one in trials if one.named != "unknown"]
    tried = [one for one in every if one.failed and one.prevented is not None]
    seconds = [one.seconds for one in every if one.seconds is not None]
    right = sum(one.named == cause for cause, one in named)
    lines += [
        "",
        "| metric of the handbook | its aim | measured here |",
        "| :-- | :-- | :-- |",
        f"| time to detect | minutes | {median(seconds):.2g} s of training in the median, {max(seconds):.2g} s at "
        f"most; {len(seconds)} of {len(every)} detected; {alarms} of {seeds} undisturbed runs with an alarm |",
        f"| cause named rightly | over 90 % | {right / len(every):.0%} of {len(every)} runs; of {len(named)} named "
        f"causes {right / max(len(named), 1):.0%} are right |",
        f"| time of an analysis | down by over 80 % | {mean(one.analysed_in for one in every):.1f} s of the processor "
        "for finding, causes and report; what a person takes was not measured |",
        f"| failures prevented | over 50 % | {sum(bool(one.prevented) for one in tried) / max(len(tried), 1):.0%} of "
        f"{len(tried)} trainings that ended a point or more below without a recovery |",
    ]
    return "\n".join(lines)


def main() -> int:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    found, alarms = measured(asked.seeds)
    text = tables(found, alarms, asked.seeds)
    print(text)
    if asked.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        caption = f"{asked.seeds} seeds; {STEPS} steps each, sabotaged at step {SABOTAGE_AT}."
        PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{caption}\n\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What limits a comparison or an analysis of many runs: lengths, oddities of the logs, warnings of the readers."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.analysis.compare.collect import Run
from exaid_evals.analysis.compare.final_means import ends_differ
from exaid_evals.analysis.compare.words import counted, listed
from exaid_evals.runs.history import IrregularityKind

MOST_WARNINGS = 20
_ODDITIES: dict[IrregularityKind, str] = {
    "unordered_step": "steps came out of order and are put in order",
    "repeated_step": "a step came more than once, and its last value counts",
    "not_a_number": "some values are text and no numbers, and are left out",
}


def limits_of_lengths(runs: Sequence[Run]) -> list[str]:
    """State in what the runs cannot be compared: length, and kind of steps."""
    notes = []
    kinds = {run.history.steps_are for run in runs}
    if len(kinds) > 1:
        notes.append("some runs have steps of a training, others cases of an evaluation: their levels are not alike")
    last = {run.name: _last_step(run) for run in runs if run.history.steps_are == "step"}
    known = {name: step for name, step in last.items() if step is not None}
    if known and ends_differ(list(known.values())):
        shortest, longest = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
        notes.append(
            f"runs end at different steps, from {known[shortest]:g} ({shortest}) to {known[longest]:g} ({longest}): "
            "levels are those at each run's own end, histories are compared as far as both go"
        )
    return notes


def limits_of_logging(runs: Sequence[Run]) -> list[str]:
    """State what was odd about the logs: what was put in order or left out, metrics without numbers, warnings."""
    notes = []
    for kind, told in _ODDITIES.items():
        odd = [run.name for run in runs if any(one.kind == kind for one in run.history.irregularities)]
        if odd:
            notes.append(f"in {counted(len(odd), 'run')} {told}: {listed(odd)}")
    metrics = sorted({metric for run in runs for metric in run.history.series})
    empty = [
        metric
        for metric in metrics
        if not any(len(run.history.series[metric].clean) for run in runs if metric in run.history.series)
    ]
    if empty:
        notes.append(f"no run has a finite number of {listed(empty)}")
    warnings = [f"{run.name}: {line}" for run in runs for line in run.history.warnings]
    more = len(warnings) - MOST_WARNINGS
    return [*notes, *warnings[:MOST_WARNINGS], *([f"{more} further warnings of what was read"] if more > 0 else [])]


def _last_step(run: Run) -> float | None:
    ends = [float(one.clean.steps[-1]) for one in run.history.series.values() if len(one.clean)]
    return max(ends, default=None)

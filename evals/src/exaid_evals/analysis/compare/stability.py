"""How steadily runs went: noise, anomalies, and how long they took to come back after a drop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exaid_evals.analysis.compare.collect import Run
from exaid_evals.analysis.compare.final_means import LEAST_POINTS, last_stretch, sd_of
from exaid_evals.anomalies.base import SEVERITIES, Anomaly
from exaid_evals.anomalies.robust import worsening
from exaid_evals.runs.metric_names import Direction

REGAINED = 0.9
"""Share of what a drop lost that has to be won back."""
_STEADY = 3
"""Points of which the first and the median must be back: one lucky point is not a recovery."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """A sudden drop and what came after it.

    Attributes:
        metric: that dropped.
        step: of the drop.
        lost: in units of the metric, positive.
        steps_to_recover: until nine tenths of it were won back; None where they never were.
        watched: steps from the drop to the end of the run.
    """

    metric: str
    step: float
    lost: float
    steps_to_recover: float | None
    watched: float


@dataclass(frozen=True, slots=True)
class Stability:
    """Of one run.

    Attributes:
        run: its name.
        anomalies: severity → how many, over all metrics.
        by_metric: metric → anomalies that are high or critical.
        last_sd: metric → standard deviation within the last stretch; None for fewer than 5 points.
        recoveries: of each sudden drop, in order of steps.
        not_finite: points that are NaN or infinite, over all metrics.
    """

    run: str
    anomalies: Mapping[str, int]
    by_metric: Mapping[str, int]
    last_sd: Mapping[str, float | None]
    recoveries: tuple[Recovery, ...]
    not_finite: int


def stability_of(run: Run, anomalies: Sequence[Anomaly], directions: Mapping[str, Direction]) -> Stability:
    """Return how steadily a run went.

    Args:
        run: of a comparison.
        anomalies: that were found in it.
        directions: metric → how it improves.
    """
    series = run.history.series
    grave: dict[str, int] = {}
    for one in anomalies:
        if one.severity in ("high", "critical"):
            grave[one.metric] = grave.get(one.metric, 0) + 1
    spread = {
        metric: sd_of(last_stretch(one.clean.values)) if len(one.clean) >= LEAST_POINTS else None
        for metric, one in series.items()
    }
    drops = sorted((one for one in anomalies if one.kind == "sudden_drop"), key=lambda one: (one.step, one.metric))
    return Stability(
        run.name,
        {severity: sum(one.severity == severity for one in anomalies) for severity in SEVERITIES},
        dict(sorted(grave.items())),
        spread,
        tuple(_recovery(run, one, directions[one.metric]) for one in drops if one.metric in directions),
        sum(odd.count for one in series.values() for odd in one.irregularities if odd.kind in ("nan", "infinite")),
    )


def _recovery(run: Run, drop: Anomaly, direction: Direction) -> Recovery:
    import numpy as np

    clean = run.history.series[drop.metric].clean
    worse = worsening(clean.values, direction)
    sign = 1.0 if direction == "lower" else -1.0
    before = sign * float(drop.evidence["before"])
    lost = abs(float(drop.magnitude or 0.0))
    goal = before + (1 - REGAINED) * lost
    first = int(np.searchsorted(clean.steps, drop.step))
    end = float(clean.steps[-1])
    for at in range(first + 1, len(worse)):
        after = worse[at : at + _STEADY]
        if len(after) == _STEADY and after[0] <= goal and float(np.median(after)) <= goal:
            step = float(clean.steps[at])
            return Recovery(drop.metric, drop.step, lost, step - drop.step, end - drop.step)
    return Recovery(drop.metric, drop.step, lost, None, end - drop.step)

"""How groups do by a metric, and which of them are separable."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from exaid_evals.analysis.compare.final_means import (
    CONFIDENCE,
    FinalMean,
    Performance,
    Statistic,
    ends_diverged,
    over_repetitions,
    run_final_mean,
    within_run,
)
from exaid_evals.analysis.compare.groups import Group
from exaid_evals.anomalies.robust import worsening
from exaid_evals.runs.history import CleanSeries
from exaid_evals.runs.metric_names import Direction

_POWER_QUANTILE = 0.841621
"""Of the normal distribution, at 80 %."""
_MOST_NEEDED = 2**20


def lead_of(first: Performance, other: Performance, direction: Direction) -> FinalMean | None:
    """Return by how much the first is better, over the repetitions that both have; positive where it is.

    Returns:
        None where they are not paired: fewer than two repetitions are shared, the group with fewer of them has one that
        the other lacks, or one of the two has no spread between its repetitions.
    """
    if first.basis not in ("seeds", "cases") or first.basis != other.basis:
        return None
    shared = sorted(first.repetitions.keys() & other.repetitions.keys())
    if len(shared) < max(2, min(len(first.repetitions), len(other.repetitions))):
        return None
    sign = -1.0 if direction == "lower" else 1.0
    return over_repetitions(np.array([sign * (first.repetitions[one] - other.repetitions[one]) for one in shared]))


def separable(first: Performance, other: Performance, leads: Mapping[str, FinalMean]) -> bool:
    """Return whether the first is better than another group for certain.

    By the interval of the paired differences; where these have no spread, by whether the groups' own intervals overlap.
    """
    lead = leads.get(other.group)
    if lead is not None and lead.low is not None:
        return lead.low > 0
    one, held = first.level, other.level
    if one.low is None or one.high is None or held.low is None or held.high is None:
        return False
    return one.low > held.high or held.low > one.high


def runs_needed(first: Performance, other: Performance, leads: Mapping[str, FinalMean]) -> int | None:
    """Return runs of each group with which the two would be separable in 80 % of cases, by the same rule as now.

    For intervals that must not overlap, the least n with d ≥ t(n − 1)·(s₁ + s₂)/√n + 0.842·√((s₁² + s₂²)/n); for
    differences of pairs with the deviation s, d ≥ (t(n − 1) + 0.842)·s/√n. d is the difference as it looks now.

    Returns:
        None where no spread between runs is known, or nothing differs.
    """
    lead = leads.get(other.group)
    if lead is not None:
        return None if not lead.sd or lead.value <= 0 else _least(lead.value, lead.sd, lead.sd)
    one, held = first.level, other.level
    gap = abs(one.value - held.value)
    if one.sd is None or held.sd is None or gap <= 0:
        return None
    return _least(gap, one.sd + held.sd, math.hypot(one.sd, held.sd))


def _least(gap: float, width: float, spread: float) -> int:
    """Return the least n for a difference whose interval is t·width/√n wide to each side, and that varies by spread."""
    from scipy.stats import t

    def enough(n: int) -> bool:
        return gap * math.sqrt(n) >= float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * width + _POWER_QUANTILE * spread

    return _bisected(enough)


def _bisected(enough: Callable[[int], bool]) -> int:
    high = 2
    while not enough(high):
        high *= 2
        if high > _MOST_NEEDED:
            return _MOST_NEEDED
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(2, high)


Verdict = Literal["better", "ahead", "not_told_apart", "alone", "direction_unknown"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The groups by a metric, best first.

    Attributes:
        metric: its name.
        direction: in which it improves; None where that is not known, and then the order is that of the list.
        performances: of the groups that have it.
        missing: groups that lack it.
        verdict: `better`: the first one is separable from all others, and all intervals are over seeds or cases;
            `ahead`: the same, but some interval is only of the noise within a run; `not_told_apart`; `alone`: one group
            has it.
        tied: groups that the first one is not separable from: the interval of their paired difference holds 0, or
            where they are not paired their own intervals overlap, or one of the two has none.
        needed: runs for each of two groups so that in 80 % of cases the first and its rival are separable, if their
            difference is as large as it looks; None where no spread between runs is known, or nothing differs.
        diverged: groups of `missing` that have no level because all their runs end in NaN, infinite or exploded values.
        leads: group → by how much the first one is better, with the interval; of groups with the same repetitions.
    """

    metric: str
    direction: Direction | None
    performances: tuple[Performance, ...]
    missing: tuple[str, ...]
    verdict: Verdict
    tied: tuple[str, ...]
    needed: int | None
    diverged: tuple[str, ...] = ()
    leads: Mapping[str, FinalMean] = field(default_factory=dict)

    @property
    def first(self) -> Performance:
        """The best, or the first where nothing says which is."""
        return self.performances[0]

    @property
    def rival(self) -> Performance | None:
        """The best of those that are not separable from the first; the second where all are."""
        held = [one for one in self.performances[1:] if not self.tied or one.group in self.tied]
        return held[0] if held else None


def rank(
    groups: Sequence[Group], metric: str, direction: Direction | None, statistic: Statistic = "level"
) -> Ranking | None:
    """Return the groups by a metric; None where no run has a finite value of it."""
    known = [found for group in groups if (found := _performance(group, metric, direction, statistic)) is not None]
    if not known:
        return None
    have = {one.group for one in known}
    missing = tuple(group.name for group in groups if group.name not in have)
    diverged = tuple(group.name for group in groups if group.name not in have and _diverged(group, metric))
    if direction is None:
        verdict: Verdict = "alone" if len(known) == 1 else "direction_unknown"
        return Ranking(metric, None, tuple(known), missing, verdict, (), None, diverged)
    sign = 1.0 if direction == "lower" else -1.0
    ordered = sorted(known, key=lambda one: sign * one.level.value)
    first, others = ordered[0], ordered[1:]
    leads = {one.group: lead for one in others if (lead := lead_of(first, one, direction)) is not None}
    tied = tuple(one for one in others if not separable(first, one, leads))
    if not others:
        verdict = "alone"
    elif tied:
        verdict = "not_told_apart"
    else:
        verdict = "ahead" if any(one.basis == "within_run" for one in ordered) else "better"
    needed = runs_needed(first, tied[0], leads) if tied and first.basis == tied[0].basis == "seeds" else None
    names = tuple(one.group for one in tied)
    return Ranking(metric, direction, tuple(ordered), missing, verdict, names, needed, diverged, leads)


def _performance(group: Group, metric: str, direction: Direction | None, statistic: Statistic) -> Performance | None:
    series = {run.name: run.history.series[metric] for run in group.runs if metric in run.history.series}
    cleans = {name: one.clean for name, one in series.items() if len(one.clean)}
    if not cleans:
        return None
    over_cases = group.runs[0].history.steps_are == "case"
    if over_cases:
        values = {name: float(np.mean(clean.values)) for name, clean in cleans.items()}
    else:
        found = {name: run_final_mean(series[name], statistic, direction) for name in cleans}
        values = {name: value for name, value in found.items() if value is not None}
    if not values:
        return None
    only = cleans[next(iter(values))]
    if len(values) > 1:
        level, basis = over_repetitions(np.array(list(values.values()))), "seeds"
    elif over_cases:
        level, basis = over_repetitions(only.values), "cases"
    else:
        within = within_run(only) if statistic == "level" else None
        value = next(iter(values.values()))
        level, basis = within or FinalMean(value, None, None, None, 1), "within_run"
    if level.low is None:
        basis = "none"
    return Performance(
        group.name,
        level,
        basis,  # type: ignore[arg-type]
        {run.name: values.get(run.name) for run in group.runs},
        None if direction is None or over_cases else _best({name: cleans[name] for name in values}, direction),
        (min(float(one.steps[-1]) for one in cleans.values()), max(float(one.steps[-1]) for one in cleans.values())),
        () if over_cases else _diverged(group, metric),
        _cases(group, only) if over_cases and len(values) == 1 else _repetitions(group, values),
    )


def _repetitions(group: Group, values: Mapping[str, float]) -> dict[str, float]:
    return {group.repetition[name]: value for name, value in values.items() if name in group.repetition}


def _cases(group: Group, clean: CleanSeries) -> dict[str, float]:
    """Return the cases of a variant; none where nothing says which cases they are."""
    dataset = group.runs[0].history.config.get("dataset")
    if dataset is None:
        return {}
    return {f"{dataset} {step:g}": value for step, value in zip(clean.steps, clean.values.tolist(), strict=True)}


def _diverged(group: Group, metric: str) -> tuple[str, ...]:
    return tuple(
        run.name for run in group.runs if metric in run.history.series and ends_diverged(run.history.series[metric])
    )


def _best(cleans: Mapping[str, CleanSeries], direction: Direction) -> tuple[float, str, float]:
    found = []
    for name, clean in cleans.items():
        at = int(worsening(clean.values, direction).argmin())
        found.append((float(clean.values[at]), name, float(clean.steps[at])))
    return min(found, key=lambda one: one[0] if direction == "lower" else -one[0])

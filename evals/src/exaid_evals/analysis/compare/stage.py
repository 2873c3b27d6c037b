"""The comparison of runs: groups, their stability, rankings, and where histories part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exaid_evals.analysis.compare.collect import Collected, Run, RunSelection
from exaid_evals.analysis.compare.divergence_point import DivergencePoint, part
from exaid_evals.analysis.compare.final_means import LEAST_POINTS, STATISTICS, Statistic, last_stretch, sd_of
from exaid_evals.analysis.compare.groups import SEED, Group, Grouping, group_runs, limits_of_lengths, limits_of_logging
from exaid_evals.analysis.compare.performance import Ranking, rank
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.anomalies.base import SEVERITIES, Anomaly
from exaid_evals.anomalies.registry import directions_in, find_anomalies
from exaid_evals.anomalies.robust import worsening
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.metric_names import Direction, is_validation

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


MOST_PAIRS = 20
"""Groups that are held against the best one step by step; the best of the others."""
MOST_DIVERGENCE_METRICS = 30


@dataclass(frozen=True)
class Comparison:
    """Everything that is known about runs after their comparison.

    Attributes:
        runs: that were read, in the order of the list.
        grouping: the groups, and the settings in which they differ.
        by: what the runs of a group differ in.
        statistic: the number that stands for a run.
        directions: metric → how it improves.
        primary: the metric that counts; None where no metric has a known direction.
        rankings: of each metric, the primary one first.
        stabilities: of each run.
        divergence_points: of the best group by the primary metric and each other one, for each metric.
        notes: what limits the comparison.
        pooled: whether runs of different versions of the code count as one configuration.
    """

    runs: tuple[Run, ...]
    grouping: Grouping
    by: str
    statistic: Statistic
    directions: Mapping[str, Direction]
    primary: str | None
    rankings: tuple[Ranking, ...]
    stabilities: tuple[Stability, ...]
    divergence_points: tuple[DivergencePoint, ...]
    notes: tuple[str, ...]
    pooled: bool = False

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups."""
        return self.grouping.groups

    @property
    def key_ranking(self) -> Ranking | None:
        """The ranking by the primary metric."""
        return self.rankings[0] if self.primary is not None else None


@dataclass(frozen=True)
class Comparator(RunSelection):
    """Compares runs of any experiments.

    Attributes:
        group_by: the setting in which repetitions differ: `seed`, `none`, or a key.
        statistic: the number that stands for a run: its `level` over the last fifth, its `best` or its `final` value.

    >>> Comparator("a,b", statistic="median").compare()
    Traceback (most recent call last):
    exaid_evals.errors.ConfigError: --statistic: no statistic 'median'; known are level, best, final
    """

    group_by: str = SEED
    statistic: Statistic = "level"

    def compare(self, on_run: Callable[[str], None] = lambda _name: None) -> Comparison:
        """Read the runs and compare them.

        Args:
            on_run: called with the name of each run whose anomalies have been looked for.

        Raises:
            ConfigError: wrong usage, found before the work.
            DataError: a run is not there, or fewer than two can be read.
        """
        if self.statistic not in STATISTICS:
            remedy = f"known are {', '.join(STATISTICS)}"
            raise ConfigError(f"no statistic {self.statistic!r}", where="--statistic", remedy=remedy)
        return self.of(self.read(), on_run)

    def of(self, collected: Collected, on_run: Callable[[str], None] = lambda _name: None) -> Comparison:
        """Compare runs that have been read."""
        runs = collected.runs
        if len(runs) < 2:
            raise DataError(
                f"there is one run, {runs[0].name!r}: a comparison needs two",
                where="--runs",
                remedy="name more, or look at the one with `exaid-evals analyze`",
            )
        directions, notes = directions_of(runs, self.config)
        metrics = sorted({metric for run in runs for metric in run.history.series})
        primary = primary_of(runs, metrics, directions, self.config)
        alike, pooled = self.alike(runs)
        grouping = group_runs(alike, self.group_by)
        ordered = sorted(metrics, key=lambda one: (one != primary, not is_validation(one), one))
        rankings = [
            found
            for metric in ordered
            if (found := rank(grouping.groups, metric, directions.get(metric), self.statistic)) is not None
        ]
        if not rankings:
            raise DataError("no metric of any run has a finite number", where="--runs", remedy="look at what they log")
        stabilities = []
        for run in runs:
            stabilities.append(stability_of(run, find_anomalies(run.history, self.config, directions), directions))
            on_run(run.name)
        points, skipped = _divergence_points(grouping.groups, rankings)
        lines = [f"could not be read and is left out: {why}" for why in collected.unreadable]
        return Comparison(
            runs,
            grouping,
            self.group_by,
            self.statistic,
            directions,
            primary if rankings[0].metric == primary else None,
            tuple(rankings),
            tuple(stabilities),
            tuple(points),
            (*lines, *pooled, *grouping.notes, *notes, *limits_of_lengths(runs), *skipped, *limits_of_logging(runs)),
            self.pool_code_versions,
        )


def directions_of(runs: Sequence[Run], config: AnalysisConfig) -> tuple[dict[str, Direction], list[str]]:
    """Return metric → direction; a metric that runs disagree about has none, and is reported."""
    said: dict[str, set[Direction]] = {}
    for run in runs:
        for metric, way in directions_in(run.history, config).items():
            said.setdefault(metric, set()).add(way)
    unclear = sorted(metric for metric, ways in said.items() if len(ways) > 1)
    notes = [
        f"{metric}: some runs say that it improves upwards and some downwards; it ranks nothing" for metric in unclear
    ]
    return {metric: next(iter(ways)) for metric, ways in said.items() if len(ways) == 1}, notes


def primary_of(
    runs: Sequence[Run], metrics: Sequence[str], directions: Mapping[str, Direction], config: AnalysisConfig
) -> str | None:
    """Return the metric that counts: as asked for, else the one that most runs have, validation metrics first."""
    asked = config.primary_metric
    if asked is not None:
        if asked not in metrics:
            remedy = f"they have {', '.join(metrics[:12])}"
            raise ConfigError(f"no run has a metric {asked!r}", where="--primary-metric", remedy=remedy)
        if asked not in directions:
            remedy = f"say with --better {asked}=higher or --better {asked}=lower"
            raise ConfigError(f"it is not known how {asked!r} improves", where="--primary-metric", remedy=remedy)
        return asked
    having = {
        metric: sum(metric in run.history.series and len(run.history.series[metric].clean) > 0 for run in runs)
        for metric in metrics
        if metric in directions
    }
    # A share that is right says more to a reader than a loss does.
    ordered = sorted(having, key=lambda one: (-having[one], not is_validation(one), directions[one] == "lower", one))
    return ordered[0] if ordered else None


def _divergence_points(groups: Sequence[Group], rankings: Sequence[Ranking]) -> tuple[list[DivergencePoint], list[str]]:
    """Hold the best group by the first metric against the others, step by step."""
    if any(run.history.steps_are == "case" for group in groups for run in group.runs):
        return [], [
            "the steps of a campaign are cases, whose order means nothing: no divergence of histories is looked for"
        ]
    by_name = {group.name: group for group in groups}
    ranked = [by_name[one.group] for one in rankings[0].performances]
    pairs = [(ranked[0], other) for other in ranked[1 : MOST_PAIRS + 1]]
    metrics = [one for one in rankings if len(one.performances) > 1][:MOST_DIVERGENCE_METRICS]
    found = []
    for ranking in metrics:
        have = {one.group for one in ranking.performances}
        held = [(first, other) for first, other in pairs if first.name in have and other.name in have]
        found += [part(ranking.metric, first, other, groups, len(held)) for first, other in held]
    left = len(ranked) - 1 - len(pairs)
    return found, [f"histories of {left} further groups are not held against the best one's"] if left > 0 else []

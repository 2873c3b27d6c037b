"""The impact of hyper-parameters: from many runs' histories to everything that a report says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import Collected, Run, RunSelection, passed_over
from exaid_evals.analysis.compare.final_means import Statistic, ends_diverged, run_final_mean
from exaid_evals.analysis.compare.groups import limits_of_logging
from exaid_evals.analysis.compare.stage import directions_of, primary_of
from exaid_evals.analysis.impact.associations import (
    CategoryRates,
    Parameter,
    Parameters,
    RankCorrelation,
    adjusted_together,
    category_rates,
    configurations_of,
    first_runs,
    means,
    parameters_of,
    rank_correlations,
)
from exaid_evals.analysis.report.sentences import counted
from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.anomalies.registry import find_anomalies
from exaid_evals.anomalies.robust import worsening
from exaid_evals.artifacts.redaction import first_few
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.execution.local import Executor, Processes
from exaid_evals.runs.metric_names import Direction

LEAST_RUNS = 20
RUNS_PER_PARAMETER = 4
LEAST_R2 = 0.2
"""Cross-validated, and in at least three of four repetitions."""
_FOLDS, _REPEATS, _PERMUTATIONS, _TREES = 5, 4, 10, 100


@dataclass(frozen=True, slots=True)
class ParameterImportance:
    """A hyper-parameter's importance.

    Attributes:
        parameter: its name.
        mean: by how much the model's R² falls when its values are shuffled among held-out runs, over all folds.
        sd: between the means of the repetitions of the cross-validation.
    """

    parameter: str
    mean: float
    sd: float


@dataclass(frozen=True, slots=True)
class Importance:
    """What a model can predict, and from what.

    Attributes:
        n: configurations with a level.
        r2: cross-validated, of each repetition; empty where n is too small.
        parameters: the most important first; empty where it is withheld.
        withheld: why; None where it is not.
    """

    n: int
    r2: tuple[float, ...]
    parameters: tuple[ParameterImportance, ...]
    withheld: str | None


def importance(parameters: Sequence[Parameter], final_means: Sequence[float | None], seed: int = 42) -> Importance:
    """Fit random forests in a repeated cross-validation, and shuffle each parameter among the held-out runs.

    Source: L. Breiman, "Random forests", *Machine Learning* 45 (2001), 5–32; on held-out data, since on the data of
    the fit a forest finds importance in noise. It is withheld where the model predicts nothing: then it would describe
    the model's mistakes.

    Args:
        parameters: of configurations; what one lacks is a value of its own.
        final_means: of the metric, of each configuration (not of each run: a fold would hold seeds of what the model
            has seen); those without are left out.
        seed: of folds, forests and shuffles.
    """
    at = [index for index, level in enumerate(final_means) if level is not None]
    n, needed = len(at), max(LEAST_RUNS, RUNS_PER_PARAMETER * len(parameters))
    if not parameters:
        return Importance(n, (), (), "no parameter varies")
    if n < needed:
        return Importance(
            n,
            (),
            (),
            f"{counted(n, 'configuration')} {'is' if n == 1 else 'are'} too few for "
            f"{counted(len(parameters), 'parameter')}: {needed} are needed",
        )
    y = np.array([final_means[index] for index in at], dtype=np.float64)
    if float(y.std()) == 0:
        return Importance(n, (), (), "the metric is the same in all configurations")
    x = np.array([_column(one, at) for one in parameters], dtype=np.float64).T
    scores, falls = [], []
    for repeat in range(_REPEATS):
        score, fall = _cross_validated(x, y, seed + repeat)
        scores.append(score)
        falls.append(fall)
    if sorted(scores)[1] < LEAST_R2:
        return Importance(
            n,
            tuple(scores),
            (),
            f"the model does not predict: cross-validated R² {np.mean(scores):.2f}, under {LEAST_R2:g}",
        )
    table = np.array(falls)
    found = [
        ParameterImportance(one.name, float(table[:, column].mean()), float(table[:, column].std(ddof=1)))
        for column, one in enumerate(parameters)
    ]
    return Importance(n, tuple(scores), tuple(sorted(found, key=lambda one: (-one.mean, one.parameter))), None)


def _column(parameter: Parameter, at: Sequence[int]) -> list[float]:
    """Return a parameter as numbers: categories by their rank among values, what is missing far below all."""
    held = [parameter.values[index] for index in at]
    if parameter.numeric:
        known = [float(value) for value in held if value is not None]
        low = min(known, default=0.0) - (max(known, default=0.0) - min(known, default=0.0)) - 1
        return [low if value is None else float(value) for value in held]
    values = sorted({str(value) for value in held if value is not None})
    return [-1.0 if value is None else float(values.index(str(value))) for value in held]


def _cross_validated(x: NDArray[np.float64], y: NDArray[np.float64], seed: int) -> tuple[float, list[float]]:
    """Return the R² over all held-out predictions, and by how much shuffling each column lowers it.

    Both against the same Σ(y − ȳ)²: the mean of R² over folds of four runs would swing wildly.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import KFold

    rng = np.random.default_rng(seed)
    total = float(((y - y.mean()) ** 2).sum())
    lost, shuffled = 0.0, np.zeros(x.shape[1])
    for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(x):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed, n_jobs=1).fit(x[train], y[train])
        # One call predicts all: each costs a hundred trees their overhead, and the test rows are few.
        blocks = [x[test]]
        for column in range(x.shape[1]):
            for _ in range(_PERMUTATIONS):
                block = x[test].copy()
                block[:, column] = rng.permutation(block[:, column])
                blocks.append(block)
        errors = ((y[test] - forest.predict(np.concatenate(blocks)).reshape(-1, len(test))) ** 2).sum(axis=1)
        lost += float(errors[0])
        shuffled += errors[1:].reshape(x.shape[1], _PERMUTATIONS).mean(axis=1) - errors[0]
    return 1 - lost / total, [float(value) / total for value in shuffled]


SIGNIFICANT = 0.05
LEVEL: Statistic = "level"
DROP = "drop"


@dataclass(frozen=True)
class Impact:
    """Everything that is known about the hyper-parameters of runs.

    Attributes:
        runs: that were read.
        metric: that the outcomes are of.
        direction: in which it improves.
        final_means: of each run: the mean of its last fifth; None where the run lacks the metric.
        drops: from the best value to the level, positive where the end is worse.
        anomalous: whether a run has a high or critical anomaly, of any metric.
        configurations: number of each run's configuration; runs of one differ in nothing but their seed.
        parameters: that vary over the runs, and what is left out.
        correlations: of numbers with level and drop.
        rates: of anomalies by category.
        importance: of all for the level.
        notes: what limits all this.
        pooled: whether runs of different versions of the code count as one configuration.
    """

    runs: tuple[Run, ...]
    metric: str
    direction: Direction
    final_means: tuple[float | None, ...]
    drops: tuple[float | None, ...]
    anomalous: tuple[bool, ...]
    configurations: tuple[int, ...]
    parameters: Parameters
    correlations: tuple[RankCorrelation, ...]
    rates: tuple[CategoryRates, ...]
    importance: Importance
    notes: tuple[str, ...]
    pooled: bool = False

    @property
    def n_configurations(self) -> int:
        """How many configurations the runs are of."""
        return len(set(self.configurations))


@dataclass(frozen=True)
class HyperparameterAnalyzer(RunSelection):
    """States what hyper-parameters have to do with how runs end.

    Attributes:
        seed: of permutations and folds.
        workers: look through the runs.
    """

    seed: int = 42
    workers: Executor = field(default_factory=lambda: Processes(1))

    def analyse(self, on_run: Callable[[str], None] = lambda _name: None) -> Impact:
        """Read the runs and analyse them.

        Raises:
            ConfigError: wrong usage, or no metric's direction is known.
            DataError: runs are not there, there is one, or none has a level of the metric.
        """
        return self.of(self.read(), on_run)

    def analyze_hyperparameter_impact(self) -> dict[str, Any]:
        """Analyse every run of the project, and return the findings as plain data.

        Returns:
            `correlations`: numeric setting → Spearman's ρ with the drop of the metric that counts from its best to its
            end, None where runs are too few or nothing varies; `correlations_with_level`: the same with where it ends.
            `anomaly_rates`: setting → category → share of runs with a high or critical anomaly. `notes`: what limits
            all this, number of runs included.

        Raises:
            ConfigError: wrong usage, or no metric's direction is known.
            DataError: runs are not there, there is one, or none has a level of the metric.
        """
        found = self.analyse()
        by_outcome = {
            outcome: {one.parameter: one.rho for one in found.correlations if one.outcome == outcome}
            for outcome in (DROP, LEVEL)
        }
        return {
            "correlations": by_outcome[DROP],
            "correlations_with_level": by_outcome[LEVEL],
            "anomaly_rates": {
                one.parameter: {category.value: category.rate for category in one.categories} for one in found.rates
            },
            "notes": [f"{counted(len(found.runs), 'run')}, {found.metric} counts", *found.notes],
        }

    def of(self, collected: Collected, on_run: Callable[[str], None] = lambda _name: None) -> Impact:
        """Analyse runs that have been read."""
        runs = collected.runs
        if len(runs) < 2:
            raise DataError("there is one run: nothing varies", where="--runs", remedy="name the runs of a search")
        directions, notes = directions_of(runs, self.config)
        metric = self._metric(runs, directions)
        direction = directions[metric]
        outcomes = self._outcomes(runs, partial(_Outcomes, metric, direction, self.config, directions), on_run)
        final_means, drops, anomalous = map(list, zip(*outcomes, strict=True))
        if all(level is None for level in final_means):
            raise DataError(
                f"no run has a level of {metric}: each lacks it, or ends in NaN, infinite or exploded values",
                where="--runs",
                remedy="look at one with `exaid-evals analyze`, or name another metric with --metric",
            )
        alike, pooled = self.alike(runs)
        settings = [run.settings for run in alike]
        parameters, of = parameters_of(settings), configurations_of(settings)
        at = first_runs(of)
        varying = [one.of(at) for one in parameters.varying]
        mean_levels = means(final_means, of)
        correlations, rates = adjusted_together(
            rank_correlations(varying, {LEVEL: mean_levels, DROP: means(drops, of)}),
            category_rates(parameters.varying, anomalous, final_means, self.seed, of),
        )
        lines = [f"could not be read and is left out: {why}" for why in collected.unreadable]
        return Impact(
            runs,
            metric,
            direction,
            tuple(final_means),
            tuple(drops),
            tuple(anomalous),
            tuple(of),
            parameters,
            correlations,
            rates,
            importance(varying, mean_levels, self.seed),
            (*lines, *pooled, *notes, *_limits(runs, metric, final_means, parameters), *limits_of_logging(runs)),
            self.pool_code_versions,
        )

    def _metric(self, runs: Sequence[Run], directions: Mapping[str, Direction]) -> str:
        found = primary_of(runs, sorted({name for run in runs for name in run.history.series}), directions, self.config)
        if found is None:
            raise ConfigError(
                "no metric's name tells which way it improves",
                where="--runs",
                remedy="name one with --metric, and say with --better NAME=higher or --better NAME=lower",
            )
        return found

    def _outcomes(
        self, runs: Sequence[Run], build: Callable[[], _Outcomes], on_run: Callable[[str], None]
    ) -> list[_Outcome]:
        outcomes = []
        for run, outcome in self.workers.map_ordered(build, runs):
            outcomes.append(outcome)
            on_run(run.name)
        return outcomes


class _Outcome(NamedTuple):
    level: float | None
    drop: float | None
    anomalous: bool


class _Outcomes:
    """What a worker looks for in each run."""

    def __init__(
        self, metric: str, direction: Direction, config: AnalysisConfig, directions: Mapping[str, Direction]
    ) -> None:
        self._metric, self._direction = metric, direction
        self._config, self._directions = config, directions

    def __call__(self, run: Run) -> _Outcome:
        found = find_anomalies(run.history, self._config, self._directions)
        anomalous = any(one.severity in ("high", "critical") for one in found)
        return _Outcome(*_ending(run, self._metric, self._direction), anomalous)


def _ending(run: Run, metric: str, direction: Direction) -> tuple[float | None, float | None]:
    """Return a run's level, and how far that lies below its best value; a campaign's cases have no best before."""
    series = run.history.series.get(metric)
    if series is None or not len(series.clean):
        return None, None
    if run.history.steps_are == "case":
        return float(series.clean.values.mean()), None
    level = run_final_mean(series, LEVEL, direction)
    if level is None:
        return None, None
    worse = worsening(series.clean.values, direction)
    return level, (level if direction == "lower" else -level) - float(worse.min())


def _limits(runs: Sequence[Run], metric: str, final_means: Sequence[float | None], parameters: Parameters) -> list[str]:
    notes = []
    without = {run.name for run, level in zip(runs, final_means, strict=True) if level is None}
    diverged = [
        run.name
        for run in runs
        if run.name in without and metric in run.history.series and ends_diverged(run.history.series[metric])
    ]
    if diverged:
        notes.append(
            f"{counted(len(diverged), 'run')} without a level of {metric}, since the end is NaN or infinite: "
            f"{first_few(diverged)}; correlations and importance are those of the others, which went better than these"
        )
    lacking = [run.name for run in runs if run.name in without.difference(diverged)]
    if lacking:
        verb = "lacks" if len(lacking) == 1 else "lack"
        notes.append(f"{counted(len(lacking), 'run')} {verb} {metric}: {first_few(lacking)}")
    bare = [run.name for run in runs if not run.settings]
    if bare:
        verb = "has" if len(bare) == 1 else "have"
        notes.append(f"{counted(len(bare), 'run')} {verb} no configuration: {first_few(bare)}")
    ignored = passed_over([run.settings for run in runs])
    if ignored:
        shown = first_few(ignored, 8, " …")
        notes.append(f"taken for what names, places or times a run, and for no parameter: {shown}")
    if parameters.constant:
        notes.append(f"the same in all runs, and left out: {first_few(parameters.constant, 8, ' …')}")
    if parameters.unique:
        notes.append(f"of another value in each run, and left out: {first_few(parameters.unique, 8, ' …')}")
    lacking_it = [one for one in parameters.varying if one.n_missing]
    return notes + [
        f"{one.name}: {one.n_missing} of {len(runs)} runs {'lacks' if one.n_missing == 1 else 'lack'} it"
        for one in lacking_it
    ]

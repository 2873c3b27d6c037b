"""What hyper-parameters have to do with outcomes: which vary, correlations, rates of categories, one family."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.analysis.compare.collect import ABSENT, making, setting_text
from exaid_evals.analysis.compare.final_means import CONFIDENCE, mean_of
from exaid_evals.stats.descriptive import holm


@dataclass(frozen=True, slots=True)
class Parameter:
    """A hyper-parameter over runs.

    Attributes:
        name: its dotted key.
        numeric: whether every value is a number; truth values are categories, and so is a mixture.
        values: of each run, in their order: a number, or text of a category; None where the run lacks it.
    """

    name: str
    numeric: bool
    values: tuple[float | str | None, ...]

    @property
    def n_missing(self) -> int:
        """Runs that lack it."""
        return sum(value is None for value in self.values)

    def of(self, at: Sequence[int]) -> Parameter:
        """Return the parameter over some of the runs."""
        return Parameter(self.name, self.numeric, tuple(self.values[index] for index in at))


@dataclass(frozen=True, slots=True)
class Parameters:
    """Those that vary, and the names of those that are left out.

    Attributes:
        varying: in alphabetical order.
        constant: with one value in all runs. One that some runs lack is a category of two, `absent` and its value.
        unique: categories of which each run has its own (hashes, tags): they can be held against nothing.
    """

    varying: tuple[Parameter, ...]
    constant: tuple[str, ...]
    unique: tuple[str, ...]


def parameters_of(settings: Sequence[Mapping[str, Any]]) -> Parameters:
    """Return the hyper-parameters of runs; what seeds, names, places or times a run is none."""
    made = [making(one) for one in settings]
    names = sorted({key for one in made for key in one})
    varying: list[Parameter] = []
    constant: list[str] = []
    unique: list[str] = []
    for name in names:
        found = _parameter(name, made)
        present = [value for value in found.values if value is not None]
        if len(set(present)) < 2 and found.n_missing and present:
            varying.append(Parameter(name, False, tuple(setting_text(one, name) for one in made)))
        elif len(set(present)) < 2:
            constant.append(name)
        elif not found.numeric and len(set(present)) == len(present):
            unique.append(name)
        else:
            varying.append(found)
    return Parameters(tuple(varying), tuple(constant), tuple(unique))


def _parameter(name: str, settings: Sequence[Mapping[str, Any]]) -> Parameter:
    held = [one.get(name) for one in settings]
    numeric = all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in held)
    if numeric:
        return Parameter(name, True, tuple(None if value is None else float(value) for value in held))
    texts = (setting_text(one, name) if one.get(name) is not None else ABSENT for one in settings)
    return Parameter(name, False, tuple(None if text == ABSENT else text for text in texts))


def configurations_of(settings: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the number of each run's configuration, from 0 in the order of the runs.

    A run without a single setting is one of its own: nothing says what it shares.
    """
    numbers: dict[str, int] = {}
    found = []
    for index, one in enumerate(settings):
        made = making(one)
        text = "\0".join(f"{key}={setting_text(made, key)}" for key in made) if made else f"\0{index}"
        found.append(numbers.setdefault(text, len(numbers)))
    return found


def first_runs(configurations: Sequence[int]) -> list[int]:
    """Return the index of the first run of each configuration."""
    first: dict[int, int] = {}
    for index, number in enumerate(configurations):
        first.setdefault(number, index)
    return [first[number] for number in sorted(first)]


def means(values: Sequence[float | None], configurations: Sequence[int]) -> list[float | None]:
    """Return the mean over the runs of each configuration that have a value; None where none has."""
    held = _held(values, configurations)
    return [mean_of(each) if len(each) else None for each in held]


def _held(values: Sequence[float | None], configurations: Sequence[int]) -> list[NDArray[np.float64]]:
    held: list[list[float]] = [[] for _ in range(max(configurations, default=-1) + 1)]
    for value, number in zip(values, configurations, strict=True):
        if value is not None:
            held[number].append(value)
    return [np.array(each, dtype=np.float64) for each in held]


LEAST_RUNS = 10
"""With both numbers; with fewer, ρ would have to exceed 0.65 to stand out, and its p is not a good approximation."""


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Of a hyper-parameter with an outcome.

    Attributes:
        parameter: its name.
        outcome: `level` of the metric, or `drop` from its best to its level.
        n: configurations that have both.
        rho: Spearman's; None where n is too small, or one of the two does not vary among these runs.
        low, high: 95 % interval.
        p: two-sided.
        p_adjusted: by Holm, over all that were tested, rates of categories included (`family.py`).
    """

    parameter: str
    outcome: str
    n: int
    rho: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None


def rank_correlations(
    parameters: Sequence[Parameter], outcomes: Mapping[str, Sequence[float | None]]
) -> list[RankCorrelation]:
    """Return a correlation for each numeric parameter and outcome, the most telling first.

    The p is that of SciPy's `spearmanr` (Student's t). The interval is Fisher's, tanh(artanh ρ ± 1.96 · SE), with
    SE² = (1 + ρ²/2)/(n − 3), which ranks need: D. G. Bonett and T. A. Wright, "Sample size requirements for estimating
    Pearson, Kendall and Spearman correlations", *Psychometrika* 65 (2000), 23–28.

    Args:
        parameters: those that are not numbers are passed over.
        outcomes: name → value of each configuration, None where it has none; runs of one configuration are not
            independent.
    """
    found = []
    for parameter in parameters:
        for outcome, values in outcomes.items():
            if parameter.numeric:
                pairs = [
                    (float(x), y)
                    for x, y in zip(parameter.values, values, strict=True)
                    if x is not None and y is not None
                ]
                found.append(_correlation(parameter.name, outcome, np.array(pairs, dtype=np.float64).reshape(-1, 2)))
    return sorted(found, key=lambda one: (one.p is None, one.p or 0.0, one.parameter, one.outcome))


def _correlation(parameter: str, outcome: str, pairs: NDArray[np.float64]) -> RankCorrelation:
    from scipy.stats import spearmanr

    n = len(pairs)
    if n < LEAST_RUNS or any(len(np.unique(column)) < 2 for column in pairs.T):
        return RankCorrelation(parameter, outcome, n)
    result = spearmanr(pairs[:, 0], pairs[:, 1])
    rho, p = float(result.statistic), float(result.pvalue)
    if abs(rho) > 1 - 1e-12:
        return RankCorrelation(parameter, outcome, n, math.copysign(1.0, rho), None, None, p)
    half = 1.959964 * math.sqrt((1 + rho**2 / 2) / (n - 3))
    return RankCorrelation(
        parameter, outcome, n, rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half), p
    )


LEAST_CATEGORY = 5
"""Configurations of a category; fewer have a rate, and no say in the test."""
_PERMUTATIONS = 9999


@dataclass(frozen=True, slots=True)
class Category:
    """A value of a hyper-parameter.

    Attributes:
        value: as text.
        n: runs that have it.
        n_anomalous: of these, runs with a high or critical anomaly.
        rate, low, high: share of these, with its Clopper–Pearson interval over configurations, not runs.
        mean: of the metric's level over these runs; None where none has it.
        n_level: runs that the mean is of.
        n_configurations: that the runs are of.
    """

    value: str
    n: int
    n_anomalous: int
    rate: float
    low: float
    high: float
    mean: float | None
    n_level: int
    n_configurations: int


@dataclass(frozen=True, slots=True)
class CategoryRates:
    """A hyper-parameter that is a category.

    Attributes:
        parameter: its name.
        categories: in order of their values.
        n_missing: runs that lack it.
        p: that rates are the same in all categories of 5 and more configurations; None where fewer than two are as
            large, or all configurations are alike.
        p_adjusted: by Holm, over all that were tested, correlations included (`family.py`).
    """

    parameter: str
    categories: tuple[Category, ...]
    n_missing: int
    p: float | None = None
    p_adjusted: float | None = None


def category_rates(
    parameters: Sequence[Parameter],
    anomalous: Sequence[bool],
    final_means: Sequence[float | None],
    seed: int = 42,
    configurations: Sequence[int] | None = None,
) -> list[CategoryRates]:
    """Return the rates of each parameter that is a category, the most telling first.

    The test permutes whole configurations, each with the share of its runs that had an anomaly, and takes the
    chi-squared statistic of the shares, so that it holds for few of them too:
    p = (1 + permutations as extreme) / (1 + permutations).

    Args:
        parameters: of runs; numbers are passed over.
        anomalous: whether each run has a high or critical anomaly.
        final_means: of the metric, of each run.
        seed: of the permutations.
        configurations: number of each run's configuration; each run is one where it is None.
    """
    of = list(range(len(anomalous))) if configurations is None else list(configurations)
    found = []
    for parameter in parameters:
        if not parameter.numeric:
            values = sorted({str(value) for value in parameter.values if value is not None})
            categories = tuple(_category(value, parameter, anomalous, final_means, of) for value in values)
            p = _permutation_p(parameter, categories, anomalous, of, seed)
            found.append(CategoryRates(parameter.name, categories, parameter.n_missing, p))
    return sorted(found, key=lambda one: (one.p is None, one.p or 0.0, one.parameter))


def clopper_pearson(k: float, n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share of k in n.

    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", *Biometrika* 26 (1934), 404–413.

    >>> [round(bound, 4) for bound in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    # A share of a configuration's runs makes k a fraction, for which the beta distribution serves as well.
    low = 0.0 if k == 0 else float(beta.ppf(tail, k, n - k + 1))
    high = 1.0 if k == n else float(beta.ppf(1 - tail, k + 1, n - k))
    return low, high


def _category(
    value: str,
    parameter: Parameter,
    anomalous: Sequence[bool],
    final_means: Sequence[float | None],
    configurations: Sequence[int],
) -> Category:
    at = [index for index, held in enumerate(parameter.values) if held == value]
    k = sum(anomalous[index] for index in at)
    known = [level for index in at if (level := final_means[index]) is not None]
    rate, n = k / len(at), len({configurations[index] for index in at})
    low, high = clopper_pearson(rate * n, n)
    mean = mean_of(np.array(known)) if known else None
    return Category(value, len(at), k, rate, low, high, mean, len(known), n)


def _permutation_p(
    parameter: Parameter,
    categories: Sequence[Category],
    anomalous: Sequence[bool],
    configurations: Sequence[int],
    seed: int,
) -> float | None:
    large = [one.value for one in categories if one.n_configurations >= LEAST_CATEGORY]
    runs: dict[int, list[int]] = {}
    for index, value in enumerate(parameter.values):
        if value in large:
            runs.setdefault(configurations[index], []).append(index)
    share = np.array([np.mean([anomalous[index] for index in each]) for each in runs.values()], dtype=np.float64)
    if len(large) < 2 or len(np.unique(share)) < 2:
        return None
    held = [parameter.values[each[0]] for each in runs.values()]
    member = np.array([[one == value for one in held] for value in large], dtype=np.float64)
    observed = _chi_squared(member, share[None, :])[0]
    rng = np.random.default_rng(seed)
    shuffled = np.array([rng.permutation(share) for _ in range(_PERMUTATIONS)])
    # Equal tables must count as equal, whatever the last bits of their sums are.
    as_extreme = int((_chi_squared(member, shuffled) >= observed - 1e-9).sum())
    return (1 + as_extreme) / (1 + _PERMUTATIONS)


def _chi_squared(member: NDArray[np.float64], bad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the statistic of tables of categories against shares of bad runs, shape (tables,).

    Args:
        member: shape (categories, configurations), 1 where a configuration is of a category.
        bad: shape (tables, configurations), shares; each row has the same sum.
    """
    counts = bad @ member.T
    size = member.sum(axis=1)
    share = bad[0].sum() / member.shape[1]
    result: NDArray[np.float64] = ((counts - size * share) ** 2 / (size * share * (1 - share))).sum(axis=1)
    return result


def adjusted_together(
    correlations: Sequence[RankCorrelation], rates: Sequence[CategoryRates]
) -> tuple[tuple[RankCorrelation, ...], tuple[CategoryRates, ...]]:
    """Return both with p values that Holm adjusts over all that were tested; what was not tested has none."""
    tested = [p for p in (*(one.p for one in correlations), *(one.p for one in rates)) if p is not None]
    adjusted = iter(holm(tested))
    return (
        tuple(replace(one, p_adjusted=None if one.p is None else next(adjusted)) for one in correlations),
        tuple(replace(one, p_adjusted=None if one.p is None else next(adjusted)) for one in rates),
    )

"""Aggregation over runs: mean, spread and interval of each metric, best and worst run."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from exaid_evals.artifacts.canonical import rounded
from exaid_evals.runs.base import Run
from exaid_evals.stats.descriptive import finite

Z_95 = 1.96
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One metric over runs; None where a number is undefined for so few runs.

    Attributes:
        mean: over the runs in which the metric is defined.
        std: population form (ddof 0), as in published mean ± σ tables.
        std_sample: sample form (ddof 1); undefined for one run.
        ci95_low, ci95_high: mean ± 1.96 · std_sample / √n, as published.
        ci95_t_low, ci95_t_high: mean ± t · std_sample / √n with the 97.5 % point of Student's t with n − 1 degrees of
            freedom: for few runs the former is too narrow (of 3 runs it covers 81 %).
        cv: coefficient of variation, std / |mean|; undefined for a mean of 0.
        n: runs in which the metric is defined.
        n_missing: runs in which it is not.
    """

    mean: float | None = None
    std: float | None = None
    std_sample: float | None = None
    min: float | None = None
    max: float | None = None
    ci95_low: float | None = None
    ci95_high: float | None = None
    ci95_t_low: float | None = None
    ci95_t_high: float | None = None
    cv: float | None = None
    n: int = 0
    n_missing: int = 0

    @property
    def overflows(self) -> bool:
        """Whether values are there whose mean or spread is too large to be a number."""
        return self.n > 0 and (self.mean is None or self.std is None)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run and its value of the primary metric.

    Attributes:
        run: the first of those with the value, by name.
        value: of the metric.
        tied: the others that have the same value.
    """

    run: str
    value: float
    tied: tuple[str, ...] = ()


def aggregate(values: Sequence[float | None]) -> Aggregate:
    """Aggregate one metric, leaving out and counting the runs in which it is undefined.

    Sums are exact before their one rounding (`math.fsum`), so the result does not depend on the order of runs. What
    overflows is undefined.

    >>> result = aggregate([1.0, 3.0, None])
    >>> result.mean, result.std, round(result.std_sample, 6), result.n, result.n_missing
    (2.0, 1.0, 1.414214, 2, 1)
    >>> aggregate([None]).mean is None
    True
    """
    defined = [value for value in values if value is not None]
    n = len(defined)
    n_missing = len(values) - n
    if n == 0:
        return Aggregate(n_missing=n_missing)
    mean = finite(lambda: math.fsum(defined) / n)
    if mean is None:
        return Aggregate(min=min(defined), max=max(defined), n=n, n_missing=n_missing)
    squares = finite(lambda: math.fsum([away * away for away in [value - mean for value in defined]]))
    std = math.sqrt(squares / n) if squares is not None else None
    sample = math.sqrt(squares / (n - 1)) if squares is not None and n > 1 else None
    around: dict[str, float] = {}
    if sample is not None:
        for name, factor in (("ci95", Z_95), ("ci95_t", t_95(n))):
            half = factor * sample / math.sqrt(n)
            around |= {f"{name}_low": mean - half, f"{name}_high": mean + half}
    return Aggregate(
        mean=mean,
        std=std,
        std_sample=sample,
        min=min(defined),
        max=max(defined),
        **around,
        cv=std / abs(mean) if mean and std is not None else None,
        n=n,
        n_missing=n_missing,
    )


@lru_cache(maxsize=256)
def t_95(n: int) -> float:
    """Return the 97.5 % point of Student's t for the mean of n values, n > 1.

    Abramowitz and Stegun, 26.7.5 from the normal distribution; where that is not exact yet, Newton's steps on the
    finite sums of 26.7.3 and 26.7.4. SciPy has it too, and takes longer to import than a hundred runs to read.

    >>> round(t_95(3), 4), round(t_95(1000), 4)
    (4.3027, 1.9623)
    """
    free, x = n - 1, 1.959963984540054  # of the normal distribution
    expansion = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    t: float = x + sum(part / free**power for power, part in enumerate(expansion, start=1))
    peak = 2 * math.exp(math.lgamma((free + 1) / 2) - math.lgamma(free / 2)) / math.sqrt(free * math.pi)
    for _ in range(0 if free > 2000 else 8):
        t += (0.95 - _within(t, free)) / (peak * (1 + t * t / free) ** (-(free + 1) / 2))
    return t


def _within(t: float, free: int) -> float:
    """Return the probability that Student's t with so many degrees of freedom lies within ±t."""
    angle = math.atan(t / math.sqrt(free))
    square, odd = math.cos(angle) ** 2, free % 2
    term = total = (math.cos(angle) if free > 1 else 0.0) if odd else 1.0
    for k in range(3 if odd else 2, free, 2):
        term *= square * (k - 1) / k
        total += term
    return (angle + math.sin(angle) * total) * 2 / math.pi if odd else math.sin(angle) * total


def grouped(runs: Iterable[Run], key: Callable[[Run], Key]) -> dict[Key, list[Run]]:
    """Return the runs by what a key makes of each, in order of appearance."""
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def aggregate_all(runs: Sequence[Run]) -> dict[str, Aggregate]:
    """Aggregate every metric that any run has, sorted by name; a run without it counts as undefined."""
    names = sorted({name for run in runs for name in run.metrics})
    return {name: aggregate([run.metrics.get(name) for run in runs]) for name in names}


def aggregate_classes(runs: Sequence[Run]) -> dict[str, dict[str, Aggregate]]:
    """Aggregate every metric of every class over the runs that have metrics per class, in order of appearance."""
    having = [run for run in runs if run.per_class]
    classes = list(dict.fromkeys(of for run in having for of in run.per_class))
    metrics = list(dict.fromkeys(name for run in having for values in run.per_class.values() for name in values))
    nothing: Mapping[str, float | None] = {}
    found: dict[str, dict[str, Aggregate]] = {}
    for of in classes:
        over_runs = [run.per_class.get(of, nothing) for run in having]
        found[of] = {name: aggregate([values.get(name) for values in over_runs]) for name in metrics}
    return found


def ranked(runs: Sequence[Run], metric: str, *, lower: bool) -> list[Ranked]:
    """Return the runs that define a metric, best first; equal ones in order of their names."""
    values = [Ranked(run.name, value) for run in runs if (value := run.metrics.get(metric)) is not None]
    return sorted(values, key=lambda item: (item.value if lower else -item.value, item.run))


def best_and_worst(runs: Sequence[Run], metric: str, *, lower: bool) -> tuple[Ranked | None, Ranked | None]:
    """Return the best and worst run by a metric, None where no run defines it; ties go to the first, and are reported.

    Ties are of numbers as they are written: a report that rounds must not win by its rounding.
    There is no worst run where all have the same value, or only one has any: it would be the best one too.
    """
    order = ranked(runs, metric, lower=lower)
    if not order:
        return None, None
    best, worst = (_with_ties(order, end.value) for end in (order[0], order[-1]))
    return best, None if worst.run == best.run else worst


def _with_ties(order: Sequence[Ranked], value: float) -> Ranked:
    """Return the first run that has a value, with the others; what is written alike is alike."""
    written = rounded(value)
    same = sorted((item for item in order if rounded(item.value) == written), key=lambda item: item.run)
    return Ranked(same[0].run, same[0].value, tuple(item.run for item in same[1:]))

"""Choosing one policy: hard constraints, the Pareto front of what is left, the point nearest to utopia."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exaid_evals.calibration.simulate import Flags, Policy
from exaid_evals.calibration.sweep import Floats
from exaid_evals.config.metrics import CalibrationConfig
from exaid_evals.errors import DataError

FIRST_FLUSH = {"conversation": "time_to_first_flush_ms", "turn": "turn_to_first_flush_ms"}
"""`first_flush` of the configuration → the measure."""

TIE_ORDER = (
    "earlier first flush, fewer flushes, larger median chunk, shorter worst wait, smaller undersized share, then the "
    "smaller min_words, max_words, silence_ms, max_wait_ms: of limits that make no difference here, the tighter one"
)
_DISTANCE_DECIMALS = 9
"""Distances that agree so far are a tie; the rest is the arithmetic's."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A measure to make small, or large."""

    measure: str
    larger_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of p policies is taken, and how it came to that.

    Attributes:
        undersize_words: below which a flush was undersized.
        objectives: what was traded off.
        measures: measure → (p,) values.
        broken: constraint → (p,) whether a policy breaks it.
        survivors: (p,) policies that break none.
        front: (p,) survivors that no survivor dominates.
        ranges: per objective, the survivors' percentiles that became 0 (good) and 1 (bad).
        distance: (p,) normalised distance of survivors from utopia; NaN for the others.
        index: of the chosen policy.
    """

    undersize_words: int
    objectives: tuple[Objective, ...]
    measures: Mapping[str, Floats]
    broken: Mapping[str, Flags]
    survivors: Flags
    front: Flags
    ranges: tuple[tuple[float, float], ...]
    distance: Floats
    index: int


def objectives_of(config: CalibrationConfig) -> tuple[Objective, ...]:
    """Return what is traded off: promptness, interruptions, context."""
    return (
        Objective(FIRST_FLUSH[config.first_flush]),
        Objective("flushes_per_case"),
        Objective("chunk_words_p50", larger_is_better=True),
    )


def choose(
    policies: Sequence[Policy], measures: Mapping[str, Floats], config: CalibrationConfig, *, undersize_words: int
) -> Choice:
    """Choose a policy.

    The survivors' objectives are normalised by their 5th and 95th percentile (as configured) and clipped, so that 0 is
    as good as the best survivors and 1 as bad as the worst; utopia is 0 in each. The point of the Pareto front with
    the smallest Euclidean distance wins, ties by `TIE_ORDER`.

    Args:
        policies: p of them.
        measures: from `Sweep.measures`, for this `undersize_words`.
        config: constraints and objectives.
        undersize_words: noted in the result.

    Raises:
        DataError: no policy survives; says which constraint refuses how many.
    """
    broken = {name: measures[name] > limit for name, limit in config.constraints.limits.items()}
    survivors = ~np.any([np.zeros(len(policies), dtype=np.bool_), *broken.values()], axis=0)
    if not survivors.any():
        raise _nobody(measures, broken, config)
    objectives = objectives_of(config)
    # All to be made small from here on.
    costs = np.stack([-measures[o.measure] if o.larger_is_better else measures[o.measure] for o in objectives], axis=1)
    front = np.zeros(len(policies), dtype=np.bool_)
    front[survivors] = pareto_front(costs[survivors])
    bounds = np.percentile(costs[survivors], config.normalise_percentiles, axis=0)
    distance = np.full(len(policies), np.nan)
    distance[survivors] = np.linalg.norm(normalised(costs[survivors], bounds), axis=1)
    index = min(np.flatnonzero(front).tolist(), key=lambda i: _rank(i, policies, measures, costs, distance))
    ranges = tuple((abs(float(good)), abs(float(bad))) for good, bad in bounds.T)  # every measure is 0 or more
    return Choice(undersize_words, objectives, measures, broken, survivors, front, ranges, distance, index)


def pareto_front(costs: Floats) -> NDArray[np.bool_]:
    """Return (n,) whether no other point is as good in every objective and better in one; equals stay together.

    Args:
        costs: (n, k), to be made small.
    """
    distinct, where = np.unique(costs, axis=0, return_inverse=True)
    no_worse = np.all(distinct[:, None, :] <= distinct[None, :, :], axis=2)
    np.fill_diagonal(no_worse, val=False)
    return np.asarray(~no_worse.any(axis=0)[where.reshape(-1)])


def normalised(costs: Floats, bounds: Floats) -> Floats:
    """Return (n, k) in 0 … 1 between the (2, k) bounds of each column, clipped; a column without extent is 0."""
    low, high = bounds
    extent = np.where(high > low, high - low, 1.0)
    return np.asarray(np.where(high > low, np.clip((costs - low) / extent, 0.0, 1.0), 0.0))


def _rank(
    index: int, policies: Sequence[Policy], measures: Mapping[str, Floats], costs: Floats, distance: Floats
) -> tuple[object, ...]:
    return (
        round(float(distance[index]), _DISTANCE_DECIMALS),
        tuple(costs[index].tolist()),
        float(measures["worst_wait_ms"][index]),
        float(measures["undersized_share"][index]),
        policies[index],
    )


def _nobody(measures: Mapping[str, Floats], broken: Mapping[str, Flags], config: CalibrationConfig) -> DataError:
    lines = []
    n_broken = np.sum(list(broken.values()), axis=0)
    for name, refused in broken.items():
        alone = int(np.sum(refused & (n_broken == 1)))
        limit, best = config.constraints.limits[name], float(measures[name].min())
        lines.append(
            f"  - {name} ≤ {limit:g} refuses {int(refused.sum())} ({alone} by itself); the best policy has {best:.6g}"
        )
    return DataError(
        f"none of {len(n_broken)} policies keeps every constraint:\n" + "\n".join(lines) + "\n",
        where="calibration: constraints",
        remedy="loosen a constraint, or widen the grid, in calibration.yaml",
    )

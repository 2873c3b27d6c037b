"""Every policy of the grid over every case, and which of them is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.manifest import TraceEntry
from exaid_evals.calibration.simulate import REASONS, TIMERS, Flags, Ints, Policy, Simulator, word_stream
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import CalibrationConfig
from exaid_evals.errors import DataError
from exaid_evals.execution.choose import executor
from exaid_evals.traces.model import Trace, read_trace

Floats = NDArray[np.float64]


class CaseCounts(NamedTuple):
    """What p policies did in one case.

    Attributes:
        has_words: whether there was anything to flush.
        first_ms: (p,) time of the first flush; 0 without words.
        n_turns: messages with words.
        turn_ms: (p,) sum over them of the time from a turn's first word to its first flush.
        sizes: (p, largest max_words + 1) number of flushes of each size in words.
        reasons: (p, len(REASONS)) number of flushes for each reason.
        worst_wait_ms: (p,) longest time from a chunk's first word to its flush.
    """

    has_words: bool
    first_ms: Ints
    n_turns: int
    turn_ms: Ints
    sizes: Ints
    reasons: Ints
    worst_wait_ms: Ints


@dataclass(frozen=True, slots=True)
class Sweep:
    """What p policies did over all cases.

    Attributes:
        policies: in ascending order.
        n_cases: cases with words; each has flushes under every policy.
        n_wordless: cases whose conversation has no word; they enter no mean.
        first_ms: (p,) sum over cases of the time of the first flush.
        n_turns: messages with words, over all cases.
        turn_ms: (p,) sum over them of the time from a turn's first word to its first flush.
        sizes: (p, largest max_words + 1) number of flushes of each size in words.
        reasons: (p, len(REASONS)) number of flushes for each reason.
        worst_wait_ms: (p,) longest time from a chunk's first word to its flush, in any case.
    """

    policies: tuple[Policy, ...]
    n_cases: int
    n_wordless: int
    first_ms: Ints
    n_turns: int
    turn_ms: Ints
    sizes: Ints
    reasons: Ints
    worst_wait_ms: Ints

    @property
    def n_flushes(self) -> Ints:
        """Return (p,): flushes over all cases."""
        return np.asarray(self.sizes.sum(axis=1))

    def measures(self, undersize_words: int) -> dict[str, Floats]:
        """Return measure → (p,) values, in the order of the tables.

        `time_to_first_flush_ms` and `flushes_per_case` are means over cases, `turn_to_first_flush_ms` is one over
        turns. Sizes and shares are of all flushes of all cases together; percentiles interpolate linearly, as
        NumPy's do.

        Args:
            undersize_words: a flush of fewer words is undersized.
        """
        n = self.n_flushes
        return {
            "time_to_first_flush_ms": self.first_ms / self.n_cases,
            "turn_to_first_flush_ms": self.turn_ms / self.n_turns,
            "flushes_per_case": n / self.n_cases,
            **{f"chunk_words_p{q}": percentile(self.sizes, q) for q in (50, 90, 95)},
            "undersized_share": self.sizes[:, :undersize_words].sum(axis=1) / n,
            "timer_share": self.reasons[:, list(TIMERS)].sum(axis=1) / n,
            "worst_wait_ms": self.worst_wait_ms.astype(np.float64),
        }


def sweep(
    campaign: Campaign,
    entries: Sequence[TraceEntry],
    policies: Sequence[Policy],
    *,
    chars_per_second: float,
    jobs: int = 1,
    cluster: str | None = None,
    on_case: Callable[[str], None] = lambda _: None,
) -> Sweep:
    """Run every policy over every successful case of a campaign.

    Args:
        campaign: where the traces lie, verified.
        entries: its successful traces.
        policies: what to try.
        chars_per_second: speed of text whose stream was not recorded.
        jobs: cases at the same time; no number depends on it.
        cluster: where they are replayed, as `execution.choose.executor` takes it.
        on_case: called with each finished case.

    Raises:
        DataError: a trace is damaged, or there is no word in any.
    """
    build = partial(CaseWorker, campaign.root, tuple(policies), chars_per_second)
    ids = [entry.case_id for entry in entries]

    def counted() -> Iterator[CaseCounts]:
        for case_id, counts in executor(jobs, cluster).map_ordered(build, ids):
            on_case(case_id)
            yield counts

    return joined_counts(policies, counted(), where=str(campaign.root))


def joined_counts(policies: Sequence[Policy], cases: Iterable[CaseCounts], *, where: str | None = None) -> Sweep:
    """Return what the policies did over all cases.

    Raises:
        DataError: there is no word in any.
    """
    total: CaseCounts | None = None
    n_cases = n_wordless = 0
    for counts in cases:
        if counts.has_words:
            n_cases += 1
            total = counts if total is None else _joined(total, counts)
        else:
            n_wordless += 1
    if total is None:
        raise DataError("there is no word to calibrate on", where=where, remedy="name other --traces")
    return Sweep(
        policies=tuple(policies),
        n_cases=n_cases,
        n_wordless=n_wordless,
        first_ms=total.first_ms,
        n_turns=total.n_turns,
        turn_ms=total.turn_ms,
        sizes=total.sizes,
        reasons=total.reasons,
        worst_wait_ms=total.worst_wait_ms,
    )


class CaseWorker:
    """Counts what the policies do in a case; it survives pickling, for other processes."""

    def __init__(self, root: Path, policies: tuple[Policy, ...], chars_per_second: float) -> None:
        self._campaign = Campaign(root)
        self._speed = chars_per_second
        self._simulator = Simulator(policies)
        self._n_policies = len(policies)
        self._width = max(policy.max_words for policy in policies) + 1

    def __call__(self, case_id: str) -> CaseCounts:
        """Read a case's trace and count."""
        return self.count(read_trace(self._campaign.trace_file(case_id)))

    def count(self, trace: Trace) -> CaseCounts:
        """Count in a trace."""
        stream = word_stream(trace, self._speed)
        flushes = self._simulator.flushes(stream)
        p = self._n_policies
        first = np.zeros(p, dtype=np.int64)
        turns = np.zeros(p, dtype=np.int64)
        worst = np.zeros(p, dtype=np.int64)
        waits = flushes.t_ms - flushes.begun_ms
        has_words = flushes.policy.size > 0
        if has_words:
            # Sorted by policy, then time: a policy's first flush stands at its first place.
            first = flushes.t_ms[np.searchsorted(flushes.policy, np.arange(p))]
            opens = np.isin(flushes.start, stream.starts)
            np.add.at(turns, flushes.policy[opens], waits[opens])
            np.maximum.at(worst, flushes.policy, waits)
        return CaseCounts(
            has_words=has_words,
            first_ms=first,
            n_turns=len(stream.starts),
            turn_ms=turns,
            sizes=_histogram(flushes.policy, flushes.words, (p, self._width)),
            reasons=_histogram(flushes.policy, flushes.reason, (p, len(REASONS))),
            worst_wait_ms=worst,
        )


def percentile(sizes: Ints, q: int) -> Floats:
    """Return (p,) the q-th percentile of each row of a histogram, interpolated linearly.

    >>> percentile(np.array([[0, 1, 0, 1], [0, 0, 3, 1]]), 50).tolist()
    [2.0, 2.0]

    Args:
        sizes: (p, w) how often each of the values 0 … w − 1 occurs; no row is empty.
        q: 0 … 100.
    """
    below = np.cumsum(sizes, axis=1)
    # Whole numbers as long as possible, so that no rounding of q/100 decides which value is taken.
    position, part = np.divmod((below[:, -1] - 1) * q, 100)
    low = (below > position[:, None]).argmax(axis=1)
    high = (below > np.minimum(position + 1, below[:, -1] - 1)[:, None]).argmax(axis=1)
    return np.asarray(low + (high - low) * (part / 100.0))


def _histogram(rows: Ints, columns: Ints, shape: tuple[int, int]) -> Ints:
    counts = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    return np.asarray(counts.reshape(shape))


def _joined(one: CaseCounts, other: CaseCounts) -> CaseCounts:
    return CaseCounts(
        has_words=True,
        first_ms=one.first_ms + other.first_ms,
        n_turns=one.n_turns + other.n_turns,
        turn_ms=one.turn_ms + other.turn_ms,
        sizes=one.sizes + other.sizes,
        reasons=one.reasons + other.reasons,
        worst_wait_ms=np.maximum(one.worst_wait_ms, other.worst_wait_ms),
    )


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

"""Two systems on the same items: per task and metric the paired difference, its test, and what to read first.

Only items that both logs have are compared; what kept the others out is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.item_scores.base import Item, Log
from exaid_evals.runs.metric_names import direction_of
from exaid_evals.stats.descriptive import holm
from exaid_evals.stats.paired import MeanDifference, mcnemar_p, mean_difference, sign_flip_p

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Pair:
    """One item as both systems answered it."""

    a: Item
    b: Item


@dataclass
class Aligned:
    """The items of one task that both logs have.

    Attributes:
        task: its name.
        a, b: the logs.
        pairs: in the order of A.
        kept_out: reason → keys of the items it kept out.
    """

    task: str
    a: Log
    b: Log
    pairs: list[Pair] = field(default_factory=list)
    kept_out: dict[str, list[Key]] = field(default_factory=dict)


def align(a: Sequence[Log], b: Sequence[Log], *, by_id_alone: bool = False) -> tuple[list[Aligned], list[str]]:
    """Return the tasks that both sides have with their items, and the warnings.

    A lone task of each side is compared whatever it is called.

    Raises:
        DataError: no task is common, or no item of any.
    """
    of_b = {log.task: log for log in b}
    shared = [(log.task, log, of_b[log.task]) for log in a if log.task in of_b]
    warnings = []
    if not shared and len(a) == len(b) == 1:
        name = a[0].task or b[0].task
        if a[0].task and b[0].task:
            name = f"{a[0].task} / {b[0].task}"
            warnings.append(
                f"the tasks bear different names, {a[0].task!r} and {b[0].task!r}; their items are compared"
            )
        shared = [(name, a[0], b[0])]
    if not shared:
        names = [", ".join(sorted(log.task for log in side)[:5]) for side in (a, b)]
        raise DataError(f"no task is common: A has {names[0]}, B has {names[1]}", remedy="name logs of the same tasks")
    for side, logs, others in (("A", a, of_b), ("B", b, {log.task for log in a})):
        alone = sorted(log.task for log in logs if log.task not in others) if len(shared) < len(logs) else []
        if alone:
            warnings.append(f"tasks that {side} alone has: {first_few(alone, 8, ' …')}")
    aligned = [_items(task, one, other, by_id_alone) for task, one, other in sorted(shared, key=lambda one: one[0])]
    for side, logs in (("A", a), ("B", b)):
        warnings += [f"{side}, {log.file}: {warning}" for log in logs for warning in log.warnings]
    if not any(one.pairs for one in aligned):
        reasons = "; ".join(
            f"{reason} ({len(keys)})" for one in aligned[:3] for reason, keys in sorted(one.kept_out.items())
        )
        remedy = (
            "name logs of the same items, or align by ids alone with --by-id" if "under one id" in reasons else None
        )
        raise DataError(f"no item is common: {reasons}", remedy=remedy or "name logs of the same items")
    return aligned, warnings


def _items(task: str, a: Log, b: Log, by_id_alone: bool) -> Aligned:
    found = Aligned(task, a, b)
    sides: list[Mapping[Key, Item]] = []
    for side, log in (("A", a), ("B", b)):
        items: dict[Key, Item] = {}
        for item in log.items:
            key = item.id, item.epoch
            if key in items:
                _keep_out(found, f"duplicate in {side}, of which the first counts", key)
            items.setdefault(key, item)
        sides.append(items)
    of_a, of_b = sides
    for key, item in of_a.items():
        other = of_b.get(key)
        if other is None:
            _keep_out(found, "in A alone", key)
            continue
        failures = [f"{one.failure} in {side}" for side, one in (("A", item), ("B", other)) if one.failure]
        if failures:
            _keep_out(found, " and ".join(failures), key)
        elif not by_id_alone and None not in (item.content, other.content) and item.content != other.content:
            _keep_out(found, "another question or target under one id", key)
        else:
            found.pairs.append(Pair(item, other))
    for key in of_b:
        if key not in of_a:
            _keep_out(found, "in B alone", key)
    return found


def _keep_out(found: Aligned, reason: str, key: Key) -> None:
    found.kept_out.setdefault(reason, []).append(key)


ALPHA = 0.05
ITEM, NONE = "item", "none"
Direction = str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one task.

    Attributes:
        task, metric: names.
        direction: `higher` or `lower` is better; None where neither the log nor the name says it.
        pairs: those with a number on both sides.
        undefined: items kept out since a side has no number.
        clusters: cluster of each pair, by number; None where each item is its own.
        mean_a, mean_b: over the pairs.
        difference: B less A.
        test: `McNemar`, or `permutation`; with clusters whole clusters change places.
        p, p_exact: of that test; `p` is the mid-p where there is one. None where no item differs.
        p_holm: adjusted over all comparisons of one report.
        gained, lost: items on which B scores higher, and lower.
    """

    task: str
    metric: str
    direction: Direction
    pairs: Sequence[Pair]
    undefined: int
    clusters: NDArray[np.int64] | None
    mean_a: float
    mean_b: float
    difference: MeanDifference
    test: str
    p: float | None
    p_exact: float | None
    gained: int
    lost: int
    p_holm: float | None = None

    @property
    def better(self) -> str | None:
        """`A` or `B`, where the difference is significant after Holm and a direction is known; else None."""
        if self.direction is None or self.p_holm is None or self.p_holm > ALPHA or not self.difference.value:
            return None
        return "B" if (self.difference.value > 0) == (self.direction == "higher") else "A"

    def differences(self) -> NDArray[np.float64]:
        """Return B less A of each pair."""
        return np.array([score(pair.b, self.metric) - score(pair.a, self.metric) for pair in self.pairs])


def score(item: Item, metric: str) -> float:
    """Return a score that is known to be there."""
    value = item.scores[metric]
    assert value is not None  # noqa: S101 - pairs without one are left out
    return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How two logs are compared.

    Attributes:
        metrics: only these; empty: all that both sides have, but for those that restate another.
        cluster: key of an item's facts that says what belongs together; `item`: epochs of one item do; `none`: nothing
            does; None: `item` where items have several epochs.
        seed: of the permutations that are drawn.
    """

    metrics: Sequence[str] = ()
    cluster: str | None = None
    seed: int = 42


def compare(aligned: Sequence[Aligned], settings: Settings) -> list[Comparison]:
    """Return the comparisons, with p adjusted over all of them.

    Raises:
        ConfigError: no metric is common, one that is named is not there, or no item has the cluster's key.
    """
    found = []
    for task in aligned:
        for metric in _metrics(task, settings.metrics):
            one = _of_metric(task, metric, settings)
            if one is not None:
                found.append(one)
    missing = sorted(set(settings.metrics) - {one.metric for one in found})
    if missing or not found:
        there = sorted(
            {metric for task in aligned for pair in task.pairs for metric in (*pair.a.scores, *pair.b.scores)}
        )
        what = f"no metric {missing[0]!r} on both sides" if missing else "no metric has numbers on both sides"
        raise ConfigError(what, where="--metric", remedy=f"there are {', '.join(there[:12]) or 'none'}")
    tested = [one for one in found if one.p is not None]
    adjusted = dict(zip(map(id, tested), holm([one.p for one in tested if one.p is not None]), strict=True))
    return [replace(one, p_holm=adjusted.get(id(one))) for one in found]


def _metrics(task: Aligned, wanted: Sequence[str]) -> list[str]:
    """Return the metrics to compare, in the order of A: those named, or all but what restates another one."""
    of_a = dict.fromkeys(metric for pair in task.pairs for metric in pair.a.scores)
    of_b = {metric for pair in task.pairs for metric in pair.b.scores}
    shared = [metric for metric in of_a if metric in of_b]
    if wanted:
        return [metric for metric in shared if metric in wanted]
    restated = {**task.a.restates, **task.b.restates}
    return [metric for metric in shared if restated.get(metric) not in shared]


def _of_metric(task: Aligned, metric: str, settings: Settings) -> Comparison | None:
    pairs = [pair for pair in task.pairs if None not in (pair.a.scores.get(metric), pair.b.scores.get(metric))]
    if not pairs:
        return None
    a = np.array([score(pair.a, metric) for pair in pairs])
    b = np.array([score(pair.b, metric) for pair in pairs])
    differences = b - a
    clusters = _clusters(pairs, settings.cluster)
    gained, lost = int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
    binary = bool(np.isin(a, (0.0, 1.0)).all() and np.isin(b, (0.0, 1.0)).all())
    if binary and clusters is None:
        test, both = "McNemar", mcnemar_p(gained, lost)
    else:
        test = "permutation" if clusters is None else "permutation of clusters"
        both = sign_flip_p(differences, np.random.default_rng(settings.seed), clusters)
    p_exact, p = both or (None, None)
    return Comparison(
        task=task.task,
        metric=metric,
        direction=_direction(task, metric),
        pairs=pairs,
        undefined=len(task.pairs) - len(pairs),
        clusters=clusters,
        mean_a=float(a.mean()),
        mean_b=float(b.mean()),
        difference=mean_difference(differences, clusters),
        test=test,
        p=p,
        p_exact=p_exact,
        gained=gained,
        lost=lost,
    )


def _direction(task: Aligned, metric: str) -> Direction:
    for log in (task.a, task.b):
        if metric in log.lower_is_better | log.higher_is_better:
            return "lower" if metric in log.lower_is_better else "higher"
    return direction_of(metric.partition("@")[0])


def _clusters(pairs: Sequence[Pair], key: str | None) -> NDArray[np.int64] | None:
    """Return the number of each pair's cluster; None where each pair is its own."""
    if key is None:
        key = ITEM if len({pair.a.id for pair in pairs}) < len(pairs) else NONE
    if key == NONE:
        return None
    if key == ITEM:
        names: list[object] = [pair.a.id for pair in pairs]
    else:
        known = [_facts(pair) for pair in pairs]
        if not any(key in facts for facts in known):
            there = ", ".join(sorted(dict.fromkeys(name for facts in known[:100] for name in facts))[:12])
            raise ConfigError(f"no item has {key!r}", where="--cluster", remedy=f"there are {there or 'none'}")
        # What has no such key belongs to nothing but itself, with its other epochs.
        names = [
            ("of", str(facts[key])) if key in facts else pair.a.id for pair, facts in zip(pairs, known, strict=True)
        ]
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _facts(pair: Pair) -> Mapping[str, object]:
    return {**pair.b.facts, **pair.a.facts}


def unclustered(pairs: Sequence[Pair], key: str) -> int:
    """Return how many pairs lack the key that says what belongs together."""
    return sum(key not in _facts(pair) for pair in pairs)


def read_first(comparison: Comparison, most: int) -> list[tuple[Pair, float]]:
    """Return the items on which the two differ most, with B less A; of equal ones, those of either side take turns."""
    ranked = sorted(zip(comparison.pairs, comparison.differences().tolist(), strict=True), key=lambda one: -abs(one[1]))
    for_b = [one for one in ranked if one[1] > 0]
    for_a = [one for one in ranked if one[1] < 0]
    turns: list[tuple[Pair, float]] = []
    for place in range(max(len(for_a), len(for_b))):
        turns += [*for_a[place : place + 1], *for_b[place : place + 1]]
    return sorted(turns, key=lambda one: -abs(one[1]))[:most]

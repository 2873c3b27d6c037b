"""Which items two logs share, and what kept the others out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exaid_evals.errors import DataError
from exaid_evals.item_scores.base import Item, Log

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
            warnings.append(f"tasks that {side} alone has: {', '.join(alone[:8])}{' …' if len(alone) > 8 else ''}")
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

"""What W&B's rows hold besides numbers, alike for runs on disk and on a server: media, and system metrics by time."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.runs.files.wandb_log import flat
from exaid_evals.runs.history import Series, series_of
from exaid_evals.runs.rows import split_system

Row = Mapping[str, Any]
STEP, TIME = "_step", "_timestamp"


def logged(rows: Iterable[Row], warnings: list[str]) -> list[dict[str, Any]]:
    """Return rows with dotted keys, without media and what wandb notes of itself.

    W&B logs an image, a histogram or a table as an object with a `_type`, whose width and size are not metrics of the
    training; how many were left out is told in `warnings`.
    """
    found: list[dict[str, Any]] = []
    left_out: Counter[tuple[str, str]] = Counter()
    for row in rows:
        dotted: dict[str, Any] = {}
        for key, value in row.items():
            dotted |= flat(str(key), value)
        media = {key.removesuffix("._type"): str(value) for key, value in dotted.items() if key.endswith("._type")}
        left_out.update(media.items())
        hidden = tuple(f"{name}." for name in (*media, "_wandb"))
        found.append({key: value for key, value in dotted.items() if not f"{key}.".startswith(hidden)})
    warnings += [
        f"{name}: {count} rows hold a {kind}, which is not a metric; they are left out"
        for (name, kind), count in left_out.items()
    ]
    return found


def system_series(events: Sequence[Row], rows: Sequence[Row], warnings: list[str]) -> dict[str, Series]:
    """Return system metric → series, without W&B's prefix `system.`.

    System metrics are sampled by the clock: each gets the step of the last row of history before it, and of several
    that fall on one step the last counts. Those that cannot be placed are told of.

    Args:
        events: rows with `_timestamp`, in s since the epoch.
        rows: of history, with `_step` and `_timestamp`.
        warnings: takes what is left out.
    """
    timed = sorted((float(row[TIME]), float(row[STEP])) for row in rows if _has(row, TIME, STEP))
    times = [time for time, _ in timed]
    placed: dict[float, dict[str, Any]] = {}
    lost = replaced = 0
    for event in sorted((event for event in events if _has(event, TIME)), key=lambda event: float(event[TIME])):
        if not timed:
            lost += 1
            continue
        at = max(bisect.bisect_right(times, float(event[TIME])) - 1, 0)
        values = {key: value for key, value in event.items() if not key.startswith("_")}
        there = placed.setdefault(timed[at][1], {})
        replaced += len(there.keys() & values.keys())
        there.update(values)
    lost += sum(not _has(event, TIME) for event in events)
    if lost:
        warnings.append(f"{lost} rows of system metrics have no time that a step could be told by; they are left out")
    if replaced:
        warnings.append(f"{replaced} values of system metrics fall on a step that has a later one, which counts")
    metrics, prefixed = split_system(series_of(sorted(placed.items())))
    return {**metrics, **prefixed}


def _has(row: Row, *names: str) -> bool:
    return all(isinstance(row.get(name), int | float) for name in names)

"""Rows of a table that sum up others: a mean below the seeds of a model, a deviation at the end.

Models are called so too: `mean` of poolings and of forecasts, `SE` of attentions, `VAR` of time series. What sums up
others is therefore held against them.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.runs.history import LARGEST
from exaid_evals.runs.rows import Row, simple

_CENTRES = frozenset(
    (
        *("mean", "avg", "avg.", "average", "median", "min", "max", "mittelwert", "durchschnitt", "moyenne", "ø"),
        *("macro_avg", "overall_average"),
    )
)
_SPREADS = frozenset(
    (
        *("std", "sd", "std.", "stdev", "stddev", "std_dev", "se", "sem", "standard_deviation", "standardabweichung"),
        *("écart-type", "std._dev.", "variance", "var"),
    )
)
_SURELY = frozenset(("mean_±_std", "mean±std", "ci95"))
_OF_METRIC = ("metric", "metric_name", "dataset")
_OF_RANGE, _ROUNDED = 0.03, 0.003
_WIDEST = 0.75
"""Of the range: a deviation is largest where two values lie at its ends, and is √½ of it then."""


def summary_rows(rows: Sequence[Row], columns: Sequence[str]) -> dict[int, str]:
    """Return place → name of the rows that are called as a summary is, and whose numbers are those of one.

    Args:
        rows: of the table.
        columns: that tell runs apart.
    """
    called: dict[int, str] = {}
    for at, row in enumerate(rows):
        label = next((one for one in columns if simple(str(row.get(one))) in _CENTRES | _SPREADS | _SURELY), None)
        if label is not None:
            called[at] = label
    if not called:
        return {}
    others = [row for at, row in enumerate(rows) if at not in called]
    shared = [*columns, *(name for name in rows[0] if simple(name) in _OF_METRIC and name not in columns)]
    blocks: dict[tuple[str, ...], dict[tuple[str, ...], list[Row]]] = {}
    measured: dict[tuple[tuple[str, ...], tuple[str, ...]], dict[str, tuple[float, ...]]] = {}
    found: dict[int, str] = {}
    for at, label in called.items():
        row = rows[at]
        names = tuple(one for one in shared if one != label and row.get(one) is not None)
        if names not in blocks:
            blocks[names] = _by(names, others)
        key = _key(names, row)
        if (names, key) not in measured:
            measured[names, key] = _measures(blocks[names].get(key, others))
        if _sums_up(row, simple(str(row[label])), measured[names, key]):
            found[at] = str(row[label])
    return found


def _key(names: Sequence[str], row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(one)) for one in names)


def _by(names: Sequence[str], rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[_key(names, row)].append(row)
    return found


def _measures(rows: Sequence[Row]) -> dict[str, tuple[float, ...]]:
    """Return column → least and greatest number, mean and median."""
    held: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            if (one := _number(value)) is not None:
                held[name].append(one)
    return {
        name: (min(some), max(some), math.fsum(one / len(some) for one in some), statistics.median(some))
        for name, some in held.items()
    }


def _sums_up(row: Row, label: str, measured: Mapping[str, tuple[float, ...]]) -> bool:
    """Return whether at least half of the numbers of a row are what its name says; true where it has none."""
    held = [
        (one, measured[name]) for name, value in row.items() if name in measured and (one := _number(value)) is not None
    ]
    if label in _SURELY or not held:
        return True
    right = sum(_is_spread(one, beside) if label in _SPREADS else _is_centre(one, beside) for one, beside in held)
    return 2 * right >= len(held)


def _is_centre(value: float, beside: tuple[float, ...]) -> bool:
    least, greatest, *_ = beside
    return any(abs(value - one) <= max(_OF_RANGE * (greatest - least), _ROUNDED * abs(one)) for one in beside)


def _is_spread(value: float, beside: tuple[float, ...]) -> bool:
    least, greatest, *_ = beside
    return 0 <= value <= max(_WIDEST * (greatest - least), _ROUNDED * abs(greatest))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) <= LARGEST else None

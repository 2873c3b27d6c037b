"""Values of parsed documents and tables: as JSON has them, as mappings, and as numbers that can be computed with."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.config.mapping_file import leaves

if TYPE_CHECKING:
    from exaid_evals.runs.history import Column


def plain(value: Any, deep: int = 0) -> Any:
    """Return a value as JSON has it: what it has no form for, or is nested too deeply, as text."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and deep < 20:
        return {str(key): plain(item, deep + 1) for key, item in value.items()}
    if isinstance(value, list | tuple) and deep < 20:
        return [plain(item, deep + 1) for item in value]
    return str(value)


def mapping_of(value: Any) -> dict[str, Any]:
    """Return a mapping of a document; an empty one where something else stands."""
    return dict(value) if isinstance(value, Mapping) else {}


def mappings_of(value: Any) -> list[dict[str, Any]]:
    """Return the mappings in a list of a document; none where something else stands."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def numbers_of(values: Mapping[str, Any]) -> tuple[dict[str, float | None], list[str]]:
    """Return the numbers among values, and the names of those that are undefined (None, NaN or infinite)."""
    metrics: dict[str, float | None] = {}
    undefined = []
    for name, value in sorted(values.items()):
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            continue
        metrics[name] = finite_or_none(value)
        if metrics[name] is None:
            undefined.append(name)
    return metrics, undefined


def undefined_warning(names: list[str]) -> list[str]:
    """State which metrics are undefined."""
    return [f"{first_few(names, 5, ' …')}: no number (NaN, infinite or empty), left undefined"] if names else []


def finite_or_none(value: float | None) -> float | None:
    """Return a number that can be computed with; None of what is undefined, NaN, infinite or too large."""
    try:
        return float(value) if value is not None and math.isfinite(value) else None
    except OverflowError:
        return None


def uniform(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows that have the columns of all: what is nested by its path, what a row lacks as None."""
    flat = [leaves(row) for row in rows]
    names = dict.fromkeys(itertools.chain.from_iterable(flat))
    return [{name: row.get(name) for name in names} for row in flat]


_WITH_COMMA = re.compile(r"\s*[-+]?\d[\d.]*,\d+\s*%?\s*")
_WITH_POINT = re.compile(r"\s*[-+]?\d*\.\d+(?:[eE][-+]?\d+)?\s*%?\s*")
_GROUPED = re.compile(r"\s*[-+]?[1-9]\d{0,2}(?:\.\d{3})+\s*")


@dataclass
class Separators:
    """What stands between the digits of a column's cells, of which the whole file tells the meaning.

    Attributes:
        grouped: place → number of a cell such as `1.234`, if its points part thousands.
        commas, points: whether cells have a decimal comma, or a point that can only be a decimal one.
    """

    grouped: dict[int, float] = field(default_factory=dict)
    commas: bool = False
    points: bool = False

    def see(self, cells: Sequence[str], start: int) -> None:
        """Look at further cells, the first of which stands at a place."""
        for place, text in enumerate(cells, start=start):
            if "," in text:
                self.commas = self.commas or _WITH_COMMA.fullmatch(text) is not None
            elif "." in text and _GROUPED.fullmatch(text):
                self.grouped[place] = float(text.replace(".", ""))
            elif "." in text:
                self.points = self.points or _WITH_POINT.fullmatch(text) is not None


def part_thousands(columns: Mapping[str, Column], separators: Mapping[str, Separators]) -> Iterator[str]:
    """Read `1.234` as 1234 where the file writes decimal commas; yield a warning where the column itself has none."""
    for name, seen in separators.items() if any(one.commas for one in separators.values()) else ():
        shown = f"{name}: {next(iter(seen.grouped.values())):,.0f}".replace(",", ".") if seen.grouped else ""
        if shown and seen.points:
            yield f"{shown} is read with a decimal point, as others there must be, in a file of decimal commas"
            continue
        for place, value in seen.grouped.items():
            columns[name].put(place, value)
        if shown and not seen.commas:
            yield f"{shown} is read as thousands ({len(seen.grouped)} cells), since the file writes decimal commas"

"""Values of parsed documents: as JSON has them, as mappings, and as numbers that can be computed with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from exaid_evals.artifacts.printable import first_few


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

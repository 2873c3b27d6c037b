"""What readers of experiment trackers share: which values are metrics, where the seed stands, what is left out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# The settings under which scripts keep the seed, the first that is there.
_SEEDS = (
    "seed",
    "random_seed",
    "random_state",
    "args.seed",
    "train.seed",
    "training.seed",
    "trainer.seed",
    "rng_seed",
    "seed_everything",
    "manual_seed",
)


def seed_in(config: Mapping[str, Any]) -> int | None:
    """Return the seed among settings; text that is a whole number counts, for some trackers keep only text.

    >>> seed_in({"lr": 0.1, "seed": "7"}), seed_in({"seed": True}), seed_in({})
    (7, None, None)
    """
    for name in _SEEDS:
        value = config.get(name)
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
            return int(value)
        if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() and len(value) < 20:
            return int(value)
    return None


def is_seed(name: str) -> bool:
    """Tell whether a setting of a name is a seed.

    >>> is_seed("Random_Seed"), is_seed("seed_everything"), is_seed("seeds")
    (True, True, False)
    """
    return name.lower() in _SEEDS


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters without the seed, as plain data that JSON has a form for."""
    return {str(key): plain(value) for key, value in sorted(config.items()) if key not in _SEEDS}


def numbers_of(values: Mapping[str, Any]) -> tuple[dict[str, float | None], list[str]]:
    """Return the numbers among values, and the names of those that are undefined (None, NaN or infinite)."""
    metrics: dict[str, float | None] = {}
    undefined = []
    for name, value in sorted(values.items()):
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            continue
        number = None if value is None else _float(value)
        metrics[name] = number
        if number is None:
            undefined.append(name)
    return metrics, undefined


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


def undefined_warning(names: list[str]) -> list[str]:
    """State which metrics are undefined."""
    if not names:
        return []
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return [f"{shown}: no number (NaN, infinite or empty), left undefined"]


def _float(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None

"""Canonical JSON: the one text form of a structure, so that equal content has equal bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

FLOAT_DECIMALS = 6
_FINE_BELOW = 0.1
"""Below this six significant digits are finer than six decimals."""


def canonical_json(value: Any) -> str:
    r"""Return the canonical text of a structure.

    Keys sorted, separators `,` and `:`, non-ASCII characters as they are, floats rounded as `rounded` does.

    >>> canonical_json({"b": 0.1 + 0.2, "a": [-0.0, None, "é", 2.34567891e-8]})
    '{"a":[0.0,null,"é",2.34568e-08],"b":0.3}'

    Raises:
        ValueError: the structure holds NaN or infinity; what is undefined is written as None by its maker.
        TypeError: the structure holds something that JSON has no form for.
    """
    return json.dumps(_rounded(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def rounded(value: float) -> float:
    """Return a finite number with 6 decimals, or with 6 significant digits where that is finer; never -0.0.

    >>> rounded(1234.56789012), rounded(0.0123456789), rounded(-2.3e-8), rounded(-0.0)
    (1234.56789, 0.0123457, -2.3e-08, 0.0)
    """
    if -_FINE_BELOW < value < _FINE_BELOW:
        return float(f"{value:.{FLOAT_DECIMALS}g}") + 0.0  # + 0.0 turns -0.0 into 0.0
    return round(float(value), FLOAT_DECIMALS) + 0.0


def canonical_bytes(value: Any) -> bytes:
    """Return the canonical text as UTF-8."""
    return canonical_json(value).encode("utf-8")


def _rounded(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or value is None or kind is bool:
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no form in JSON; write None for what is undefined")
        return rounded(value)
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value

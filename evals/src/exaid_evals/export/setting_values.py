"""Settings of runs as they are compared and written: one number is one setting, however a file spells it."""

from __future__ import annotations

import math
import re
from typing import Any

from exaid_evals.artifacts.canonical import FLOAT_DECIMALS, canonical_json

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_KEPT = 1e-3
"""By what share of itself rounding may change a setting that is written as a number."""


def compared(value: Any) -> str:
    """Return the text by which a setting is held against that of another run; equal texts are equal settings.

    YAML reads `1e-4` as text and `1.0e-4` as a number, and a table turns 32 into 32.0: neither makes another run.

    >>> compared("1e-4") == compared(0.0001), compared(32) == compared(32.0), compared(1e-7) == compared(2e-7)
    (True, True, False)
    >>> compared("adam"), compared(True), compared([1e-8, "x"])
    ('adam', 'true', '[1e-08,x]')
    """
    if isinstance(value, str):
        text = value.strip()
        return compared(float(text)) if _NUMBER.fullmatch(text) and len(text) < 30 else value
    if isinstance(value, bool) or value is None:
        return canonical_json(value)
    if isinstance(value, int | float):
        whole = isinstance(value, int) or (math.isfinite(value) and value.is_integer())
        return str(int(value)) if whole else repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(compared, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{compared(value[key])}' for key in sorted(value))}}}"
    return str(value)


def written(value: Any) -> Any:
    """Return a setting as files hold it: as text where the rounding of all numbers would make another number of it.

    >>> written(1e-7), written(0.001), written(0.00161931)
    ('1e-07', 0.001, 0.00161931)
    """
    if isinstance(value, float) and math.isfinite(value):
        rounded = round(value, FLOAT_DECIMALS)
        return repr(value) if abs(rounded - value) > _KEPT * abs(value) else value
    return value

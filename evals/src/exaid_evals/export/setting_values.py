"""Settings of runs as they are compared: one number is one setting, however a file spells it."""

from __future__ import annotations

import math
import re
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


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

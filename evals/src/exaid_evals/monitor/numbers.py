"""What training loops log as numbers: Python's, NumPy's, tensors of one element."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Row = dict[str, float]
_TEXT = (str, bytes, bytearray, memoryview)


def row_of(metrics: Mapping[Any, Any], problem: Callable[[str], None]) -> Row:
    """Return the numbers among metrics, by name.

    Args:
        metrics: name → value, of any kind.
        problem: is told of each that is left out.
    """
    row: Row = {}
    for given, value in metrics.items():
        try:
            name = given if type(given) is str else str(given)
        except Exception:  # an object of the user's
            problem("a metric's name is not text")
            continue
        number = number_of(value)
        if number is None:
            problem(f"not a number: {name:.100}")
        else:
            row[name] = number
    return row


def number_of(value: Any) -> float | None:
    """Return a logged value as a float; None for what is not a number: text, None, a list, a tensor of elements.

    NaN and infinities are numbers here.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if value is None or isinstance(value, _TEXT):
        return None
    try:
        # A tensor that needs its gradient must be asked by item(): float() of it warns.
        item = getattr(value, "item", None)
        if item is None:
            return float(value)
        if getattr(value, "mask", False) is not False and bool(value.mask):
            return None  # NumPy's masked arrays give the number under the mask
        plain = item()
        return None if isinstance(plain, _TEXT) else float(plain)
    except Exception:  # whatever a foreign object raises, it is not a number
        return None

"""What training loops log as numbers: Python's, NumPy's, tensors of one element."""

from __future__ import annotations

from typing import Any

Row = dict[str, float]


def number_of(value: Any) -> float | None:
    """Return a logged value as a float; None for what is no number: text, None, a list, a tensor of several elements.

    NaN and infinities are numbers here.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if kind is str or kind is bytes or value is None:
        return None
    try:
        # A tensor that needs its gradient must be asked by item(): float() of it warns.
        item = getattr(value, "item", None)
        return float(value if item is None else item())
    except Exception:  # whatever a foreign object raises, it is no number
        return None

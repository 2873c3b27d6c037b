"""Words of which reports are made: counts, and probabilities."""

from __future__ import annotations

from collections.abc import Sequence


def counted(n: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "run"), counted(0, "group"), counted(3, "category")
    ('1 run', '0 groups', '3 categories')
    """
    if n == 1:
        return f"1 {noun}"
    return f"{n} {noun[:-1]}ies" if noun.endswith("y") else f"{n} {noun}s"


def p_is(p: float) -> str:
    """Return what a probability is, with its sign.

    >>> p_is(0.0312), p_is(1e-9)
    ('p = 0.031', 'p < 0.0001')
    """
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def listed(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """Return the first names, and how many more there are."""
    shown = between.join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

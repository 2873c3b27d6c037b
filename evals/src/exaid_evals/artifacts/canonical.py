"""Canonical JSON: the one text form of a structure, so that equal content has equal bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

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
    try:
        return _dumped(value).decode("utf-8")
    except TypeError:
        return _by_json(value)


def rounded(value: float) -> float:
    """Return a finite number with 6 decimals, or with 6 significant digits where that is finer; never -0.0.

    >>> rounded(1234.56789012), rounded(0.0123456789), rounded(-2.3e-8), rounded(-0.0)
    (1234.56789, 0.0123457, -2.3e-08, 0.0)
    """
    if -_FINE_BELOW < value < _FINE_BELOW and value:
        return float(f"{value:.{FLOAT_DECIMALS}g}")
    return round(float(value), FLOAT_DECIMALS) + 0.0  # which turns -0.0 into 0.0


def equal_as_rounded(recorded: float, made: float, terms: Iterable[float] = (), *, times: float = 1) -> bool:
    """Return whether a recorded number is what was made of recorded terms, up to what rounding each of them may do.

    Where all of them have six decimals at most, as earlier versions wrote them, they were rounded to so many.

    Args:
        recorded: the number.
        made: what the terms make.
        terms: what it was made of.
        times: by how much an error of a term is multiplied.

    >>> equal_as_rounded(0.333333, 1 / 3), equal_as_rounded(1.5e-6, 2e-8, [1e-8, 3e-8])
    (True, False)
    """
    if abs(recorded - made) <= 1e-9 * abs(made):
        return True
    held = [recorded, *terms]
    largest = max(map(abs, (*held, made)))
    fine = may_be_fine(largest) and any(map(is_fine, held))
    step = 10.0**-FLOAT_DECIMALS * (largest / _FINE_BELOW if fine else 1.0)
    return abs(recorded - made) <= 2 * step * times + 1e-9 * abs(made)


def is_fine(value: float) -> bool:
    """Return whether a number has more than six decimals."""
    return round(value, FLOAT_DECIMALS) != value


def may_be_fine(largest: float) -> bool:
    """Return whether numbers up to this are written with more than six decimals, where they have them."""
    return largest < _FINE_BELOW


def canonical_bytes(value: Any) -> bytes:
    """Return the canonical text as UTF-8.

    Raises:
        ValueError: as `canonical_json`, and where a text is not Unicode (half a surrogate pair).
        TypeError: as `canonical_json`.
    """
    try:
        return _dumped(value)
    except TypeError:
        return _by_json(value).encode("utf-8")


def _dumped(value: Any) -> bytes:
    return orjson.dumps(_plain(value, _as_orjson), option=orjson.OPT_SORT_KEYS)


def _by_json(value: Any) -> str:
    """Write what orjson refuses: keys that are numbers, integers beyond 64 bits, half a surrogate pair, great depth."""
    return json.dumps(_plain(value, _as_json), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _as_json(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} has no form in JSON; write None for what is undefined")
    return rounded(value)


def _as_orjson(value: float) -> Any:
    number = rounded(value)
    # orjson writes exponents in another form: 1e-5 for 1e-05.
    return number if number == 0 or 1e-4 <= abs(number) < 1e15 else orjson.Fragment(repr(_as_json(number)))


_PLAIN = frozenset((str, int, bool, type(None)))
_LISTS = frozenset((list, tuple))


def _plain(value: Any, form: Callable[[float], Any]) -> Any:
    """Return a structure as dicts, lists and scalars, its floats in a form."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if (kind is dict and _PLAIN.issuperset(map(type, value.values()))) or (
        kind in _LISTS and _PLAIN.issuperset(map(type, value))
    ):
        return value  # most of what is written, and not worth copying
    if isinstance(value, Mapping):
        return {
            key: item if (of := type(item)) in _PLAIN else form(item) if of is float else _plain(item, form)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            item if (of := type(item)) in _PLAIN else form(item) if of is float else _plain(item, form)
            for item in value
        ]
    if isinstance(value, float):
        return form(value)
    if isinstance(value, str | int):
        return value
    raise TypeError(f"Object of type {kind.__name__} is not JSON serializable")

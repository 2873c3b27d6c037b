"""Two values that differ, shown so that a reader sees where: the entry of a list, the characters of a text."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any, Final

from exaid_evals.verification.contents import LINE
from exaid_evals.verification.sides import Hashed

_CONTEXT = 24
_LONGEST = 80


class _Absent:
    """Stands for the value of a field that is not there."""


ABSENT: Final = _Absent()


def both_shown(name: str, left: Any, right: Any) -> tuple[str, str, str]:
    """Return a field's name, down to the entry that differs, and both values as a message shows them.

    >>> both_shown("tau_list", [0.85, 0.9], [0.85, 0.91])
    ('tau_list[1]', '0.9', '0.91')
    >>> both_shown("unit", "ms", "s")
    ('unit', '"ms"', '"s"')
    >>> both_shown("content", "a fever of 39" + "." * 70, "a fever of 38" + "." * 70)[0]
    'content, character 13'
    """
    if isinstance(left, list) and isinstance(right, list):
        pairs = enumerate(zip_longest(left, right, fillvalue=ABSENT))
        at, (one, other) = next(
            (number, pair) for number, pair in pairs if pair[0] != pair[1] or type(pair[0]) is not type(pair[1])
        )
        return both_shown(f"{name}[{at}]", one, other)
    if isinstance(left, str) and isinstance(right, str):
        differing = (number for number, (one, other) in enumerate(zip(left, right, strict=False)) if one != other)
        at = next(differing, min(len(left), len(right)))
        if name == LINE:
            name = f"column {at + 1}"
        if max(len(left), len(right)) <= _LONGEST:
            return name, _json(left), _json(right)
        named = name if name.startswith("column ") else f"{name}, character {at + 1}"
        return named, _excerpt(left, at), _excerpt(right, at)
    return name, shown(left), shown(right)


def shown(value: Any) -> str:
    """Return a value as a message shows it."""
    if value is ABSENT:
        return "nothing"
    if isinstance(value, Hashed):
        return f"a longer value with sha256 {value.digits}…"
    text = _json(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _excerpt(text: str, at: int) -> str:
    start, end = max(0, at - _CONTEXT), at + _CONTEXT
    return f"{'…' if start else ''}{_json(text[start:end])}{'…' if end < len(text) else ''}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

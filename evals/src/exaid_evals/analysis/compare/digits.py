"""Numbers as files hold them: six decimals, and text where these would make another number of a small one.

A learning rate of 1e-7, an error of 2e-7 or a probability of 1.9e-33 is not 0. Canonical JSON keeps six decimals; what
they would falsify is written as text with seven significant digits, as exports write small settings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.artifacts.canonical import rounded as canonical

_KEPT = 1e-3
"""By what share of itself rounding may change a number."""


def rounded(value: float) -> float | str:
    """Return a number as it is written.

    >>> rounded(0.1234567), rounded(2.1234567891e-7), rounded(0.0), rounded(float(1))
    (0.1234567, '2.123457e-07', 0.0, 1.0)
    """
    if math.isfinite(value) and abs(round(value, FLOAT_DECIMALS) - value) > _KEPT * abs(value):
        return f"{value:.7g}"
    return value


def rounded_in(value: Any) -> Any:
    """Return a structure with its numbers as they are written."""
    if isinstance(value, Mapping):
        return {key: rounded_in(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded_in(item) for item in value]
    return rounded(value) if isinstance(value, float) else value


def unrounded(settings: Any) -> Any:
    """Return settings whose numbers are text wherever six decimals would not hold all of them.

    >>> unrounded({"lr": 0.00161931, "beta": 0.999, "layers": [3, 1e-7]})
    {'lr': '0.00161931', 'beta': 0.999, 'layers': [3, '1e-07']}
    """
    if isinstance(settings, Mapping):
        return {key: unrounded(item) for key, item in settings.items()}
    if isinstance(settings, list | tuple):
        return [unrounded(item) for item in settings]
    if isinstance(settings, float) and math.isfinite(settings) and round(settings, FLOAT_DECIMALS) != settings:
        return repr(settings)
    return settings


def csv_number(value: float | None) -> float | None:
    """Return a number of a table: rounded as in the record, with seven digits where it is small."""
    if value is None:
        return None
    return float(f"{value:.7g}") if isinstance(rounded(value), str) else canonical(value)

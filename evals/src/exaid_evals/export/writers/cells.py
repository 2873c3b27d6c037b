"""One cell of a CSV: what a spreadsheet would execute is written as text."""

from __future__ import annotations

import math

from exaid_evals.artifacts.canonical import canonical_json, rounded
from exaid_evals.report.formats.csv_table import inert


def cell(value: object) -> object:
    r"""Return a value as a cell: numbers rounded, lists and mappings as JSON, formulas behind an apostrophe.

    >>> cell("=1+1"), cell(-0.12345678), cell(None), cell([1, "a"])
    ("'=1+1", -0.123457, None, '[1,"a"]')
    >>> cell(" =cmd|' /C calc'!A0"), cell("-"), cell("results_4")
    ("' =cmd|' /C calc'!A0", "'-", 'results_4')
    """
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return rounded(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple | dict):
        return canonical_json(value)
    return inert(value) if isinstance(value, str) else value

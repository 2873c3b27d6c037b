"""How numbers read in a cell, at the limits of what its digits can show."""

from __future__ import annotations

import math

import pytest

from exaid_evals.report.cells import Digits, PValue


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (0.0, "< 0.001"),
        (math.nextafter(0.001, 0), "< 0.001"),
        (0.001, "0.001"),
        (0.0015001, "0.002"),
        (0.05, "0.050"),
        (math.nextafter(0.9995, 0), "0.999"),
        (0.9995, "> 0.999"),
        (math.nextafter(1.0, 0), "> 0.999"),
        (1.0, "1.000"),
        (None, "–"),
    ],
)
def test_a_p_value_at_its_limits(p: float | None, shown: str) -> None:
    """A p of 0.001 is not below 0.001; one that rounds to 1 without being it is above 0.999."""
    assert PValue(p).shown(Digits()) == shown


def test_a_number_has_two_decimals_by_default() -> None:
    """Tables say what they show; what says nothing has two decimals."""
    assert Digits().show(1.23456) == "1.23"


@pytest.mark.parametrize(
    ("low", "high", "shown"), [(-0.5, 1.0, "[−0.50, 1.00]"), (None, 1.0, ""), (0.5, None, ""), (None, None, "")]
)
def test_an_interval_has_both_ends_or_is_none(low: float | None, high: float | None, shown: str) -> None:
    """Half an interval says nothing."""
    assert Digits().interval(low, high) == shown

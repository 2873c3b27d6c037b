"""The check of comparisons, claim by claim, at the limits of what rounding to six decimals explains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exaid_evals.validation.base import Finding
from exaid_evals.validation.run_comparison import RunComparisonCheck
from exaid_evals.validation.surroundings import Surroundings

Record = dict[str, Any]


def performance(group: str, values: list[float | str | None], **fields: Any) -> Record:
    """Return a group's performance by one metric: the mean of its runs' values, without an interval."""
    known = [float(value) for value in values if value is not None]
    return {
        "group": group,
        "value": round(sum(known) / len(known), 6),
        "low": None,
        "high": None,
        "values": {f"{group}{i}": value for i, value in enumerate(values)},
        "n_runs": len(known),
        "n_missing": len(values) - len(known),
        "behind_first": None,
        **fields,
    }


def metric(*performances: Record, **fields: Any) -> Record:
    """Return a metric by which the first group is ahead of those that are not tied with it."""
    return {
        "metric": "loss",
        "direction": "lower",
        "verdict": "better",
        "tied": [],
        "performances": performances,
        **fields,
    }


def lead(low: float | str | None, value: float | str, high: float | str | None) -> Record:
    """Return by how much the first group is better."""
    return {"value": value, "low": low, "high": high}


def found_in(*metrics: Record, runs: list[str] | None = None, groups: list[list[str]] | None = None) -> list[str]:
    """Check a comparison and return what is found."""
    found: list[Finding] = []
    record = {
        "runs": [{"run": name} for name in runs or []],
        "groups": [{"runs": names} for names in groups or []],
        "metrics": metrics,
    }
    RunComparisonCheck(Path("comparison.json"), Surroundings(), found.append).record(1, record)
    return [one.what for one in found]


A, B = performance("a", [1.0, 2.0], low=1.4, high=1.6), performance("b", [3.0, 4.0], low=3.4, high=3.6)


def test_a_sound_comparison_has_no_finding() -> None:
    """Two groups whose intervals lie apart, in order of their values, each run in one group."""
    assert found_in(metric(A, B), runs=["a0", "a1", "b0", "b1"], groups=[["b0", "b1"], ["a1", "a0"]]) == []


@pytest.mark.parametrize(
    ("runs", "groups"),
    [(["a", "b"], [["a"]]), (["a"], [["a"], ["b"]]), (["a"], [["a"], ["a"]]), (["a", "a"], [["a"], ["a"]])],
)
def test_each_run_is_in_one_group(runs: list[str], groups: list[list[str]]) -> None:
    """None is lost, none is invented, none counts twice."""
    assert found_in(runs=runs, groups=groups) == ["the groups do not hold every run once"]


@pytest.mark.parametrize("fields", [{"n_runs": 2}, {"n_missing": 0}, {"n_missing": 2}, {"n_runs": 0, "n_missing": 2}])
def test_values_are_counted(fields: Record) -> None:
    """One run has a value, and one has none."""
    one = performance("a", [1.0, None]) | fields
    assert found_in(metric(one)) == [f"loss: a does not have {one['n_runs']} values"]


@pytest.mark.parametrize(
    ("value", "told"),
    [(1.5, False), (1.5000019, False), (1.5000021, True), (1.4999979, True), (1.499999, False)],
)
def test_a_groups_value_is_the_mean_of_its_runs(value: float, told: bool) -> None:
    """Six decimals of the mean and of the values explain 0.000002, and no more."""
    said = ["loss: a is " + str(value) + ", and its runs make another mean"]
    assert found_in(metric(performance("a", [1.0, 2.0], value=value))) == said * told


@pytest.mark.parametrize(("value", "told"), [("1.503e-5", False), ("1.505e-5", True)])
def test_small_values_are_held_to_their_digits(value: str, told: bool) -> None:
    """A mean of 1.5e-5 that is wrong by a thousandth of the largest value is rounded; by more it is wrong."""
    one = performance("a", ["1e-5", "2e-5"], value=value)
    assert found_in(metric(one)) == [f"loss: a is {value}, and its runs make another mean"] * told


def test_the_value_of_one_run_is_its_own() -> None:
    """What stands for a single run may be another statistic than what is listed."""
    assert found_in(metric(performance("a", [1.0], value=9.0))) == []


@pytest.mark.parametrize(("direction", "in_order"), [("lower", True), ("higher", False), (None, True)])
def test_groups_stand_in_order(direction: str | None, in_order: bool) -> None:
    """The best first; without a direction nothing is best."""
    found = found_in(metric(A, B, direction=direction))
    assert found == ["loss: the groups are not in order of their values"] * (not in_order)
    assert found_in(metric(B, A, direction=direction)) == (
        ["loss: the groups are not in order of their values"] if direction == "lower" else []
    )


@pytest.mark.parametrize(("verdict", "told"), [("better", True), ("ahead", True), ("not_told_apart", False)])
def test_who_is_ahead_has_nobody_beside_it(verdict: str, told: bool) -> None:
    """With some tied no group is the better one."""
    found = found_in(metric(A, B, verdict=verdict, tied=["b"]))
    assert found == [f"loss: the verdict is {verdict}, and some are tied with the first"] * told


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (1.6, 3.0, False),  # from where the first one's ends
        (1.5999985, 3.0, False),
        (1.5999975, 3.0, True),
        (0.5, 1.4, False),  # up to where the first one's begins
        (0.5, 1.4000015, False),
        (0.5, 1.4000025, True),
        (1.45, 1.55, True),
        (None, 3.0, True),
        (1.7, None, True),
    ],
)
def test_groups_that_are_told_apart_have_intervals_apart(low: float | None, high: float | None, told: bool) -> None:
    """Rounding of 0.000002 is forgiven; who is tied, or alone, needs no interval."""
    other = performance("b", [3.0, 4.0], low=low, high=high)
    expected = ["loss: the intervals of the first and of b overlap untold"] * told
    assert found_in(metric(A, other)) == expected
    assert found_in(metric(A, other, verdict="not_told_apart", tied=["b"])) == []
    assert found_in(metric(A, other, verdict="alone")) == []


@pytest.mark.parametrize(
    ("difference", "tied", "finding"),
    [
        (lead(0.1, 2.0, 3.0), False, None),
        (lead(-0.1, 2.0, 3.0), True, None),
        (lead(0.0, 2.0, 3.0), True, None),
        (lead(0.0, 2.0, 3.0), False, None),
        (lead(2.0, 2.0, 2.0), False, None),
        (lead(-0.1, 2.0, 3.0), False, "loss: b counts as told apart, and its interval holds 0"),
        (lead(0.1, 2.0, 3.0), True, "loss: b counts as tied, and its interval is above 0"),
        (lead("1e-7", "2e-7", "3e-7"), True, "loss: b counts as tied, and its interval is above 0"),
        (lead(0.1, 3.1, 3.0), False, "loss: b: the difference lies outside its interval"),
        (lead(0.1, 0.05, 3.0), False, "loss: b: the difference lies outside its interval"),
        (lead(None, 2.0, None), True, None),
        (lead(None, 2.0, None), False, "loss: b counts as told apart, and its difference has no interval"),
        (lead(None, 2.0, 3.0), False, "loss: b counts as told apart, and its difference has no interval"),
        (lead(0.1, 2.0, None), False, "loss: b counts as told apart, and its difference has no interval"),
    ],
)
def test_paired_groups_are_told_apart_by_their_difference(difference: Record, tied: bool, finding: str | None) -> None:
    """Apart where the interval of the difference lies above 0, whatever the groups' own intervals say."""
    other = performance("b", [3.0, 4.0], behind_first=difference)
    verdict, names = ("not_told_apart", ["b"]) if tied else ("better", [])
    assert found_in(metric(A, other, verdict=verdict, tied=names)) == ([] if finding is None else [finding])


@pytest.mark.parametrize(("low", "told"), [("1.9965e-5", False), ("1.9955e-5", True)])
def test_small_intervals_are_held_to_their_digits(low: str, told: bool) -> None:
    """Two thousandths of the largest bound are rounding, and not 0.000002, which are a tenth of it here."""
    first = performance("a", ["1e-5", "2e-5"], value="1.5e-5", low="1e-5", high="2e-5")
    other = performance("b", ["2e-5", "3e-5"], value="2.5e-5", low=low, high="2e-5")
    expected = ["loss: the intervals of the first and of b overlap untold"] * told
    assert found_in(metric(first, other)) == expected


def test_every_group_is_held_against_the_first() -> None:
    """The third too, with the first and not with the second."""
    third = performance("c", [5.0, 6.0], low=3.5, high=9.0)
    assert found_in(metric(A, B, third)) == []
    assert found_in(metric(A, B, third | {"low": 1.5})) == ["loss: the intervals of the first and of c overlap untold"]


def test_long_names_are_cut() -> None:
    """Eighty characters of a name say which it is."""
    (found,) = found_in(metric(performance("g" * 90, [1.0, 2.0], value=9.0), metric="m" * 90))
    assert found == f"{'m' * 80}: {'g' * 80} is 9.0, and its runs make another mean"

"""Aggregation over runs, against NumPy and by hand."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.export.aggregate import aggregate, aggregate_all, best_and_worst
from exaid_evals.export.diagnosis import diagnose
from exaid_evals.runs.base import Run

numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12)


@given(numbers)
def test_spread_is_that_of_the_standard_library(values: list[float]) -> None:
    """`std` is the population form, `std_sample` the sample form, and the interval uses the latter."""
    result = aggregate(values)
    assert result.std == pytest.approx(statistics.pstdev(values), abs=1e-6)
    assert result.std_sample == pytest.approx(statistics.stdev(values), abs=1e-6)
    half = 1.96 * statistics.stdev(values) / math.sqrt(len(values))
    assert result.ci95_low == pytest.approx(statistics.fmean(values) - half, abs=1e-5)
    assert result.ci95_high == pytest.approx(statistics.fmean(values) + half, abs=1e-5)


def test_undefined_is_left_out_and_counted() -> None:
    """None is not a zero: it lowers n and nothing else."""
    some, all_ = aggregate([2.0, None, 4.0]), aggregate([2.0, 4.0])
    assert (some.mean, some.std, some.n, some.n_missing) == (all_.mean, all_.std, 2, 1)
    assert (aggregate([None, None]).mean, aggregate([None]).n) == (None, 0)


def test_one_run_has_no_interval() -> None:
    """From one run follow a mean and a population spread of 0, but no sample spread and no interval."""
    result = aggregate([3.0])
    assert (result.mean, result.std, result.std_sample, result.ci95_low, result.n) == (3.0, 0.0, None, None, 1)


def test_the_coefficient_of_variation_is_undefined_at_zero() -> None:
    """A spread relative to a mean of 0 does not exist."""
    assert aggregate([-1.0, 1.0]).cv is None
    assert aggregate([1.0, 3.0]).cv == 0.5


def test_published_means_come_out() -> None:
    """Three seeds of a published table: accuracy 0.696 ± 0.026, kappa 0.721 ± 0.025, by the population form."""
    for values, mean, std in (([0.676, 0.733, 0.679], 0.696, 0.026), ([0.697, 0.756, 0.710], 0.721, 0.025)):
        result = aggregate(values)
        assert result.mean == pytest.approx(mean, abs=5e-4)
        assert result.std == pytest.approx(std, abs=5e-4)
        assert result.std_sample != pytest.approx(std, abs=2e-3)


def run(name: str, value: float | None, **changes: object) -> Run:
    """Build a run with one metric, called loss."""
    return Run(**{"name": name, "format": "test", "metrics": {"loss": value}, **changes})  # type: ignore[arg-type]


def test_best_and_worst_heed_the_direction() -> None:
    """Of a loss the least is best; runs without the metric are not ranked."""
    runs = [run(name, value) for name, value in [("a", 2.0), ("b", 1.0), ("c", None)]]
    best, worst = best_and_worst(runs, "loss", lower=True)
    assert best is not None
    assert worst is not None
    assert (best.run, worst.run) == ("b", "a")


def test_ties_go_to_the_first_name() -> None:
    """The order in which runs are named changes nothing, the others are named, and nobody is best and worst."""
    best, worst = best_and_worst([run("b", 1.0), run("a", 1.0)], "loss", lower=True)
    assert best is not None
    assert (best.run, best.tied, worst) == ("a", ("b",), None)


def test_what_is_written_alike_is_tied() -> None:
    """A value that was rounded to six decimals does not beat the one that was not."""
    best, worst = best_and_worst([run("a", 0.955556), run("b", 0.9555555555)], "loss", lower=False)
    assert best is not None
    assert (best.run, best.tied, worst) == ("a", ("b",), None)


def test_a_metric_that_only_some_runs_have_is_undefined_in_the_others() -> None:
    """Every metric of any run is aggregated."""
    runs = [run("a", 1.0), Run("b", "test", {"other": 5.0})]
    assert {name: result.n for name, result in aggregate_all(runs).items()} == {"loss": 1, "other": 1}


def test_what_hinders_comparison_is_said() -> None:
    """Other traces are what runs differ in; other settings, cases, or stub beside real runs are warned of."""
    common = {"stub": True, "attributes": {"case_list_hash": "x"}}
    same = [run(name, 1.0, signatures={"V3": f"v/1|traces:{name}|cfg:1"}, **common) for name in "ab"]
    assert diagnose(same, {}, "seed") == []
    other = run("c", 1.0, signatures={"V3": "v/1|traces:c|cfg:2"}, stub=False, attributes={"case_list_hash": "y"})
    warnings = diagnose([*same, other], {}, "seed")
    assert len(warnings) == 3
    assert "cfg:1; v/1|cfg:2" in warnings[0]

"""Means over cases: what is counted, what is left out, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.config.metrics import BootstrapConfig, MetricsConfig
from exaid_evals.metrics.aggregate import aggregate
from exaid_evals.metrics.records import COVERAGE_CURVE, SKIPPED_FAILED_TRACE, CaseMetrics, VariantMetrics

CONFIG = MetricsConfig(budget_list=(50,), curve_step_ctu=25, bootstrap=BootstrapConfig(resamples=1000))


def case(number: int, variant: str, value: float | None) -> CaseMetrics:
    """Return a case whose coverage is given."""
    curve = [None] * 3 if value is None else [0.0, value / 2, value]
    return CaseMetrics(
        f"case-{number}", variant, measures={"coverage": value, "n": number}, curves={COVERAGE_CURVE: curve}
    )


def over_cases(**by_variant: list[float | None]) -> dict[str, VariantMetrics]:
    """Aggregate variants whose coverage in each case is given."""
    cases = {
        name: [case(number, name, value) for number, value in enumerate(values)] for name, values in by_variant.items()
    }
    return aggregate(cases, CONFIG, stub=True, signature="s")


def test_statistics_by_hand() -> None:
    """Of 0, 0.5 and 1: mean and median 0.5, sd 0.5; the curve's points likewise."""
    found = over_cases(V3=[0.0, 0.5, 1.0])["V3"]
    estimate = found.measures["coverage"]
    assert (estimate.mean, estimate.median, estimate.sd, estimate.min, estimate.max) == (0.5, 0.5, 0.5, 0, 1)
    assert (estimate.n, estimate.n_undefined) == (3, 0)
    assert estimate.ci95_low is not None
    assert estimate.ci95_high is not None
    assert 0 <= estimate.ci95_low < 0.5 < estimate.ci95_high <= 1
    curve = found.curves[COVERAGE_CURVE]
    assert (list(curve.x), curve.mean) == ([0, 25, 50], [0, 0.25, 0.5])
    assert curve.ci95_high[2] == estimate.ci95_high


def test_undefined_is_counted_and_not_zero() -> None:
    """The mean is over defined cases; where none is defined every statistic is None, never NaN."""
    found = over_cases(V3=[None, 0.5, 1.0], V4=[None, None, None])
    some, none = found["V3"].measures["coverage"], found["V4"].measures["coverage"]
    assert (some.mean, some.n, some.n_undefined) == (0.75, 2, 1)
    assert (none.mean, none.sd, none.min, none.ci95_low, none.n, none.n_undefined) == (None, None, None, None, 0, 3)
    assert found["V4"].curves[COVERAGE_CURVE].mean == [None, None, None]


def test_one_case_has_no_spread() -> None:
    """A single case has a mean, and neither sd nor interval: an interval of no width would claim certainty."""
    estimate = over_cases(V3=[0.4])["V3"].measures["coverage"]
    assert (estimate.mean, estimate.sd, estimate.ci95_low, estimate.ci95_high) == (0.4, None, None, None)


def test_failed_cases_are_counted_and_not_resampled() -> None:
    """A failed case changes n_failed and no number."""
    cases = [case(0, "V3", 0.25), case(1, "V3", 0.75)]
    failed = CaseMetrics("case-2", "V3", SKIPPED_FAILED_TRACE)
    with_failed = aggregate({"V3": [*cases, failed]}, CONFIG, stub=True, signature="s")["V3"]
    without = aggregate({"V3": cases}, CONFIG, stub=True, signature="s")["V3"]
    assert (with_failed.n_cases, with_failed.n_failed) == (3, 1)
    assert with_failed.measures == without.measures


def test_only_failed_cases_leave_nothing_to_say() -> None:
    """No measure can be invented where no case was measured."""
    found = aggregate({"V3": [CaseMetrics("case-2", "V3", SKIPPED_FAILED_TRACE)]}, CONFIG, stub=True, signature="s")[
        "V3"
    ]
    assert (found.n_cases, found.n_failed, dict(found.measures), dict(found.curves)) == (1, 1, {}, {})


def test_variants_share_their_resamples() -> None:
    """A variant's numbers do not depend on which others stand beside it, and equal data give equal intervals."""
    values = np.random.default_rng(0).random(12).round(6).tolist()
    together = over_cases(V0=[0.1] * 12, V3=values, V4=values)
    assert together["V3"].measures == over_cases(V3=values)["V3"].measures
    assert together["V3"].measures["coverage"] == together["V4"].measures["coverage"]


def test_the_interval_is_that_of_the_loop_it_replaces() -> None:
    """Drawing cases with `rng.integers` once per resample, and taking percentiles of the means, gives the same."""
    values = np.random.default_rng(0).random(12).round(6)
    rng = np.random.default_rng(CONFIG.bootstrap.seed)
    means = [values[rng.integers(0, 12, 12)].mean() for _ in range(CONFIG.bootstrap.resamples)]
    estimate = over_cases(V3=values.tolist())["V3"].measures["coverage"]
    assert [estimate.ci95_low, estimate.ci95_high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=1e-9)

"""The coverage curve over cases: its pointwise intervals and its simultaneous band."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.config.metrics import BootstrapConfig, MetricsConfig
from exaid_evals.metrics.aggregate import aggregate
from exaid_evals.metrics.records import COVERAGE_CURVE, CaseMetrics, Curve

CONFIG = MetricsConfig(budget_list=(50,), curve_step_ctu=25, bootstrap=BootstrapConfig(resamples=1000))


def curve_of(values: np.ndarray) -> Curve:
    """Aggregate cases whose coverage at budgets 0, 25 and 50 is given, shape (cases, 3)."""
    cases = [
        CaseMetrics(f"case-{i}", "V3", measures={"n": float(i), "coverage": row[-1]}, curves={COVERAGE_CURVE: row})
        for i, row in enumerate(values.tolist())
    ]
    return aggregate({"V3": cases}, CONFIG, stub=True, signature="s")["V3"].curves[COVERAGE_CURVE]


def test_intervals_and_band_are_those_of_loops() -> None:
    """Percentiles of the resampled means; and mean ± c·sd/√n, c the 95 % quantile of the greatest |t| of a curve."""
    n = 12
    values = np.random.default_rng(0).uniform(0.4, 0.6, (n, 3)).round(6)
    curve = curve_of(values)
    drawn = [values[row] for row in np.random.default_rng(CONFIG.bootstrap.seed).integers(0, n, size=(1000, n))]
    low, high = np.percentile([one.mean(axis=0) for one in drawn], [2.5, 97.5], axis=0)
    t = [abs(one.mean(axis=0) - values.mean(axis=0)) / (one.std(axis=0, ddof=1) / np.sqrt(n)) for one in drawn]
    half = np.quantile(np.max(t, axis=1), 0.95) * values.std(axis=0, ddof=1) / np.sqrt(n)
    assert curve.mean == pytest.approx(values.mean(axis=0))
    assert (curve.ci95_low, curve.ci95_high) == (pytest.approx(low), pytest.approx(high))
    assert curve.band_low == pytest.approx(values.mean(axis=0) - half)
    assert curve.band_high == pytest.approx(values.mean(axis=0) + half)


def test_a_band_stays_between_0_and_1() -> None:
    """What a share cannot be is cut off, at either end."""
    curve = curve_of(np.array([[0.0, 0.0, 1.0]] * 5 + [[0.0, 0.5, 0.5]]))
    assert (curve.band_low[0], curve.band_high[0]) == (0.0, 0.0)
    assert (curve.band_low[1], curve.band_high[2]) == (0.0, 1.0)
    assert 0.0 < (curve.band_high[1] or 0) < 1.0
    assert 0.0 < (curve.band_low[2] or 0) < 1.0


def test_as_many_cases_as_measures_have_a_curve_all_the_same() -> None:
    """Two cases, two measures: what has no curve is a variant without cases alone."""
    assert curve_of(np.array([[0.0, 0.2, 0.4], [0.0, 0.4, 0.6]])).mean == pytest.approx([0.0, 0.3, 0.5])

"""From cases to variants: means over cases, with intervals from resamples that all measures and variants share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.records import COVERAGE_CURVE, OK, CaseMetrics, Curve, Estimate, VariantMetrics
from exaid_evals.stats.bootstrap import percentile_intervals, resample_counts
from exaid_evals.stats.descriptive import Description, describe

_SCALE = 1e6
"""Values have 6 decimals. In millionths they are integers, whose sums are exact: no BLAS can reorder them."""


def aggregate(
    by_variant: Mapping[str, Sequence[CaseMetrics]], config: MetricsConfig, *, stub: bool, signature: str
) -> dict[str, VariantMetrics]:
    """Return variant id → its measures over cases.

    All variants must have the same cases, in the same order: by id, so that resample b draws the same cases from
    each. Failed cases are counted and not resampled. The resamples depend on the number of the others and on
    the seed alone, hence a variant's numbers do not depend on which others are aggregated with it.

    Args:
        by_variant: variant id → its cases by id, values rounded to 6 decimals.
        config: names the resamples and the curve's budgets.
        stub: whether any part of the data is simulated.
        signature: how the numbers were made.
    """
    measured = {variant: [case for case in cases if case.status == OK] for variant, cases in by_variant.items()}
    blocks = {variant: _matrix(cases) for variant, cases in measured.items()}
    if not blocks:
        return {}
    values = np.hstack([matrix for _, matrix in blocks.values()])
    described = describe(values)
    bounds = _bounds(values, config)
    aggregated = {}
    first = 0
    for variant, (names, matrix) in blocks.items():
        columns = slice(first, first + matrix.shape[1])
        first = columns.stop
        n_cases = len(by_variant[variant])
        aggregated[variant] = VariantMetrics(
            variant_id=variant,
            n_cases=n_cases,
            n_failed=n_cases - len(measured[variant]),
            stub=stub,
            signature=signature,
            measures={
                name: _estimate(described, bounds, column, n=len(measured[variant]))
                for column, name in enumerate(names, start=columns.start)
            },
            curves=_curves(described, bounds, slice(columns.start + len(names), columns.stop), config),
        )
    return aggregated


def _matrix(cases: Sequence[CaseMetrics]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of the measures, and a row per case: its measures, then the points of its curve."""
    names = list(cases[0].measures) if cases else []
    rows = [[*(case.measures[name] for name in names), *case.curves[COVERAGE_CURVE]] for case in cases]
    return names, np.array(rows, dtype=np.float64).reshape(len(rows), -1 if rows else 0)


def _bounds(values: NDArray[np.float64], config: MetricsConfig) -> NDArray[np.float64]:
    """Return the interval of each column's mean, shape (2, columns)."""
    if not len(values):
        return np.full((2, values.shape[1]), np.nan)
    rng = np.random.default_rng(config.bootstrap.seed)
    counts = resample_counts(len(values), config.bootstrap.resamples, rng)
    return percentile_intervals(np.rint(values * _SCALE), counts) / _SCALE


def _estimate(described: Description, bounds: NDArray[np.float64], column: int, *, n: int) -> Estimate:
    defined = int(described.n[column])
    return Estimate(
        mean=_number(described.mean[column]),
        sd=_number(described.sd[column]),
        median=_number(described.median[column]),
        min=_number(described.min[column]),
        max=_number(described.max[column]),
        ci95_low=_number(bounds[0, column]),
        ci95_high=_number(bounds[1, column]),
        n=defined,
        n_undefined=n - defined,
    )


def _curves(
    described: Description, bounds: NDArray[np.float64], columns: slice, config: MetricsConfig
) -> dict[str, Curve]:
    if columns.start == columns.stop:
        return {}
    curve = Curve(
        x=config.curve_budgets,
        mean=[_number(value) for value in described.mean[columns]],
        ci95_low=[_number(value) for value in bounds[0, columns]],
        ci95_high=[_number(value) for value in bounds[1, columns]],
    )
    return {COVERAGE_CURVE: curve}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)

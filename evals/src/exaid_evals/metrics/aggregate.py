"""From cases to variants: means over cases, with intervals from resamples that all measures and variants share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.ids import together
from exaid_evals.metrics.records import (
    COVERAGE_CURVE,
    FAILED_RUN,
    SKIPPED_FAILED_TRACE,
    CaseMetrics,
    Curve,
    Estimate,
    VariantMetrics,
)
from exaid_evals.stats.bootstrap import Counts, Redrawn, bootstrap_means, percentile_bounds, resample_counts, sup_t_band
from exaid_evals.stats.descriptive import Description, describe

if TYPE_CHECKING:
    from exaid_evals.config.metrics import BootstrapConfig, MetricsConfig

Floats = NDArray[np.float64]

SCALE = 1e6
"""Values have 6 decimals. In millionths they are integers, whose sums are exact: no BLAS can reorder them."""

_MOST_COUNTS = 20_000_000
"""Bytes of resamples that are kept."""


def aggregate(
    by_variant: Mapping[str, Sequence[CaseMetrics]],
    config: MetricsConfig,
    *,
    stub: bool,
    signature: str,
    counts: dict[int, Counts | Redrawn] | None = None,
) -> dict[str, VariantMetrics]:
    """Return variant id → its measures over cases.

    All variants must have the same cases, in the same order: by id, so that resample b draws the same cases from
    each. Cases without a conversation are counted and not resampled; a case whose replay failed keeps its row, in which
    everything is undefined, so that resample b holds the same cases under every variant. The resamples depend on the
    number of cases with a conversation and on the seed alone, hence a variant's numbers do not depend on which others
    are aggregated with it.

    Args:
        by_variant: variant id → its cases by id, values rounded to 6 decimals.
        config: names the resamples and the curve's budgets.
        stub: whether any part of the data is simulated.
        signature: how the numbers were made.
        counts: number of cases → their resamples, of earlier calls; gets those of this one.
    """
    aggregated = {}
    counts = {} if counts is None else counts
    for variant, cases in by_variant.items():
        rows = _Rows(cases)
        n, n_measured = len(rows.values), len(rows.values) - len(rows.failed_runs)
        if n not in counts:
            counts[n] = shared_resamples(n, config.bootstrap)
        names, values = rows.names, rows.values
        described = describe(values)
        means = bootstrap_means(np.rint(values * SCALE), counts[n])
        bounds = percentile_bounds(means, described.n) / SCALE
        aggregated[variant] = VariantMetrics(
            variant_id=variant,
            n_cases=len(cases),
            n_failed=len(cases) - n_measured,
            stub=stub,
            signature=signature,
            measures={name: _estimate(described, bounds, column, n=n_measured) for column, name in enumerate(names)},
            curves=_curves(values, described, means, bounds, counts[n], len(names), config),
            failed_runs=rows.failed_runs,
            time_basis=together(rows.time_bases),
        )
    return aggregated


def shared_resamples(n: int, bootstrap: BootstrapConfig) -> Counts | Redrawn:
    """Return the resamples that everything over n cases with a conversation shares, shape (resamples, n)."""
    if n * bootstrap.resamples > _MOST_COUNTS:
        return Redrawn(n, bootstrap.resamples, bootstrap.seed)
    return resample_counts(n, bootstrap.resamples, np.random.default_rng(bootstrap.seed))


class _Rows:
    """What the cases with a conversation say, read one after the other: they may lie on disk.

    Attributes:
        names: of the measures.
        values: a row per case: its measures, then the points of its curve; NaN where undefined, and in the whole row
            of a failed run.
        failed_runs: case → why its replay failed.
        time_bases: of the cases.
    """

    def __init__(self, cases: Iterable[CaseMetrics]) -> None:
        self.names: list[str] = []
        self.failed_runs: dict[str, str] = {}
        self.time_bases: list[str | None] = []
        rows: list[Floats | None] = []
        for case in cases:
            if case.status == SKIPPED_FAILED_TRACE:
                continue
            self.time_bases.append(case.time_basis)
            if case.status == FAILED_RUN:
                self.failed_runs[case.case_id] = case.failure_reason or ""
                rows.append(None)
                continue
            self.names = self.names or list(case.measures)
            measures = (case.measures[name] for name in self.names)
            rows.append(np.array([*measures, *case.curves[COVERAGE_CURVE]], dtype=np.float64))
        undefined = np.full(next((len(row) for row in rows if row is not None), 0), np.nan)
        self.values = np.array([undefined if row is None else row for row in rows]).reshape(len(rows), len(undefined))


def _estimate(described: Description, bounds: Floats, column: int, *, n: int) -> Estimate:
    defined = int(described.n[column])
    return Estimate(
        mean=number(described.mean[column]),
        sd=number(described.sd[column]),
        median=number(described.median[column]),
        min=number(described.min[column]),
        max=number(described.max[column]),
        ci95_low=number(bounds[0, column]),
        ci95_high=number(bounds[1, column]),
        n=defined,
        n_undefined=n - defined,
    )


def _curves(
    values: Floats,
    described: Description,
    means: Floats,
    bounds: Floats,
    counts: Counts | Redrawn,
    first: int,
    config: MetricsConfig,
) -> dict[str, Curve]:
    """Return the curve that the columns from `first` on hold, with its band; none where no case was measured."""
    if first == values.shape[1]:
        return {}
    points = slice(first, None)
    mean = described.mean[points]
    in_units = np.rint(values[:, points] * SCALE)
    band = sup_t_band(
        means[points],
        bootstrap_means(in_units * in_units, counts),
        mean * SCALE,
        described.sd[points] * SCALE,
        described.n[points],
    )
    # Coverage is a share: what a band holds beyond 0 and 1 is impossible, and cut off without loss.
    band_low, band_high = np.clip(band / SCALE, 0.0, 1.0)
    curve = Curve(
        x=config.curve_budgets,
        mean=_numbers(mean),
        ci95_low=_numbers(bounds[0, points]),
        ci95_high=_numbers(bounds[1, points]),
        band_low=_numbers(band_low),
        band_high=_numbers(band_high),
    )
    return {COVERAGE_CURVE: curve}


def number(value: float) -> float | None:
    """Return a number as records hold it: None for what is undefined."""
    return None if np.isnan(value) else float(value)


def _numbers(values: Floats) -> list[float | None]:
    return [number(value) for value in values]

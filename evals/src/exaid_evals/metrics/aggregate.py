"""From cases to variants: means over cases, with intervals from resamples that all measures and variants share."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
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
    by_variant: Mapping[str, Iterable[CaseMetrics]],
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
        names, values, points = rows.names, rows.values, rows.points
        n, n_measured = len(values), len(values) - len(rows.failed_runs)
        if n not in counts:
            counts[n] = shared_resamples(n, config.bootstrap)
        described = describe(values[:, : points.stop])
        values *= SCALE
        np.rint(values, out=values)
        values[:, points.stop :] **= 2
        means = bootstrap_means(values, counts[n], overwrite=True)
        bounds = percentile_bounds(means[: points.stop], described.n) / SCALE
        aggregated[variant] = VariantMetrics(
            variant_id=variant,
            n_cases=rows.n_cases,
            n_failed=rows.n_cases - n_measured,
            stub=stub,
            signature=signature,
            measures={name: _estimate(described, bounds, column, n=n_measured) for column, name in enumerate(names)},
            curves=_curves(described, means, bounds, points, config),
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
        values: a row per case: its measures, then the points of its curve, twice; NaN where undefined, and in the whole
            row of a failed run.
        points: the columns of the curve, the first time.
        failed_runs: case → why its replay failed.
        time_bases: of the cases.
        n_cases: their number, with those without a conversation.
    """

    def __init__(self, cases: Iterable[CaseMetrics]) -> None:
        self.names: list[str] = []
        self.failed_runs: dict[str, str] = {}
        self.time_bases: set[str | None] = set()
        self.n_cases = 0
        found, width = array("d"), 0  # grows without ever being there twice
        before_failed: list[int] = []
        for case in cases:
            self.n_cases += 1
            if case.status == SKIPPED_FAILED_TRACE:
                continue
            self.time_bases.add(case.time_basis)
            if case.status == FAILED_RUN:
                self.failed_runs[case.case_id] = case.failure_reason or ""
                before_failed.append(len(found) // max(width, 1))
                continue
            self.names = self.names or list(case.measures)
            curve = case.curves[COVERAGE_CURVE]
            row = [*(case.measures[name] for name in self.names), *curve, *curve]
            found.frombytes(np.array(row, dtype=np.float64).tobytes())
            width = len(row)
        values = np.frombuffer(found).reshape(len(found) // max(width, 1), width)
        self.values = np.insert(values, before_failed, np.nan, axis=0) if before_failed else values
        self.points = slice(len(self.names), (len(self.names) + width) // 2)


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
    described: Description, means: Floats, bounds: Floats, points: slice, config: MetricsConfig
) -> dict[str, Curve]:
    """Return the curve with its band; none where no case was measured.

    Args:
        described: measures and points of the curve.
        means: of both, in millionths, and of the squares of the points, in every resample.
        bounds: of the means of both.
        points: which of them are the curve's.
        config: names the curve's budgets.
    """
    if points.start == points.stop:
        return {}
    mean = described.mean[points]
    band = sup_t_band(
        means[points], means[points.stop :], mean * SCALE, described.sd[points] * SCALE, described.n[points]
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

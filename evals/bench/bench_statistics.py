"""How fast the statistics are: 302 cases × 5 variants × all measures, curves and comparisons, 10,000 resamples.

Run: python evals/bench/bench_statistics.py

Two loops are timed in the same run. The usual one draws with `rng.choice` per measure and resample. The
stronger one draws once per resample and takes the mean of all columns at once, as `aggregate` does. Both run a part of
the work and are scaled up, since the usual one would take minutes; neither makes bands or comparisons.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.aggregate import aggregate
from exaid_evals.metrics.comparison_stage import Side, compare, compared_measures
from exaid_evals.metrics.records import COVERAGE_CURVE, CaseMetrics, Comparison
from exaid_evals.metrics.registry import load_measures
from exaid_evals.stats.bootstrap import percentile_intervals, resample_counts

N_CASES, VARIANTS, REPEATS = 302, ("V0", "V1", "V2", "V3", "V4"), 5
LOOP_COLUMNS, LOOP_RESAMPLES = 3, 400


def main() -> None:
    """Print medians and ratios."""
    config = MetricsConfig()
    resamples = config.bootstrap.resamples
    by_variant = _cases(config)
    values = np.array(
        [[value for variant in VARIANTS for value in _row(by_variant[variant][number])] for number in range(N_CASES)]
    )
    n_measures = len(load_measures(config)) * len(VARIANTS)
    print(f"{N_CASES} cases, {values.shape[1]} columns ({n_measures} measures), {resamples:,} resamples")
    _compare(by_variant, config)  # once before the clock starts: SciPy is imported, and powers are solved
    means = _median(lambda: aggregate(by_variant, config, stub=True, signature="bench"))
    pairs = _median(lambda: _compare(by_variant, config))
    array = _median(lambda: _vectorised(values, resamples))
    usual = _median(lambda: _loop_per_measure(values[:, :LOOP_COLUMNS], resamples // 10), repeats=3)
    usual *= 10 * values.shape[1] / LOOP_COLUMNS
    strong = _median(lambda: _loop_per_resample(values, LOOP_RESAMPLES), repeats=3) * resamples / LOOP_RESAMPLES
    whole = means + pairs
    print(f"{'aggregate(): means, intervals, bands':<46}{means:>9.2f} s")
    print(f"{f'compare(): {len(_compare(by_variant, config))} comparisons':<46}{pairs:>9.2f} s")
    print(f"{'both, records to records':<46}{whole:>9.2f} s")
    print(f"{'percentile_intervals(), arrays':<46}{array:>9.2f} s")
    print(f"{'':<46}{'':>11}{'÷ both':>10}{'÷ arrays':>10}")
    for name, loop in (("per measure and resample", usual), ("per resample, all columns", strong)):
        print(f"{f'loop of rng.choice {name}':<46}{loop:>9.2f} s{loop / whole:>8.0f} ×{loop / array:>8.0f} ×")


def _cases(config: MetricsConfig) -> dict[str, list[CaseMetrics]]:
    rng = np.random.default_rng(0)
    names = [measure.name for measure in load_measures(config)]
    return {
        variant: [
            CaseMetrics(
                f"case-{number:04d}",
                variant,
                measures=dict(zip(names, rng.random(len(names)).round(6).tolist(), strict=True)),
                curves={COVERAGE_CURVE: np.sort(rng.random(len(config.curve_budgets))).round(6).tolist()},
            )
            for number in range(N_CASES)
        ]
        for variant in VARIANTS
    }


def _compare(by_variant: dict[str, list[CaseMetrics]], config: MetricsConfig) -> list[Comparison]:
    better = compared_measures(config)
    sides = [Side(better, cases).of(variant, "sha256:") for variant, cases in by_variant.items()]
    others = [side for side in sides if side.variant_id != config.against]
    against = next(side for side in sides if side.variant_id == config.against)
    return compare(others, against, better, config.bootstrap, stub=True, signature="bench")


def _row(case: CaseMetrics) -> list[float | None]:
    return [*case.measures.values(), *case.curves[COVERAGE_CURVE]]


def _vectorised(values: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    return percentile_intervals(values, resample_counts(len(values), resamples, np.random.default_rng(42)))


def _loop_per_measure(values: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(42)
    bounds = []
    for column in values.T:
        means = [column[rng.choice(len(column), len(column))].mean() for _ in range(resamples)]
        bounds.append(np.percentile(means, [2.5, 97.5]))
    return np.array(bounds)


def _loop_per_resample(values: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(42)
    means = [values[rng.choice(len(values), len(values))].mean(axis=0) for _ in range(resamples)]
    return np.percentile(means, [2.5, 97.5], axis=0)


def _median(work: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()

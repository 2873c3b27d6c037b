"""Whether the statistics keep their promises: simulated data whose truth is known, and docs/statistics.md from it.

Run: python evals/bench/calibrate_statistics.py          (writes the page)
     python evals/bench/calibrate_statistics.py --check  (exit 1 where the page is not what comes out)

Everything is measured with the functions that the pipeline calls. All data come from fixed seeds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from simulated_corrections import corrected_coverage
from simulated_pairs import compared_logs, percent

from exaid_evals.stats.bootstrap import (
    bootstrap_means,
    hierarchical_interval,
    percentile_bounds,
    percentile_intervals,
    resample_counts,
    sup_t_band,
)
from exaid_evals.stats.descriptive import describe
from exaid_evals.stats.paired import detectable_effect, wilcoxon_p

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
TEMPLATE = Path(__file__).resolve().with_name("statistics_page.md")

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

N_CASES = 40
RESAMPLES, BAND_RESAMPLES, SEED_RESAMPLES = 4_000, 1_000, 1_000
BOOTSTRAP_SEED = 42


@dataclass(frozen=True)
class DataSets:
    """How many are simulated of each kind; these are the page's."""

    intervals: int = 10_000
    tested: int = 2_000
    bands: int = 600
    seeds: int = 1_000
    logs: int = 5_000
    corrections: int = 4_000


@dataclass(frozen=True)
class Population:
    """Where a case's value comes from.

    Attributes:
        mean: its true mean.
        draw: (generator, shape) → values.
        mild: whether the interval is expected to cover 93–97 % at n = 40.
    """

    name: str
    mean: float
    draw: Draw
    mild: bool = True


def _share_of_another(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    coverage = rng.beta(12, 4, shape)
    return coverage * rng.beta(18, 2, shape) - coverage


POPULATIONS = (
    Population("normal difference", 0.1, lambda rng, shape: rng.normal(0.1, 0.3, shape)),
    Population("coverage: Beta(8, 3)", 8 / 11, lambda rng, shape: rng.beta(8, 3, shape)),
    Population("compression: Beta(2, 8)", 0.2, lambda rng, shape: rng.beta(2, 8, shape)),
    Population("difference of paired coverages, one a share of the other", -0.075, _share_of_another),
    Population(
        "difference of counts: Poisson(20) − Poisson(15)",
        5.0,
        lambda rng, shape: (rng.poisson(20, shape) - rng.poisson(15, shape)).astype(np.float64),
    ),
    Population(
        "share that is 0 in 70 % of cases, else Beta(2, 6)",
        0.075,
        lambda rng, shape: (rng.random(shape) < 0.3) * rng.beta(2, 6, shape),
        mild=False,
    ),
    Population(
        "delay: log-normal, σ = 0.5", float(np.exp(0.125)), lambda rng, shape: rng.lognormal(0, 0.5, shape), mild=False
    ),
    Population(
        "delay: log-normal, σ = 1", float(np.exp(0.5)), lambda rng, shape: rng.lognormal(0, 1, shape), mild=False
    ),
)


def _shares(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    ability = rng.beta(12, 4, shape)
    return ((rng.binomial(30, ability) - rng.binomial(30, ability)) / 30).round(6)


def _skewed_pairs(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return (rng.lognormal(0, 1, shape) - rng.lognormal(0, 1, shape)).round(6)


NULLS: tuple[tuple[str, int, Draw], ...] = (
    ("normal", N_CASES, lambda rng, shape: rng.normal(size=shape).round(6)),
    ("two log-normal delays, σ = 1", N_CASES, _skewed_pairs),
    ("two coverages out of 30 concepts: ties and zeros", N_CASES, _shares),
    (
        "the same, with the difference 0 in half of the cases",
        N_CASES,
        lambda rng, shape: _shares(rng, shape) * (rng.random(shape) < 0.5),
    ),
    ("two coverages out of 30 concepts, n = 12", 12, _shares),
)


def interval_coverage(data_sets: int) -> dict[str, tuple[float, float]]:
    """Return population → share of intervals that hold the true mean, and that miss it from below, in %."""
    counts = resample_counts(N_CASES, RESAMPLES, np.random.default_rng(BOOTSTRAP_SEED))
    found = {}
    for number, population in enumerate(POPULATIONS):
        rng = np.random.default_rng([1, number])
        values = np.rint(population.draw(rng, (N_CASES, data_sets)) * 1e6)
        low, high = percentile_intervals(values, counts)
        truth = population.mean * 1e6
        found[population.name] = (percent((low <= truth) & (truth <= high)), percent(high < truth))
    return found


def false_positives(data_sets: int) -> dict[str, float]:
    """Return kind of data without a difference → share of tests with p ≤ 0.05, in %."""
    found = {}
    for number, (name, n, draw) in enumerate(NULLS):
        data = draw(np.random.default_rng([2, number]), (n, data_sets))
        p = [wilcoxon_p(column) for column in data.T]
        found[name] = percent(np.array([value is not None and value <= 0.05 for value in p]))
    return found


def detected(data_sets: int) -> tuple[float, float]:
    """Return how often the paired t test and the signed-rank test find the smallest detectable difference, in %."""
    data = np.random.default_rng(3).normal(detectable_effect(N_CASES), 1, (N_CASES, data_sets))
    t_test = stats.ttest_1samp(data, 0.0, axis=0).pvalue
    signed_rank = stats.wilcoxon(data, axis=0).pvalue
    return percent(t_test <= 0.05), percent(signed_rank <= 0.05)


def band_coverage(data_sets: int) -> dict[int, tuple[float, float]]:
    """Return n → share of simultaneous bands, and of all pointwise intervals together, that hold the curve, in %."""
    budgets = np.arange(0, 2001, 50)
    found = {}
    for n in (4, 5, 20, N_CASES, 100):
        rng = np.random.default_rng([4, n])
        counts = resample_counts(n, BAND_RESAMPLES, np.random.default_rng(BOOTSTRAP_SEED))
        truth = 0.75 * (1 - np.exp(-budgets / 600)) * 1e6
        hits = np.array([_holds(_curves(rng, n, budgets), counts, truth) for _ in range(data_sets)])
        found[n] = (percent(hits[:, 0]), percent(hits[:, 1]))
    return found


def _curves(rng: np.random.Generator, n: int, budgets: NDArray[np.int64]) -> Floats:
    """Return coverage of 30 concepts that are reported after exponential waits, or never; shape (cases, budgets)."""
    ever = rng.random((n, 30)) < rng.beta(12, 4, (n, 1))
    reported = np.where(ever, rng.exponential(600, (n, 30)), np.inf)
    return np.rint((reported[:, :, np.newaxis] <= budgets).mean(axis=1) * 1e6)


def _holds(values: Floats, counts: Floats, truth: Floats) -> tuple[bool, bool]:
    described = describe(values)
    means, squares = bootstrap_means(values, counts), bootstrap_means(values * values, counts)
    band = sup_t_band(means, squares, described.mean, described.sd, described.n)
    pointwise = percentile_bounds(means, described.n)
    return _within(band, truth), _within(pointwise, truth)


def _within(bounds: Floats, truth: Floats) -> bool:
    return bool(((bounds[0] <= truth + 1) & (truth - 1 <= bounds[1])).all())


def seed_coverage(data_sets: int) -> dict[tuple[int, float], tuple[float, ...]]:
    """Return (seeds, their sd) → coverage in %, of the interval for the same cases under each seed, and of wrong ones.

    In order: crossed, nested and pooled intervals of data with the same cases under every seed; then the nested
    interval of data with other cases under every seed.
    """
    found = {}
    for n_seeds in (3, 5, 10):
        for number, sd_seed in enumerate((0.0, 0.03)):
            rng = np.random.default_rng([5, n_seeds, number])
            draws = np.random.default_rng(BOOTSTRAP_SEED)
            same = _seeds(rng, (n_seeds, data_sets), sd_seed, same_cases=True)
            other = _seeds(rng, (n_seeds, data_sets), sd_seed, same_cases=False)
            counts = resample_counts(N_CASES * n_seeds, SEED_RESAMPLES, draws)
            intervals = (
                hierarchical_interval(same, SEED_RESAMPLES, draws, crossed=True)[1],
                hierarchical_interval(same, SEED_RESAMPLES, draws)[1],
                percentile_intervals(np.vstack(same), counts),
                hierarchical_interval(other, SEED_RESAMPLES, draws)[1],
            )
            truth = 0.7e6
            found[n_seeds, sd_seed] = tuple(percent((low <= truth) & (truth <= high)) for low, high in intervals)
    return found


def _seeds(rng: np.random.Generator, sizes: tuple[int, int], sd_seed: float, *, same_cases: bool) -> list[Floats]:
    """Return one array per seed, shape (cases, data sets)."""
    shape = (N_CASES, sizes[1])
    shared = rng.normal(0.7, 0.12, shape)
    groups = []
    for shift in rng.normal(0, sd_seed, sizes):
        cases = shared if same_cases else rng.normal(0.7, 0.12, shape)
        groups.append(np.rint((cases + shift + rng.normal(0, 0.06, shape)) * 1e6))
    return groups


@dataclass(frozen=True)
class Results:
    """All that the page tells, in per cent."""

    intervals: dict[str, tuple[float, float]]
    false_positives: dict[str, float]
    detected: tuple[float, float]
    bands: dict[int, tuple[float, float]]
    seeds: dict[tuple[int, float], tuple[float, ...]]
    logs: dict[str, tuple[float, ...]]
    corrections: dict[str, tuple[float, float]]


def simulate(n: DataSets) -> Results:
    """Run every simulation."""
    return Results(
        interval_coverage(n.intervals),
        false_positives(n.tested),
        detected(n.intervals),
        band_coverage(n.bands),
        seed_coverage(n.seeds),
        compared_logs(n.logs),
        corrected_coverage(n.corrections),
    )


def parts(results: Results) -> dict[str, list[str]]:
    """Return the lines of each part of the page that holds numbers."""
    t_test, signed_rank = results.detected
    return {
        "intervals": [f"| {name} | {hit:.1f} | {low:.1f} |" for name, (hit, low) in results.intervals.items()],
        "false_positives": [f"| {name} | {share:.1f} |" for name, share in results.false_positives.items()],
        "bands": [f"| {n} | {band:.1f} | {points:.1f} |" for n, (band, points) in results.bands.items()],
        "seeds": [
            f"| {n} | {sd:.2f} | " + " | ".join(f"{share:.1f}" for share in shares) + " |"
            for (n, sd), shares in results.seeds.items()
        ],
        "logs": [
            f"| {name} | " + " | ".join(f"{share:.1f}" for share in shares) + " |"
            for name, shares in results.logs.items()
        ],
        "corrections": [f"| {name} | {hit:.1f} | {raw:.1f} |" for name, (hit, raw) in results.corrections.items()],
        "t_test": [f"{t_test:.1f}"],
        "signed_rank": [f"{signed_rank:.1f}"],
    }


def page(results: Results) -> str:
    """Return the page."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, lines in parts(results).items():
        text = text.replace(f"{{{{ {name} }}}}", "\n".join(lines))
    return text


def main(arguments: list[str]) -> int:
    """Write the page, or check it; return the exit status."""
    text = page(simulate(DataSets()))
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        print(f"wrote {PAGE}")
        return 0
    if PAGE.read_text(encoding="utf-8") != text:
        print(f"{PAGE} is not what comes out; run this without --check", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

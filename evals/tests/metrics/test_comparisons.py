"""Comparisons of variants: what is paired, what is left out, and that a plain loop says the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from exaid_evals.config.metrics import BootstrapConfig, ComparisonsConfig, MetricsConfig
from exaid_evals.errors import ConfigError
from exaid_evals.metrics.aggregate import aggregate
from exaid_evals.metrics.comparison_stage import Compared, Side, compare, compared_measures
from exaid_evals.metrics.records import COVERAGE_CURVE, SKIPPED_FAILED_TRACE, CaseMetrics, Comparison, LeftOut

BOOTSTRAP = BootstrapConfig(resamples=1000)
BETTER = {"coverage": "higher", "delay": "lower"}

Values = list[float | None]


def side(variant: str, failed: tuple[int, ...] = (), **measures: Values) -> Compared:
    """Return a variant whose measures in each case are given; a failed case's are not looked at."""
    rows = zip(*measures.values(), strict=True)
    cases = [
        CaseMetrics(f"case-{number:02d}", variant, SKIPPED_FAILED_TRACE)
        if number in failed
        else CaseMetrics(f"case-{number:02d}", variant, measures=dict(zip(measures, row, strict=True)))
        for number, row in enumerate(rows)
    ]
    return Side(measures, cases).of(variant, f"sha256:{variant}")


def compared(*variants: Compared, against: Compared, better: dict[str, str] = BETTER) -> list[Comparison]:
    """Compare, signed."""
    return compare(variants, against, better, BOOTSTRAP, stub=True, signature="s")


def random_values(n: int, seed: int) -> Values:
    """Return numbers with 6 decimals."""
    return list(np.random.default_rng(seed).random(n).round(6).tolist())


def test_statistics_by_hand() -> None:
    """Differences 1, 2, 3 and 0: mean 1.5, all ranks in favour, p 2/2³, Holm over the two measures."""
    variant = side("V1", coverage=[2, 3, 4, 5], delay=[1, 1, 1, 1])
    one, two = compared(variant, against=side("V3", coverage=[1, 1, 1, 5], delay=[1, 1, 1, 1]))
    assert (one.variant_id, one.against, one.measure, one.better) == ("V1", "V3", "coverage", "higher")
    assert (one.n, one.n_zero, one.left_out, one.mean_difference) == (4, 1, (), 1.5)
    assert (one.wilcoxon_p, one.holm_p, one.rank_biserial) == (0.25, 0.25, 1.0)
    assert one.made_from == {"V1": "sha256:V1", "V3": "sha256:V3"}
    assert (two.mean_difference, two.ci95_low, two.ci95_high, two.n_zero) == (0.0, 0.0, 0.0, 4)
    assert two.wilcoxon_p is two.holm_p is two.rank_biserial is two.smallest_detectable_difference is None


def test_each_statistic_is_that_of_a_loop_and_of_scipy_and_statsmodels() -> None:
    """Indices drawn with the shared seed, differences resampled case by case; SciPy's tests; statsmodels' Holm."""
    n = 20
    variants = [
        side(name, coverage=random_values(n, seed), delay=random_values(n, seed + 1))
        for name, seed in (("V0", 1), ("V1", 3))
    ]
    against = side("V3", coverage=random_values(n, 5), delay=random_values(n, 6))
    found = compared(*variants, against=against)
    assert [(one.variant_id, one.measure) for one in found] == [(v, m) for v in ("V0", "V1") for m in BETTER]
    rng = np.random.default_rng(BOOTSTRAP.seed)
    indices = rng.integers(0, n, size=(BOOTSTRAP.resamples, n))
    p_values = []
    for one in found:
        variant = next(variant for variant in variants if variant.variant_id == one.variant_id)
        differences = (variant.values - against.values)[:, list(BETTER).index(one.measure)].round(6)
        means = differences[indices].mean(axis=1)
        assert one.mean_difference == pytest.approx(differences.mean(), abs=1e-9)
        assert [one.ci95_low, one.ci95_high] == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=1e-9)
        p_values.append(stats.wilcoxon(differences).pvalue)
        detectable = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8) * differences.std(ddof=1)
        assert one.smallest_detectable_difference == pytest.approx(detectable, rel=1e-4)
    assert [one.wilcoxon_p for one in found] == pytest.approx(p_values, abs=1e-9)
    assert [one.holm_p for one in found] == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-9)


def test_undefined_and_failed_cases_are_left_out_with_the_reason() -> None:
    """With those left out, n is the number of cases; a case counts only where both sides define the measure."""
    variant = side("V1", (4,), coverage=[None, 0.5, None, 0.75, 0.9], delay=[1, 2, 3, 4, 5])
    against = side("V3", (4,), coverage=[0.5, None, None, 0.5, 0.9], delay=[1, 2, 3, 5, 5])
    one, two = compared(variant, against=against)
    assert (one.n, one.mean_difference, one.ci95_low, one.ci95_high) == (1, 0.25, None, None)
    assert one.smallest_detectable_difference is None
    assert one.left_out == (
        LeftOut("case-00", "undefined_in_variant"),
        LeftOut("case-01", "undefined_in_against"),
        LeftOut("case-02", "undefined_in_both"),
        LeftOut("case-04", "failed_trace"),
    )
    assert (two.n, two.left_out) == (4, (LeftOut("case-04", "failed_trace"),))


def test_no_case_in_common_says_nothing() -> None:
    """Where no case counts every statistic is None, and Holm's family is the others."""
    one, two = compared(
        side("V1", coverage=[None, 0.5, 0.5], delay=[1, 2, 3]),
        against=side("V3", coverage=[0.5, None, None], delay=[3, 3, 5]),
    )
    assert (one.n, one.mean_difference, one.wilcoxon_p, one.holm_p) == (0, None, None, None)
    assert two.holm_p == two.wilcoxon_p


def test_only_failed_cases_leave_nothing_to_compare() -> None:
    """A comparison over no conversation at all is a record without numbers, and no error."""
    one, _ = compared(side("V1", (0,), coverage=[1], delay=[1]), against=side("V3", (0,), coverage=[1], delay=[1]))
    assert (one.n, one.mean_difference, len(one.left_out)) == (0, None, 1)


def test_differences_are_ties_where_decimals_say_so() -> None:
    """0.3 − 0.2 and 0.4 − 0.3 differ in binary; in millionths both are 0.1: ties, and zeros are zeros."""
    one, _ = compared(
        side("V1", coverage=[0.3, 0.4, 0.1 + 0.2, 0.7], delay=[1] * 4),
        against=side("V3", coverage=[0.2, 0.3, 0.3, 0.8], delay=[1] * 4),
    )
    assert (one.n_zero, one.wilcoxon_p) == (1, pytest.approx(stats.wilcoxon([1.0, 1, 0, -1]).pvalue))


def test_the_resamples_are_those_of_the_aggregates() -> None:
    """Against a constant the difference's interval is the mean's interval, moved by the constant."""
    values = random_values(15, 9)
    against = side("V3", coverage=[0.25] * 15)
    (one,) = compared(side("V1", coverage=values), against=against, better={"coverage": "higher"})
    config = MetricsConfig(budget_list=(25,), bootstrap=BOOTSTRAP)
    cases = [
        CaseMetrics(f"case-{number:02d}", "V1", measures={"coverage": value}, curves={COVERAGE_CURVE: [0.0, value]})
        for number, value in enumerate(values)
    ]
    estimate = aggregate({"V1": cases}, config, stub=True, signature="s")["V1"].measures["coverage"]
    assert estimate.ci95_low is not None
    assert estimate.ci95_high is not None
    assert [one.ci95_low, one.ci95_high] == pytest.approx(
        [estimate.ci95_low - 0.25, estimate.ci95_high - 0.25], abs=1e-9
    )


def test_a_variants_numbers_do_not_depend_on_the_others() -> None:
    """All but Holm's adjustment, which is over the table."""
    sides = [side(f"V{seed}", coverage=random_values(12, seed), delay=random_values(12, seed + 9)) for seed in range(3)]
    together = compared(*sides[:2], against=sides[2])
    alone = compared(sides[0], against=sides[2])
    assert [(o.ci95_low, o.wilcoxon_p) for o in together[:2]] == [(o.ci95_low, o.wilcoxon_p) for o in alone]
    assert all(a.holm_p >= b.holm_p for a, b in zip(together, alone, strict=False))  # type: ignore[operator]


def test_measures_are_named_or_matched() -> None:
    """A pattern stands for what it matches, also nothing; a name that no measure has is refused by name."""
    names = list(compared_measures(MetricsConfig()))
    assert names[:1] == ["compression"]
    assert {"coverage", "coverage_at_250", "coverage_at_2000", "restated"} <= set(names)
    assert not [name for name in names if name.startswith("redundancy_")]
    nothing = MetricsConfig(comparisons=ComparisonsConfig(measures=("no_such_*",)))
    assert compared_measures(nothing) == {}
    unknown = MetricsConfig(comparisons=ComparisonsConfig(measures=("coverage", "coverge")))
    with pytest.raises(ConfigError, match=r"comparisons\.measures: no measure is called coverge; there are .*coverage"):
        compared_measures(unknown)

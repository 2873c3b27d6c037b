"""What goes with how runs end: found where it was planted, not where nothing was, against SciPy and scikit-learn."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.compare.runs import curve, run, write_run
from exaid_evals.analysis.compare.collect import Collected, Run
from exaid_evals.analysis.impact.associations import (
    Parameter,
    adjusted_together,
    category_rates,
    clopper_pearson,
    parameters_of,
    rank_correlations,
)
from exaid_evals.analysis.impact.report import findings, runs_phrase
from exaid_evals.analysis.impact.stage import HyperparameterAnalyzer, importance
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from folders import contents


def number(name: str, values: Any) -> Parameter:
    """Return a numeric parameter."""
    return Parameter(name, True, tuple(None if value is None else float(value) for value in values))


def category(name: str, values: Any) -> Parameter:
    """Return a category."""
    return Parameter(name, False, tuple(None if value is None else str(value) for value in values))


def searched(rng: np.random.Generator, n: int, effect: float) -> list[Run]:
    """Return a random search: the learning rate moves the top by an effect, depth and optimizer do nothing."""
    runs = []
    for at in range(n):
        rate = float(10 ** rng.uniform(-4, -1))
        config = {"lr": rate, "depth": int(rng.integers(2, 9)), "optimizer": str(rng.choice(["adam", "sgd"]))}
        top = 0.8 + effect * (np.log10(rate) + 2.5) / 1.5
        runs.append(run(f"r{at}", {"val_accuracy": curve(rng, 30, top)}, {**config, "seed": at, "batch": 32}))
    return runs


def test_numbers_categories_constants_and_names_are_distinguished_by_type() -> None:
    """A truth value is a category, text that is a number is one, seeds and names are none, constants are left out."""
    settings = [
        {
            "lr": 0.1 * at,
            "flag": at % 2 == 0,
            "kind": "ab"[at % 2],
            "hash": f"x{at}",
            "same": 1,
            "seed": at,
            "run_name": "r",
        }
        for at in range(4)
    ]
    settings[0]["mixed"], settings[1]["mixed"], settings[2]["mixed"] = 1, "auto", 1
    found = parameters_of(settings)
    assert [(one.name, one.numeric, one.n_missing) for one in found.varying] == [
        ("flag", False, 0),
        ("kind", False, 0),
        ("lr", True, 0),
        ("mixed", False, 1),
    ]
    assert found.constant == ("same",)
    assert found.unique == ()  # a hash names a run, and is not a parameter at all
    assert parameters_of([{"tag": f"x{at}"} for at in range(4)]).unique == ("tag",)


def test_correlations_are_scipys_and_holm_covers_the_table() -> None:
    """ρ and p with ties and missing values are those of spearmanr on the pairs; p is adjusted over all tested."""
    rng = np.random.default_rng(1)
    x = [None, *rng.integers(0, 6, 29).tolist()]
    y = [*rng.normal(size=29).tolist(), None]
    columns = [number("a", x), number("b", rng.normal(size=30))]
    found, _ = adjusted_together(rank_correlations(columns, {"level": y, "drop": [None] * 30}), [])
    (one,) = [each for each in found if (each.parameter, each.outcome) == ("a", "level")]
    oracle = stats.spearmanr(x[1:29], y[1:29])
    assert one.n == 28
    assert (one.rho, one.p) == pytest.approx((oracle.statistic, oracle.pvalue))
    assert [each.rho for each in found if each.outcome == "drop"] == [None, None]
    ps = sorted(each.p for each in found if each.p is not None)
    adjusted = sorted(each.p_adjusted for each in found if each.p_adjusted is not None)
    assert adjusted == pytest.approx([min(1.0, 2 * ps[0]), max(min(1.0, 2 * ps[0]), ps[1])])


def test_intervals_of_correlations_hold() -> None:
    """Of 400 samples of 25 with a true Spearman of 0.5, at least 93 % of the intervals hold it."""
    rng = np.random.default_rng(2)
    pearson = 2 * np.sin(np.pi * 0.5 / 6)
    held = 0
    for _ in range(400):
        x = rng.normal(size=25)
        y = pearson * x + np.sqrt(1 - pearson**2) * rng.normal(size=25)
        (one,) = rank_correlations([number("x", x)], {"level": y.tolist()})
        assert one.low is not None
        assert one.high is not None
        held += one.low <= 0.5 <= one.high
    assert held >= 372


def test_nothing_is_said_of_few_runs() -> None:
    """Nine pairs have no correlation, however perfect they look; and the report says how many are needed."""
    (one,) = rank_correlations([number("x", range(9))], {"level": [float(at) for at in range(9)]})
    assert (one.n, one.rho, one.p) == (9, None, None)
    found = HyperparameterAnalyzer("").of(Collected(tuple(searched(np.random.default_rng(3), 6, 0.1)), ()))
    assert findings(found)[0].startswith("Nothing can be said: 6 runs are too few")


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 7), (7, 7), (12, 40)])
def test_rates_have_clopper_and_pearsons_intervals(k: int, n: int) -> None:
    """SciPy's exact interval is the oracle."""
    oracle = stats.binomtest(k, n).proportion_ci(method="exact")
    assert clopper_pearson(k, n) == pytest.approx((oracle.low, oracle.high))


def test_the_test_of_rates_agrees_with_an_exact_one() -> None:
    """The permutation p of a 2 by 2 table is that of enumerating all tables; small categories have no say."""
    kinds = category("kind", ["a"] * 10 + ["b"] * 10 + ["c"] * 2)
    bad = [True] * 7 + [False] * 3 + [True] * 1 + [False] * 9 + [True] * 2
    (found,) = category_rates([kinds], bad, [0.5] * 22)
    table = [stats.hypergeom(20, 8, 10).pmf(k) for k in range(9)]
    exact = sum(p for k, p in enumerate(table) if abs(k - 4) >= 3)
    assert found.p == pytest.approx(exact, abs=0.006)
    assert [(one.value, one.n, one.n_anomalous) for one in found.categories] == [
        ("a", 10, 7),
        ("b", 10, 1),
        ("c", 2, 2),
    ]
    (alike,) = category_rates([kinds], [False] * 22, [None] * 22)
    assert alike.p is None
    assert alike.categories[0].mean is None


@pytest.mark.slow
def test_importance_finds_what_was_planted_and_ranks_it_as_scikit_learn_does() -> None:
    """The planted number comes first, before a planted category, before noise; permutation_importance agrees."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    rng = np.random.default_rng(4)
    x, kinds, noise = rng.uniform(size=80), rng.choice(["p", "q"], 80), rng.uniform(size=80)
    y = 3 * x + 1.0 * (kinds == "q") + rng.normal(0, 0.2, 80)
    found = importance([number("noise", noise), number("x", x), category("kind", kinds)], y.tolist())
    assert found.withheld is None
    assert min(found.r2) > 0.6
    assert [one.parameter for one in found.parameters] == ["x", "kind", "noise"]
    assert abs(found.parameters[-1].mean) < 0.05
    columns = np.array([noise, x, kinds == "q"], dtype=np.float64).T
    forest = RandomForestRegressor(100, min_samples_leaf=2, random_state=0).fit(columns[:50], y[:50])
    oracle = permutation_importance(forest, columns[50:], y[50:], n_repeats=20, random_state=0).importances_mean
    ours = {one.parameter: one.mean for one in found.parameters}
    assert [ours["noise"], ours["x"], ours["kind"]] == pytest.approx(oracle.tolist(), abs=0.35)


@pytest.mark.slow
def test_importance_is_withheld_where_the_model_predicts_nothing() -> None:
    """Of 4 searches without any effect none is given."""
    rng = np.random.default_rng(5)
    given = 0
    for _ in range(4):
        columns = [number(f"x{at}", rng.normal(size=24)) for at in range(3)]
        given += importance(columns, rng.normal(size=24).tolist()).withheld is None
    assert given == 0


@pytest.mark.slow
def test_importance_says_why_it_is_withheld() -> None:
    """Too few runs, a metric that is the same in all, and a model that predicts nothing, with its R²."""
    rng = np.random.default_rng(5)
    assert "19 configurations are too few" in str(
        importance([number("x", range(19))], [0.1 * at for at in range(19)]).withheld
    )
    assert "the same in all" in str(importance([number("x", range(30))], [1.0] * 30).withheld)
    reported = importance([number("x", rng.normal(size=30))], rng.normal(size=30).tolist())
    assert "cross-validated R²" in str(reported.withheld)
    assert len(reported.r2) == 4


def test_a_planted_effect_is_found_and_nothing_else() -> None:
    """The learning rate that moves the top is found with its sign; depth and optimizer, which do nothing, are not."""
    found = HyperparameterAnalyzer("").of(Collected(tuple(searched(np.random.default_rng(6), 40, 0.1)), ()))
    significant = {
        one.parameter for one in found.correlations if (one.p_adjusted or 1) <= 0.05 and one.outcome == "level"
    }
    assert significant == {"lr"}
    assert findings(found)[0].startswith("lr: with a higher lr, val_accuracy is higher (better)")
    assert found.importance.parameters[0].parameter == "lr"
    assert "batch" in found.parameters.constant


def test_without_an_effect_nothing_is_found_in_ninety_five_of_a_hundred() -> None:
    """Of 200 searches in which nothing matters, at most 5 % (and what chance adds to that) name a parameter."""
    rng = np.random.default_rng(7)
    named = 0
    for _ in range(200):
        n = int(rng.integers(12, 40))
        columns = [number(f"x{at}", rng.normal(size=n)) for at in range(4)]
        outcomes = {"level": rng.normal(size=n).tolist(), "drop": rng.exponential(size=n).tolist()}
        found, _ = adjusted_together(rank_correlations(columns, outcomes), [])
        named += any((one.p_adjusted or 1) <= 0.05 for one in found)
    assert named <= stats.binom.ppf(0.99, 200, 0.05)


@pytest.mark.slow
def test_a_category_that_goes_wrong_is_named() -> None:
    """Runs of one optimizer drop at half of their length: its rate is high, the other's is not, and it is said."""
    rng = np.random.default_rng(8)
    runs = []
    for at in range(24):
        values = curve(rng, 60)
        if at % 2:
            values[30:] -= 0.4
        runs.append(
            run(f"r{at}", {"val_accuracy": values}, {"optimizer": ("adam", "sgd")[at % 2], "lr": at, "seed": 0})
        )
    found = HyperparameterAnalyzer("").of(Collected(tuple(runs), ()))
    rates = {one.value: one.rate for one in found.rates[0].categories}
    assert rates["sgd"] == 1
    assert rates["adam"] <= 0.1
    assert any(line.startswith("optimizer: runs go wrong at different rates") for line in findings(found))


def seeded(rng: np.random.Generator, configurations: int, seeds: int) -> list[Run]:
    """Return a search with seeds, whose level goes with what nobody logged and with no parameter."""
    runs = []
    for number in range(configurations):
        config = {"lr": float(10 ** rng.uniform(-4, -1)), "kind": str(rng.choice(["a", "b"]))}
        offset = rng.normal(0, 0.03)
        for seed in range(seeds):
            values = 0.8 + offset + rng.normal(0, 0.005) + rng.normal(0, 0.002, 12)
            runs.append(run(f"c{number}s{seed}", {"val_accuracy": values}, {**config, "seed": seed}))
    return runs


@pytest.mark.slow
def test_seeds_of_one_configuration_are_no_independent_runs() -> None:
    """Of 150 searches of 10 configurations with 5 seeds in which nothing logged matters, hardly more than 5 % name one.

    Counted as 50 independent runs, about two fifths did.
    """
    from exaid_evals.analysis.impact.associations import configurations_of, first_runs, means

    rng = np.random.default_rng(11)
    named = counted_as_runs = 0
    for _ in range(150):
        runs = seeded(rng, 10, 5)
        settings = [one.settings for one in runs]
        final_means = [float(one.history.series["val_accuracy"].clean.values.mean()) for one in runs]
        of, varying = configurations_of(settings), parameters_of(settings).varying
        configurations = rank_correlations(
            [one.of(first_runs(of)) for one in varying], {"level": means(final_means, of)}
        )
        as_runs = rank_correlations(varying, {"level": final_means})
        named += any((one.p_adjusted or 1) <= 0.05 for one in adjusted_together(configurations, [])[0])
        counted_as_runs += any((one.p_adjusted or 1) <= 0.05 for one in adjusted_together(as_runs, [])[0])
    assert counted_as_runs > 40
    assert named <= stats.binom.ppf(0.99, 150, 0.05)


@pytest.mark.slow
def test_importance_does_not_recognise_configurations() -> None:
    """Of 3 searches of 24 configurations with 4 seeds none has an importance, as nothing logged matters."""
    from exaid_evals.analysis.impact.associations import configurations_of, first_runs, means

    rng = np.random.default_rng(12)
    given = 0
    for _ in range(3):
        runs = seeded(rng, 24, 4)
        settings = [one.settings for one in runs]
        final_means = [float(one.history.series["val_accuracy"].clean.values.mean()) for one in runs]
        of, varying = configurations_of(settings), parameters_of(settings).varying
        found = importance([one.of(first_runs(of)) for one in varying], means(final_means, of))
        assert found.n == 24
        given += found.withheld is None
    assert given == 0


def test_the_analysis_counts_configurations() -> None:
    """Correlations, rates and importance are over the configurations, and the report says how many those are."""
    found = HyperparameterAnalyzer("").of(Collected(tuple(seeded(np.random.default_rng(14), 11, 3)), ()))
    assert (len(found.runs), found.n_configurations, found.importance.n) == (33, 11, 11)
    assert {one.n for one in found.correlations} == {11}
    assert sum(one.n_configurations for one in found.rates[0].categories) == 11
    assert runs_phrase(found) == "33 runs of 11 configurations, which n counts"


def test_configurations_are_permuted_whole() -> None:
    """Three configurations of one kind that go wrong with every seed are three, and no proof."""
    of = [number for number in range(10) for _ in range(5)]
    kinds = category("kind", ["ab"[number % 2] for number in of])
    bad = [number in (0, 2, 4) for number in of]
    (by_run,) = category_rates([kinds], bad, [None] * 50)
    (by_configuration,) = category_rates([kinds], bad, [None] * 50, configurations=of)
    assert (by_run.p or 1) < 0.001
    assert by_configuration.p == pytest.approx(2 * 10 / 120, abs=0.02)
    first = by_configuration.categories[0]
    assert (first.n, first.n_anomalous, first.n_configurations) == (25, 15, 5)
    assert (first.low, first.high) == pytest.approx(clopper_pearson(3, 5))


def test_a_parameter_that_half_of_the_runs_lack_is_no_constant() -> None:
    """Dropout that is set in half of the runs is a category of two: absent, and its value."""
    found = parameters_of([{"lr": at, **({"dropout": 0.1} if at % 2 else {})} for at in range(12)])
    (dropout,) = [one for one in found.varying if one.name == "dropout"]
    assert (dropout.numeric, set(dropout.values)) == (False, {"absent", "0.1"})
    assert found.constant == ()


def test_a_run_that_diverged_has_no_level() -> None:
    """What it had before its NaN is not how it ended; it is named."""
    rng = np.random.default_rng(13)
    runs = searched(rng, 12, 0.1)
    values = curve(rng, 30, 0.99)
    values[15:] = np.nan
    runs.append(run("gone", {"val_accuracy": values}, {"lr": 0.5, "seed": 1}))
    found = HyperparameterAnalyzer("").of(Collected(tuple(runs), ()))
    assert (found.final_means[-1], found.drops[-1]) == (None, None)
    assert any("NaN or infinite: gone" in note for note in found.notes)


@pytest.mark.slow
def test_the_verb_writes_what_it_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Findings on standard output are the record's; files are valid, and the same from two processes and a cluster."""
    rng = np.random.default_rng(9)
    for one in searched(rng, 24, 0.1):
        values = one.history.series["val_accuracy"].clean.values
        write_run(tmp_path / "runs" / one.name, {"val_accuracy": values}, one.settings)
    for name, how in {"a": [], "b": ["--jobs", "2"], "c": ["--cluster", "local:2"]}.items():
        assert cli(["impact", "--runs", f"{tmp_path}/runs/*", "--output-dir", str(tmp_path / name), *how]) == 0
    shown = capsys.readouterr().out
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    path = tmp_path / "a" / "impact.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert not list(violations(record))
    assert all(line in shown for line in record["findings"])
    with (tmp_path / "a" / "impact.csv").open(encoding="utf-8", newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 24
    assert cli(["validate", str(path)]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "reported"),
    [
        (["--runs", "zzz*"], 1, "fits"),
        (["--runs", "run-a"], 1, "nothing varies"),
        (["--runs", "run-*", "--metric", "nope"], 2, "they have"),
        (["--runs", "run-*"], 2, "--metric"),
        (["--runs", "run-*", "--better", "lower"], 2, "says nothing without a metric"),
    ],
)
def test_mistakes_are_reported_without_a_traceback(
    arguments: list[str], status: int, reported: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each mistake of a user's has its exit status and says what to do; nothing is written."""
    for name in ("run-a", "run-b"):
        write_run(tmp_path / name, {"alpha": [0.1] * 9}, {"depth": 1})
    out = tmp_path / "out"
    assert cli(["impact", "--from", str(tmp_path), "--output-dir", str(out), *arguments]) == status
    assert reported in capsys.readouterr().err
    assert not out.exists()

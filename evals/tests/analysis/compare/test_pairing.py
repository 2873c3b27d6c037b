"""Configurations that share their seeds are held against each other within each seed, and nothing else is."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.compare.runs import run, write_run
from exaid_evals.analysis.compare.collect import Collected, Run
from exaid_evals.analysis.compare.groups import group_runs
from exaid_evals.analysis.compare.performance import Ranking, lead_of, rank, runs_needed
from exaid_evals.analysis.compare.recommend import ExperimentComparator, recommendations, verdict
from exaid_evals.analysis.compare.report import ranking_rows
from exaid_evals.analysis.compare.write import write_comparison
from exaid_evals.cli.main import run as cli

METRIC = "val_accuracy"


def runs_of(
    tops: Sequence[Sequence[float] | NDArray[np.float64]], seeds: Sequence[Sequence[int]] | None = None
) -> list[Run]:
    """Return runs that end exactly at the given levels, a row a configuration, a column a seed."""
    return [
        run(f"m{at}-s{seed}", {METRIC: [0.1] * 20 + [float(top)] * 5}, {"model": at, "seed": seed})
        for at, row in enumerate(tops)
        for seed, top in zip(range(len(row)) if seeds is None else seeds[at], row, strict=True)
    ]


def ranked(runs: Sequence[Run], direction: str = "higher", by: str = "seed") -> Ranking:
    """Return the ranking by the metric."""
    found = rank(group_runs(runs, by).groups, METRIC, direction)  # type: ignore[arg-type]
    assert found is not None
    return found


def with_seed_effect(rng: np.random.Generator, gaps: Sequence[float], n: int, share: float) -> NDArray[np.float64]:
    """Return levels of deviation 0.01 of which the seed makes a share of the variance, shape (configurations, n)."""
    own = rng.normal(0, 0.01 * np.sqrt(1 - share), (len(gaps), n))
    final_means: NDArray[np.float64] = 0.8 + np.asarray(gaps)[:, None] + own + rng.normal(0, 0.01 * np.sqrt(share), n)
    return final_means


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_the_interval_of_a_lead_is_that_of_the_paired_t_test(direction: str) -> None:
    """SciPy's ttest_rel is the oracle, in both directions: a lead is positive where the first is better."""
    final_means = with_seed_effect(np.random.default_rng(1), (0.0, 0.004), 6, 0.7)
    found = ranked(runs_of(final_means), direction)
    (lead,) = found.leads.values()
    best, worst = (
        (final_means[1], final_means[0])
        if final_means[1].mean() > final_means[0].mean()
        else (final_means[0], final_means[1])
    )
    oracle = stats.ttest_rel(best, worst).confidence_interval()
    assert (lead.low, lead.high) == pytest.approx((oracle.low, oracle.high))
    assert lead.n == 6
    assert found.verdict == ("better" if oracle.low > 0 else "not_told_apart")


def test_a_difference_that_seeds_hide_is_reported() -> None:
    """The same levels under other seeds cannot be distinguished; the report says which of the two was done."""
    final_means = with_seed_effect(np.random.default_rng(2), (0.0, 0.004), 5, 0.97)
    paired = ranked(runs_of(final_means))
    unpaired = ranked(runs_of(final_means, [range(5), range(5, 10)]))
    assert (paired.verdict, unpaired.verdict) == ("better", "not_told_apart")
    assert paired.first.level == unpaired.first.level
    assert unpaired.leads == {}
    behind = [row[ranking_rows(paired)[0].index("behind the first [95 %]")] for row in ranking_rows(paired)[1:]]
    assert behind[0] == "–"
    assert behind[1].endswith("], 5 pairs")
    assert ranking_rows(unpaired)[2][4].endswith(", not paired")
    assert "] over 5 pairs" in verdict(paired)
    assert "pairs" not in verdict(unpaired)


@pytest.mark.parametrize(
    ("seeds", "pairs"),
    [
        ([[0, 1, 2, 3], [0, 1, 2, 3]], 4),
        ([[0, 1, 2, 3], [0, 1]], 2),  # all of the smaller group
        ([[0, 1, 2, 3], [2, 3, 4, 5]], None),  # neither holds the other: half of what is known would be thrown away
        ([[0, 1, 2, 3], [0]], None),
        ([[0, 1], [5, 6]], None),
    ],
)
def test_what_is_paired_follows_from_the_seeds_alone(seeds: list[list[int]], pairs: int | None) -> None:
    """The seeds of the smaller group must all be in the larger, two at least."""
    rng = np.random.default_rng(3)
    found = ranked(runs_of([rng.normal(0.8, 0.01, len(row)) for row in seeds], seeds))
    assert [lead.n for lead in found.leads.values()] == ([] if pairs is None else [pairs])


def test_folds_are_paired_as_seeds_are() -> None:
    """`--group-by fold`: a hard fold is hard for both."""
    rng = np.random.default_rng(4)
    final_means = with_seed_effect(rng, (0.0, 0.01), 5, 0.95)
    runs = [
        run(f"m{at}f{fold}", {METRIC: [float(final_means[at, fold])] * 9}, {"model": at, "cv": fold})
        for at in range(2)
        for fold in range(5)
    ]
    assert [lead.n for lead in ranked(runs, by="cv").leads.values()] == [5]
    assert ranked(runs, by="none").leads == {}


def test_a_seed_that_diverged_leaves_its_pair() -> None:
    """The difference is over the seeds of which both have a level."""
    runs = runs_of([[0.8, 0.81, 0.79, 0.8], [0.7, 0.72, 0.7, 0.71]])
    runs[0] = run("m0-s0", {METRIC: [0.9] * 20 + [float("nan")] * 20}, {"model": 0, "seed": 0})
    assert [lead.n for lead in ranked(runs).leads.values()] == [3]


def test_differences_that_are_all_the_same_have_no_interval() -> None:
    """No spread is not certainty, here as everywhere."""
    found = ranked(runs_of([[0.5, 0.625, 0.75], [0.25, 0.375, 0.5]]))
    (lead,) = found.leads.values()
    assert (lead.value, lead.low) == (0.25, None)
    assert found.verdict == "not_told_apart"
    assert "no interval" in verdict(found)


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_winners_among_paired_equals_are_rare(share: float) -> None:
    """Of 400 comparisons of two equal configurations with 3 to 9 seeds 5 % name one, whatever seeds have in common."""
    rng = np.random.default_rng([5, int(10 * share)])
    named = sum(
        ranked(runs_of(with_seed_effect(rng, (0, 0), int(rng.integers(3, 10)), share))).verdict == "better"
        for _ in range(400)
    )
    assert stats.binom.ppf(0.005, 400, 0.05) <= named <= stats.binom.ppf(0.995, 400, 0.05)


def test_winners_among_many_paired_equals_are_rarer() -> None:
    """The first must beat all others at once, so that more equals make a winner among them no likelier."""
    rng = np.random.default_rng(6)
    named = sum(ranked(runs_of(with_seed_effect(rng, (0,) * 5, 5, 0.5))).verdict == "better" for _ in range(200))
    assert named <= stats.binom.ppf(0.99, 200, 0.02)


def test_with_the_pairs_that_are_needed_most_differences_are_reported() -> None:
    """The number of runs that is reported is simulated: 80 % and a little more, since it is rounded up."""
    rng = np.random.default_rng(7)
    while True:
        first, second = with_seed_effect(rng, (0.004, 0.0), 6, 0.7)
        found = ranked(runs_of([first, second]))
        if found.verdict == "not_told_apart" and found.first.group.startswith("model=0"):
            break
    (lead,) = found.leads.values()
    n = runs_needed(found.performances[0], found.performances[1], found.leads)
    assert n == found.needed
    assert n is not None
    differences = rng.normal(lead.value, lead.sd or 0, (4000, n))
    half = stats.t.ppf(0.975, n - 1) * differences.std(axis=1, ddof=1) / np.sqrt(n)
    assert 0.76 <= np.mean(differences.mean(axis=1) > half) <= 0.9


def test_equal_levels_have_no_first() -> None:
    """Two configurations of one level are not put in an order that nothing bears."""
    reported = verdict(ranked(runs_of([[0.8, 0.8], [0.8, 0.8]])))
    assert "have the same level" in reported
    assert "comes first" not in reported


def test_a_single_run_is_no_set_of_identical_repetitions() -> None:
    """A run whose last fifth is constant has no interval, and that is said of one run."""
    found = ranked(runs_of([[0.8], [0.8]]))
    assert not found.first.identical
    assert "n = 1" in verdict(found)


def test_variants_of_other_datasets_are_not_paired() -> None:
    """Cases are paired by their dataset and number; without a dataset nothing says that they are the same."""
    from dataclasses import replace

    def variant(name: str, dataset: str | None, seed: int) -> Run:
        values = np.random.default_rng(seed).normal(0.5, 0.1, 12)
        made = run(name, {METRIC: values}, {} if dataset is None else {"dataset": dataset})
        return replace(made, history=replace(made.history, steps_are="case"))

    for datasets, n in ((("a", "a"), 12), (("a", "b"), None), ((None, None), None)):
        found = ranked([variant(f"V{at}", each, at) for at, each in enumerate(datasets)])
        assert found.first.basis == "cases"
        lead = lead_of(found.performances[0], found.performances[1], "higher")
        assert (None if lead is None else lead.n) == n


def test_every_file_says_what_was_paired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Record, CSV, Markdown and console have the difference; the record is valid."""
    final_means = with_seed_effect(np.random.default_rng(2), (0.0, 0.004), 5, 0.97)
    for one in runs_of(final_means):
        write_run(tmp_path / "runs" / one.name, {METRIC: one.history.series[METRIC].clean.values}, one.history.config)
    assert cli(["compare", "--runs", f"{tmp_path}/runs/*", "--output-dir", str(tmp_path / "out")]) == 0
    assert "over 5 pairs" in capsys.readouterr().out
    path = tmp_path / "out" / "comparison.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    first, second = record["metrics"][0]["performances"]
    assert first["behind_first"] is None
    assert second["behind_first"]["n"] == 5
    assert "over 5 pairs" in (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")
    with (tmp_path / "out" / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["n_paired"] for row in rows] == ["", "5"]
    assert float(rows[1]["behind_low"]) == pytest.approx(second["behind_first"]["low"])
    assert cli(["validate", str(path)]) == 0


def test_what_is_recommended_says_that_it_is_paired(tmp_path: Path) -> None:
    """A choice that only the pairs bear names them, and every form of the report can be written."""
    final_means = with_seed_effect(np.random.default_rng(2), (0.0, 0.004), 5, 0.97)
    found = ExperimentComparator("").of(Collected(tuple(runs_of(final_means)), ()))
    assert any("over 5 pairs" in line for line in recommendations(found) if line.startswith("Take model="))
    assert write_comparison(found, tmp_path).is_file()

"""Levels, intervals and verdicts, against SciPy and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.compare.runs import curve, run, search
from exaid_evals.analysis.compare.collect import Collected, Run
from exaid_evals.analysis.compare.groups import group_runs
from exaid_evals.analysis.compare.levels import over_repetitions, run_value, within_run
from exaid_evals.analysis.compare.performance import Ranking, rank
from exaid_evals.analysis.compare.recommend import recommendations, verdict
from exaid_evals.analysis.compare.stability import stability_of
from exaid_evals.analysis.compare.stage import ExperimentComparator
from exaid_evals.analysis.history import CleanSeries


def clean(values: np.ndarray) -> CleanSeries:
    """Return a series over steps 0, 1, 2 and so on."""
    return CleanSeries(np.arange(len(values), dtype=np.float64), np.asarray(values, dtype=np.float64))


def ranked(runs: tuple[Run, ...], metric: str = "val_accuracy") -> Ranking:
    """Return the ranking of runs by a metric that improves upwards."""
    found = rank(group_runs(runs).groups, metric, "higher")
    assert found is not None
    return found


def test_intervals_of_few_repetitions_are_students() -> None:
    """SciPy's t interval of 2 to 9 values is the oracle."""
    rng = np.random.default_rng(1)
    for n in range(2, 10):
        values = rng.normal(5, 2, n)
        low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
        found = over_repetitions(values)
        assert (found.low, found.high) == pytest.approx((low, high))
        assert found.sd == pytest.approx(values.std(ddof=1))
    assert over_repetitions(values[:1]).low is None


def test_intervals_of_many_repetitions_are_bootstrapped_and_hold() -> None:
    """Of skewed values the bootstrap-t interval holds in 90 % of 300 samples of 15 and more, and is the same again."""
    rng = np.random.default_rng(2)
    samples = rng.lognormal(0, 0.7, (300, 15))
    found = [over_repetitions(sample, 500) for sample in samples]
    mean = np.exp(0.7**2 / 2)
    assert np.mean([(one.low or 0) <= mean <= (one.high or 0) for one in found]) >= 0.9
    assert over_repetitions(samples[0]) == over_repetitions(samples[0])
    shifted = over_repetitions(samples[0] + 1e6)
    assert (shifted.high or 0) - (shifted.low or 0) == pytest.approx(
        (over_repetitions(samples[0]).high or 0) - (over_repetitions(samples[0]).low or 0), rel=1e-4
    )


@pytest.mark.parametrize("related", [0.0, 0.6])
def test_noise_within_a_run_gives_intervals_that_hold(related: float) -> None:
    """Of series whose neighbours correlate, at least 90 % of the intervals hold the level; plain ones would not."""
    rng = np.random.default_rng(3)
    held, plain = 0, 0
    for _ in range(300):
        noise = rng.normal(0, np.sqrt(1 - related**2), 400)
        for at in range(1, 400):
            noise[at] += related * noise[at - 1]
        found = within_run(clean(noise))
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
        plain += abs(noise[-80:].mean()) <= 1.99 * noise[-80:].std(ddof=1) / np.sqrt(80)
    assert held >= 270
    if related:
        assert plain < 240


def test_the_number_of_a_run_is_what_is_asked_for() -> None:
    """Level: the mean of the last fifth, at least five; final: the last; best: by direction, or nothing."""
    values = clean(np.arange(50.0))
    assert run_value(values, "level", "lower") == np.arange(40.0, 50.0).mean()
    assert run_value(values, "final", "lower") == 49
    assert run_value(values, "best", "lower") == 0
    assert run_value(values, "best", "higher") == 49
    assert run_value(values, "best", None) is None
    assert run_value(clean(np.arange(3.0)), "level", None) == 2
    assert run_value(clean(np.array([])), "level", None) is None


def test_a_large_difference_is_told_and_a_small_one_is_not() -> None:
    """Five seeds each: a tenth apart, the better one wins; equal, nobody does, and the n is named."""
    rng = np.random.default_rng(5)
    clear = ranked(search(rng, {0.1: 0.9, 0.2: 0.8}, 5).runs)
    assert clear.verdict == "better"
    assert clear.first.group == "lr=0.1"
    even = ranked(search(rng, {0.1: 0.9, 0.2: 0.9}, 5).runs)
    assert even.verdict == "not_told_apart"
    assert "n = 5" in verdict(even)


def test_winners_among_equals_are_rare() -> None:
    """Of 200 comparisons of 2 to 6 equal groups of 3 seeds, at most 5 % name a winner."""
    rng = np.random.default_rng(6)
    wrong = 0
    for number in range(200):
        tops = {float(rate): 0.9 for rate in range(2 + number % 5)}
        wrong += ranked(search(rng, tops, 3, points=20).runs).verdict == "better"
    assert wrong <= 10


def test_one_run_each_is_never_called_better() -> None:
    """Without repetitions a run may be ahead by more than its own noise, and the report says what that is not."""
    found = ranked(search(np.random.default_rng(7), {0.1: 0.9, 0.2: 0.5}, 1).runs)
    assert found.verdict == "ahead"
    assert found.first.basis == "within_run"
    assert "another seed" in verdict(found)


def test_missing_metrics_are_counted_and_no_zero() -> None:
    """A run without the metric changes its group's n, and not its mean; a group without it is named."""
    rng = np.random.default_rng(8)
    having = [run(f"a{seed}", {"val_accuracy": curve(rng)}, {"lr": 1, "seed": seed}) for seed in range(3)]
    lacking = [
        run("a3", {"loss": [1.0] * 20}, {"lr": 1, "seed": 3}),
        run("b", {"loss": [1.0] * 20}, {"lr": 2, "seed": 0}),
    ]
    found = ranked((*having, *lacking))
    assert found.first.n_missing == 1
    assert found.first.level.n == 3
    assert found.first.level.value > 0.8
    assert found.missing == ("b",)
    assert found.verdict == "alone"


def test_runs_needed_are_those_that_a_power_analysis_names() -> None:
    """By the power of a t test in statsmodels, that many runs each find such a difference in 80 % of cases."""
    from statsmodels.stats.power import TTestIndPower

    rng = np.random.default_rng(9)
    found = ranked(search(rng, {0.1: 0.905, 0.2: 0.9}, 6, offset=0.01).runs)
    first, second = found.first.level, found.performances[1].level
    assert found.needed is not None
    assert first.sd is not None
    assert second.sd is not None
    effect = abs(first.value - second.value) / np.sqrt((first.sd**2 + second.sd**2) / 2)
    assert TTestIndPower().power(effect, found.needed, 0.05) == pytest.approx(0.8, abs=0.03)


def test_what_is_recommended_names_its_numbers_and_stops_where_they_do() -> None:
    """Told apart: take it, with the setting that differs. One run each: repeat. Equal: no name is recommended."""
    rng = np.random.default_rng(10)
    clear = ExperimentComparator("").of(search(rng, {0.1: 0.9, 0.2: 0.8}, 4))
    assert recommendations(clear)[0].startswith("Take lr=0.1: its val_accuracy is better by 0.")
    assert "They differ in lr (0.1, 0.2) alone." in recommendations(clear)[0]
    alone = ExperimentComparator("").of(search(rng, {0.1: 0.9, 0.2: 0.8}, 1))
    assert recommendations(alone)[0].startswith("Repeat with other seeds")
    even = ExperimentComparator("").of(search(rng, {0.1: 0.9, 0.2: 0.9}, 4))
    assert not any(line.startswith("Take") for line in recommendations(even))
    two = ExperimentComparator("").of(search(rng, {0.1: 0.9, 0.2: 0.3}, 2, noise=0.001, offset=0.0001))
    assert not any(line.startswith("Take") for line in recommendations(two))


def test_runs_of_different_lengths_are_told_of() -> None:
    """The shortest and the longest are named with their last steps."""
    rng = np.random.default_rng(11)
    runs = (run("long", {"val_accuracy": curve(rng, 60)}, {}), run("short", {"val_accuracy": curve(rng, 30)}, {}))
    found = ExperimentComparator("").of(Collected(runs, ()))
    assert any("from 29 (short) to 59 (long)" in note for note in found.notes)


def test_recovery_is_the_time_until_nine_tenths_are_won_back() -> None:
    """A planted fall of 0.3 that ends after 12 steps has recovered then; one that lasts has not."""
    from exaid_evals.analysis.anomalies.registry import find_anomalies
    from exaid_evals.analysis.settings import AnalysisConfig

    values = np.random.default_rng(12).normal(0.9, 0.005, 100)
    values[40:52] -= 0.3
    back = run("back", {"val_accuracy": values}, {})
    lasting = run("lasting", {"val_accuracy": np.where(np.arange(100) < 40, values, values.min())}, {})
    directions = {"val_accuracy": "higher"}
    for one, expected in ((back, 12.0), (lasting, None)):
        found = find_anomalies(one.history, AnalysisConfig(), directions)  # type: ignore[arg-type]
        steady = stability_of(one, found, directions)  # type: ignore[arg-type]
        (drop,) = [each for each in steady.recoveries if each.step == 40]
        assert drop.steps_to_recover == expected
        assert drop.lost == pytest.approx(0.3, abs=0.02)
        assert drop.watched == 59

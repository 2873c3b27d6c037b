"""Levels, intervals and verdicts, against SciPy and against simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.compare.runs import curve, run, search
from exaid_evals.analysis.compare.collect import Collected, Run
from exaid_evals.analysis.compare.final_means import (
    FinalMean,
    Performance,
    ends_diverged,
    over_repetitions,
    run_final_mean,
    run_value,
    within_run,
)
from exaid_evals.analysis.compare.groups import group_runs
from exaid_evals.analysis.compare.performance import Ranking, rank, runs_needed, separable
from exaid_evals.analysis.compare.recommend import ExperimentComparator, recommendations, verdict, verdicts
from exaid_evals.analysis.compare.report import ranking_rows
from exaid_evals.analysis.compare.stage import stability_of
from exaid_evals.runs.history import CleanSeries


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


def test_a_large_difference_is_reported_and_a_small_one_is_not() -> None:
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


def test_with_the_runs_that_are_needed_intervals_lie_apart_in_four_fifths() -> None:
    """The rule that is used is simulated: two groups of that many runs, and a difference as large as it looked."""

    def group(name: str, value: float, sd: float) -> Performance:
        return Performance(name, FinalMean(value, None, None, sd, 6), "seeds", {}, None, (0.0, 9.0))

    rng = np.random.default_rng(9)
    for gap, sds in ((1.0, (1.0, 1.0)), (2.5, (1.0, 1.0)), (1.0, (0.4, 1.2))):
        n = runs_needed(group("a", 0.0, sds[0]), group("b", gap, sds[1]), {})
        assert n is not None
        one, other = rng.normal(0, sds[0], (4000, n)), rng.normal(gap, sds[1], (4000, n))
        half = [stats.t.ppf(0.975, n - 1) * each.std(axis=1, ddof=1) / np.sqrt(n) for each in (one, other)]
        apart = np.mean(other.mean(axis=1) - one.mean(axis=1) > half[0] + half[1])
        assert 0.78 <= apart <= (0.86 if n > 8 else 0.95)


def test_pairs_that_all_differ_alike_are_judged_by_the_groups_own_intervals() -> None:
    """No spread between the differences is no interval of theirs, and not a reason to doubt a gap of five intervals."""

    def group(name: str, value: float) -> Performance:
        return Performance(name, FinalMean(value, value - 0.01, value + 0.01, 0.004, 3), "seeds", {}, None, (0.0, 9.0))

    first, other = group("a", 0.9), group("b", 0.8)
    alike = over_repetitions(np.array([0.1, 0.1, 0.1]))
    assert alike.low is None
    assert separable(first, other, {"b": alike})
    assert not separable(first, group("b", 0.9), {"b": alike})


def diverging(rng: np.random.Generator, at: int = 60) -> tuple[Run, ...]:
    """Return three runs that were best until they diverged, and three that went on."""
    runs = []
    for seed in range(3):
        best = curve(rng, 100, 0.95)
        best[at:] = np.nan
        runs.append(run(f"x{seed}", {"val_accuracy": best}, {"m": "x", "seed": seed}))
        runs.append(run(f"y{seed}", {"val_accuracy": curve(rng, 100, 0.8)}, {"m": "y", "seed": seed}))
    return tuple(runs)


@pytest.mark.parametrize("at", [60, 85, 95])
def test_a_configuration_that_diverged_is_not_recommended(at: int) -> None:
    """Its values before the NaN are not levels; it is missing, why is said, and nothing tells to take it."""
    found = ExperimentComparator("").of(Collected(diverging(np.random.default_rng(20), at), ()))
    ranking = found.rankings[0]
    assert (ranking.missing, ranking.diverged, ranking.verdict) == (("m=x",), ("m=x",), "alone")
    assert "m=x; all their runs end in NaN, infinite or exploded values" in verdict(ranking)
    assert "is best" in verdict(ranking)
    assert not any(line.startswith("Take") for line in recommendations(found))
    (row,) = [row for row in ranking_rows(ranking) if row[0] == "m=x"]
    assert row[2] == "– (ends in NaN, infinite or exploded values)"


def test_a_configuration_of_which_some_runs_diverged_is_not_taken() -> None:
    """The seeds that survived are not a fair sample of it."""
    rng = np.random.default_rng(21)
    runs = [*search(rng, {0.1: 0.9, 0.2: 0.8}, 4).runs]
    gone = curve(rng, 60, 0.9)
    gone[40:] = np.inf
    runs.append(run("gone", {"val_accuracy": gone}, {"lr": 0.1, "batch": 32, "seed": 9}))
    found = ExperimentComparator("").of(Collected(tuple(runs), ()))
    assert found.rankings[0].verdict == "better"
    assert found.rankings[0].first.diverged == ("gone",)
    assert recommendations(found)[0].startswith("Do not take lr=0.1 for its val_accuracy: 1 of its 5 runs diverged")


def test_a_single_value_that_is_infinite_is_no_divergence() -> None:
    """A hiccup at the end, or NaN in the middle, leaves a level."""
    rng = np.random.default_rng(22)
    values = curve(rng, 100)
    values[40:60], values[-1] = np.nan, np.inf
    one = run("a", {"val_accuracy": values}, {}).history.series["val_accuracy"]
    assert not ends_diverged(one)
    assert run_final_mean(one, "level", "higher") == pytest.approx(0.9, abs=0.03)


def test_runs_that_were_cut_short_are_not_blamed_on_their_setting() -> None:
    """The same curve, seen to a fifth of its length, is lower; nothing tells to take the one that ran on."""
    rng = np.random.default_rng(23)
    runs = [
        run(f"{m}{seed}", {"val_accuracy": curve(rng, 100, 0.85)[:n]}, {"m": m, "seed": seed})
        for m, n in (("full", 100), ("cut", 20))
        for seed in range(3)
    ]
    found = ExperimentComparator("").of(Collected(tuple(runs), ()))
    assert found.rankings[0].verdict == "better"
    reported = recommendations(found)
    assert reported[0].startswith("Let m=full and m=cut run to the same step before choosing")
    assert not any(line.startswith("Take") or "alone." in line for line in reported)
    assert "end at different steps (99 and 19)" in verdict(found.rankings[0])


def test_repetitions_that_are_identical_have_no_interval() -> None:
    """No spread is not certainty: the groups cannot be distinguished, and the report says why."""
    runs = [
        run(f"{m}{seed}", {"val_accuracy": [0.5, 0.6, 0.7, 0.8, *[end] * 10]}, {"m": m, "seed": seed})
        for m, end in (("a", 0.9), ("b", 0.8999))
        for seed in range(3)
    ]
    found = ExperimentComparator("").of(Collected(tuple(runs), ()))
    ranking = found.rankings[0]
    assert (ranking.verdict, ranking.first.level.low, ranking.first.level.sd) == ("not_told_apart", None, 0.0)
    reported = verdict(ranking)
    assert (
        "really better than m=b is not known, since there is no interval of m=a; m=b (n = 3): 0.9 (no int" in reported
    )
    assert recommendations(found)[0].startswith("See whether the seed has any effect")
    assert over_repetitions(np.full(12, 0.1 + 0.2)).low is None


def test_single_runs_far_apart_are_not_called_alike() -> None:
    """Without an interval it is open which of two is better: the report says that and why, not that they are alike."""
    runs = [run(name, {"val_accuracy": [end - 0.02, end]}, {}) for name, end in (("a", 0.92), ("b", 0.91), ("c", 0.1))]
    reported = verdict(ExperimentComparator("").of(Collected(tuple(runs), ())).rankings[0])
    assert "a comes first, but whether it is really better than b; c is not known, since there is no" in reported
    assert (
        "interval of a; b; c (one run each): 0.92 (no interval: n = 1) against 0.91 (no interval: n = 1) of b."
        in reported
    )


def test_what_is_alike_and_what_is_unknown_are_two_sentences() -> None:
    """A group whose interval overlaps with the first's is not separable from it; of one without none is known."""
    rng = np.random.default_rng(5)
    values = {name: 0.9 + 0.01 * rng.normal(size=300) for name in ("a", "b")} | {"c": np.array([0.1, 0.12])}
    runs = [run(name, {"val_accuracy": list(them)}, {}) for name, them in values.items()]
    ranking = ExperimentComparator("").of(Collected(tuple(runs), ())).rankings[0]
    first, alike = ranking.first.group, ranking.tied[0]
    reported = verdict(ranking)
    assert f"{first} comes first, and cannot be told apart from {alike} with n = 1: 0." in reported
    assert " Whether it is better than c is not known, since there is no interval of c (one run each)." in reported


@pytest.mark.parametrize("points", [25, 100])
def test_noise_that_lasts_gives_no_interval_from_few_points(points: int) -> None:
    """Neighbours that correlate by 0.9: of 200 runs at most 5 % have an interval that misses the level."""
    rng = np.random.default_rng(24)
    missed = 0
    for _ in range(200):
        noise = rng.normal(0, 1, points + 100)
        for at in range(1, len(noise)):
            noise[at] += 0.9 * noise[at - 1]
        found = within_run(clean(noise[100:]))
        assert found is not None
        missed += found.low is not None and not found.low <= 0 <= (found.high or 0.0)
    assert missed <= 10


def test_one_configuration_is_held_against_nothing() -> None:
    """Of one group the report does not say that no difference could be reported."""
    found = ExperimentComparator("").of(search(np.random.default_rng(25), {0.1: 0.9}, 3))
    assert recommendations(found) == [
        "There is one configuration, held against no other, and none of its runs was unsteady."
    ]


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


def test_runs_of_different_lengths_are_reported() -> None:
    """The shortest and the longest are named with their last steps."""
    rng = np.random.default_rng(11)
    runs = (run("long", {"val_accuracy": curve(rng, 60)}, {}), run("short", {"val_accuracy": curve(rng, 30)}, {}))
    found = ExperimentComparator("").of(Collected(runs, ()))
    assert any("from 29 (short) to 59 (long)" in note for note in found.notes)


def test_recovery_is_the_time_until_nine_tenths_are_won_back() -> None:
    """A planted fall of 0.3 that ends after 12 steps has recovered then; one that lasts has not."""
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.anomalies.registry import find_anomalies

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


def test_a_loss_that_exploded_is_worse_without_a_test() -> None:
    """One run of each, 0.13 against 1.5e26: the second diverged, which is said; several such metrics, one sentence."""
    rng = np.random.default_rng(4)
    names = [f"{part}_loss" for part in ("box", "cls", "dfl", "obj", "train")]
    good = {name: 2 * np.exp(-np.arange(60) / 10) + 0.13 + rng.normal(0, 0.01, 60) for name in names}
    bad = {name: np.where(np.arange(60) < 30, good[name], 1.5e26) for name in names}
    runs = (run("a", good, {"m": "x"}), run("b", bad, {"m": "y"}))
    found = ExperimentComparator("").of(Collected(runs, ()))
    reported = verdicts(found.rankings)
    assert len(reported) == 1
    assert "a is best" in reported[0]
    assert "Without a level: b; all their runs end in NaN, infinite or exploded values." in reported[0]
    assert "The same goes for" in reported[0]

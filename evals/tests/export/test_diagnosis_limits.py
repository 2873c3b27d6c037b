"""Warnings exactly at the limits from which they are given, and lists exactly as long as they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from exaid_evals.export.aggregate import aggregate_all
from exaid_evals.export.diagnosis import diagnose
from exaid_evals.export.grouping import FailedMember, Group
from exaid_evals.runs.base import Predictions, Run, Training

TWO_CLASSES = {"a": 50, "b": 50}


def run(name: str, accuracy: float | None = None, **fields: Any) -> Run:
    """Return a run of no particular format; nothing is wrong with it unless its fields say so."""
    return Run(name, "test", {} if accuracy is None else {"accuracy": accuracy}, **fields)


def predicted(n: int, support: dict[str, int], items: str = "ids:1", digest: str = "1") -> Predictions:
    """Return what a run's metrics are of."""
    return Predictions(n, support, items, digest)


def warnings_of(runs: Sequence[Run], by: str = "seed", folds: Sequence[Group] = ()) -> list[str]:
    """Diagnose runs."""
    return diagnose(runs, aggregate_all(runs), by, folds)


def named(n: int, **fields: Any) -> list[Run]:
    """Return n runs r0, r1, … with the same fields."""
    return [run(f"r{i}", **fields) for i in range(n)]


@pytest.mark.parametrize(
    ("accuracy", "reported"),
    [
        (0.0999, ["r: accuracy is 10.0%, under 10 %: look at the labels' order and the learning rate"]),
        (0.1, ["r: accuracy is 10.0%, at chance for 2 classes (50.0% ± 8.2%): look whether training learnt anything"]),
        (0.5 + 1.645 * 0.05 - 1e-9, ["r: accuracy is 58.2%, at chance for 2 classes (50.0% ± 8.2%): look whether "]),
        (0.5 + 1.645 * 0.05 + 1e-9, []),
    ],
)
def test_accuracy_of_two_classes(accuracy: float, reported: list[str]) -> None:
    """100 guesses of two classes are within 1.645 · √(0.5 · 0.5 / 100) of a half; under a tenth is not a guessing."""
    found = warnings_of([run("r", accuracy, predictions=predicted(100, TWO_CLASSES))])
    assert [line[: len(start)] for line, start in zip(found, reported, strict=True)] == reported


def test_accuracy_at_the_very_end_of_chance_is_reported() -> None:
    """0.75 of 4 items: chance ± margin is 0.5 ± 0.41; without luck exactly chance is chance."""
    chance = 0.5 + 1.645 * math.sqrt(0.5 * 0.5 / 4)
    assert len(warnings_of([run("r", chance, predictions=predicted(4, {"a": 2, "b": 2}))])) == 1


@pytest.mark.parametrize(
    ("support", "reported"),
    [({"a": 60, "b": 40, "c": 0}, 1), ({"a": 99, "b": 1}, 1), ({"a": 100}, 0), ({"a": 100, "b": 0}, 0)],
)
def test_chance_counts_the_classes_that_occur(support: dict[str, int], reported: int) -> None:
    """A third class without items makes guessing no harder; of one class there is no guessing."""
    found = warnings_of([run("r", 0.5, predictions=predicted(100, support))])
    assert len(found) == reported
    assert all("for 2 classes" in line for line in found)


@pytest.mark.parametrize(("accuracy", "reported"), [(0.0999, 1), (0.1, 0)])
def test_accuracy_without_predictions(accuracy: float, reported: int) -> None:
    """Without them nobody knows how many classes there are: under a tenth is odd all the same."""
    expected = ["r: accuracy is 10.0%, under 10 %: look at how it was measured"] * reported
    assert warnings_of([run("r", accuracy)]) == expected


@pytest.mark.parametrize(
    ("training", "reported"),
    [
        (Training(4, 5), "r: the history ends after 4 of 5 epochs"),
        (Training(5, 5), None),
        (Training(6, 5), None),
        (Training(4), None),
        (Training(4, 5, may_stop_early=True), None),
        (Training(5, 5, divergence="loss is NaN at 3"), "r: training diverged: loss is NaN at 3; look at the learning"),
    ],
)
def test_how_training_went(training: Training, reported: str | None) -> None:
    """One epoch less than configured is cut off; as many are not."""
    found = warnings_of([run("r", training=training)])
    assert len(found) == (reported is not None)
    assert reported is None or found[0].startswith(reported)


def folds_of(*numbers: int | None, failed: Sequence[int] = ()) -> Group:
    """Return a cross-validation of which these folds were read, and those could not be."""
    runs = tuple(run(f"f{number}", fold=number) for number in numbers)
    return Group("cv", runs, {}, tuple(FailedMember(f"f{number}", str(number), "torn") for number in failed))


def incomplete(group: Group) -> list[str]:
    """Return what is reported a cross-validation's folds."""
    return warnings_of([], "none", [group])


def test_folds_that_are_absent_are_named() -> None:
    """Between the first and the last; five of them, and a sign for more; one that cannot be read is not absent."""
    assert incomplete(folds_of(0, 1, 2)) == []
    assert incomplete(folds_of(1, 2)) == []
    assert incomplete(folds_of(0, 2)) == [
        "cv: there is no fold 1 between 0 and 2: look whether it was trained, or left out"
    ]
    assert "there is no fold 1, 2, 3, 4, 5 between 0 and 6" in incomplete(folds_of(0, 6))[0]
    assert "there is no fold 1, 2, 3, 4, 5 … between 0 and 7" in incomplete(folds_of(0, 7))[0]
    assert incomplete(folds_of(0, 2, failed=[1])) == [
        "cv: 1 of 3 folds cannot be read: f1 (fold 1): its means are over the others alone; look at failed_runs"
    ]
    assert incomplete(folds_of(0, failed=[2]))[1].startswith("cv: there is no fold 1 between 0 and 2")


def test_at_most_five_failed_folds_are_named() -> None:
    """The number says how many there are."""
    (line,) = incomplete(folds_of(0, failed=[1, 2, 3, 4, 5, 6]))
    assert line.startswith("cv: 6 of 7 folds cannot be read: f1 (fold 1), f2 (fold 2), f3 (fold 3), f4 (fold 4), ")
    assert "f5 (fold 5): its means" in line


@pytest.mark.parametrize(("n", "more"), [(2, ""), (5, ""), (6, " and 1 more"), (8, " and 3 more")])
def test_groups_that_are_pooled(n: int, more: str) -> None:
    """Five are named, and how many more there are; one group is not pooled with anything."""
    runs = [run(f"r{i}", fold=0, group=f"g{i}") for i in range(n)]
    (line,) = [line for line in warnings_of(runs, "fold") if "together: g0" in line]
    shown = ", ".join(f"g{i} (1 runs)" for i in range(min(n, 5)))
    assert line.startswith(f"the best run is chosen over {n} groups together: {shown}{more}")
    assert not any("together" in line for line in warnings_of(named(3), "fold"))


def test_drift_of_settings_that_read_alike_is_none() -> None:
    """One kind and value is alike at once; 1, 1.0 and "1" are by their text; True is not 1, and a list is compared."""

    def drift(*values: object) -> list[str]:
        return warnings_of([run(f"r{i}", config={"k": value}, seed=i) for i, value in enumerate(values)])

    for alike in ((1, 1), (1, 1.0), ("1", 1), ([1], [1.0]), (None, None), ("x", "x"), (True, True)):
        assert drift(*alike) == []
    for other in ((1, 2), (1, True), ("x", "y"), ([1], [2]), ([1], [True]), (None, "x"), ("x", "x", "y")):
        assert len(drift(*other)) == 1
    assert drift("a", "b")[0].startswith("configuration drift: k is a (r0), b (r1): runs that should differ in seed")
    every = warnings_of(
        [run("r0", seed=0, config={"a": 1, "b": 1, "c": 1}), run("r1", seed=1, config={"a": 1, "b": 2})]
    )
    assert [line[:34] for line in every] == ["configuration drift: b is 1 (r0), ", "configuration drift: c is 1 (r0), "]


def test_a_run_without_configuration_does_not_drift() -> None:
    """That nothing is known of its settings is not a setting."""
    assert warnings_of([run("a", config={"k": 1}), run("b")]) == []


def test_four_values_are_listed_and_each_shortened() -> None:
    """Sixty characters of a value; the number of further values is reported."""
    four = warnings_of([run(f"r{i}", config={"k": f"v{i}"}) for i in range(4)])
    assert "k is v0 (r0), v1 (r1), v2 (r2), v3 (r3): runs" in four[0]
    six = warnings_of([run(f"r{i}", config={"k": f"v{i}"}) for i in range(6)])
    assert "v3 (r3) and 2 more values: runs" in six[0]
    long = warnings_of([run("r0", config={"k": "x" * 70}), run("r1", config={"k": "y"})])
    assert f"k is {'x' * 60} (r0), y (r1)" in long[0]


@pytest.mark.parametrize(("n", "shown"), [(5, "r0, r1, r2, r3, r4"), (6, "r0, r1, r2, r3, r4 and 1 more")])
def test_five_names_are_listed(n: int, shown: str) -> None:
    """The rest is counted."""
    assert warnings_of(named(n, git_dirty=True)) == [
        f"made with uncommitted changes: {shown}: the git hash does not say which code ran"
    ]


@pytest.mark.parametrize(
    ("metric", "values", "wide"),
    [
        ("f1", (0.25, 0.5), True),  # σ is 0.125
        ("f1", (0.0, 0.2), False),  # σ is 0.1
        ("f1", (0.5, 0.71), True),
        ("f1", (-1.0, 1.0), True),
        ("f1", (-1.01, 1.0), False),
        ("f1", (0.0, 1.01), False),
        ("loss", (0.0, 1.0), False),
        ("of_unknown_kind", (0.0, 1.0), False),
        ("f1", (None, None), False),
        ("f1", (0.9, None), False),
    ],
)
def test_a_spread_over_a_tenth_of_a_share(metric: str, values: tuple[float | None, ...], wide: bool) -> None:
    """Shares lie between -1 and 1 and improve upwards; of anything else a spread of 0.1 says nothing."""
    runs = [Run(f"r{i}", "test", {metric: value}) for i, value in enumerate(values)]
    assert [line.startswith(f"σ of {metric} is ") for line in warnings_of(runs)] == [True] * wide


def test_a_wide_spread_within_a_group_names_it() -> None:
    """Of two cross-validations the one whose folds differ is reported, over its own folds alone."""
    runs = [run(f"a{i}", 0.5 + i * 0.4, fold=i, group="a") for i in range(2)]
    runs += [run(f"b{i}", 0.7, fold=i, group="b") for i in range(2)]
    assert [line for line in warnings_of(runs, "fold") if "σ" in line] == [
        "a: σ of accuracy is 0.200, over 0.1: look at the runs at 0.500 and 0.900; the mean says little"
    ]


def test_seeds_are_the_same_within_one_fold_and_trial() -> None:
    """Each fold may use seed 1 again, and so may each trial; a run without a seed is like no other."""
    same = [run("a", seed=1), run("b", seed=1), run("c", seed=2)]
    assert warnings_of(same) == ["duplicate seed 1: a, b: not independent runs; look whether one is a copy"]
    assert warnings_of([run("a", seed=1, fold=0), run("b", seed=1, fold=1)]) == []
    assert warnings_of([run("a", seed=1, trial="x"), run("b", seed=1, trial="y")]) == []
    assert warnings_of([run("a"), run("b")]) == []
    assert warnings_of(same, "none") == []


def test_predictions_that_are_the_same() -> None:
    """Of the same items and the same digest; other items or another digest are other predictions."""
    one = predicted(9, {"a": 9})
    copied = warnings_of([run("a", predictions=one), run("b", predictions=one), run("c")], "none")
    assert copied == [
        "the same predictions under 2 names: a, b: look whether a folder was copied, or a checkpoint evaluated twice"
    ]
    others = [replace(one, digest="2"), replace(one, items="ids:2")]
    for other in others:
        assert warnings_of([run("a", predictions=one), run("b", predictions=other)], "none") == []


def test_validation_sets_of_seeds() -> None:
    """Digests of one kind are compared; of two kinds only the numbers of items are."""
    by_id, same_ids = predicted(9, {"a": 9}), predicted(9, {"a": 9}, digest="2")
    other_ids = predicted(9, {"a": 9}, items="ids:2")
    by_label, more = predicted(9, {"a": 9}, items="labels:1"), predicted(8, {"a": 8}, items="labels:1")
    assert warnings_of([run("a", predictions=by_id), run("b", predictions=same_ids), run("c")]) == []
    assert warnings_of([run("a", predictions=by_id), run("b", predictions=other_ids)]) == [
        "2 different validation sets (9 items in a; 9 items in b): their metrics are not of the same items; look at "
        "the ids in the predictions"
    ]
    assert warnings_of([run("a", predictions=by_id), run("b", predictions=by_label)]) == []
    assert len(warnings_of([run("a", predictions=by_id), run("b", predictions=more)])) == 1
    five = [run(f"r{i}", predictions=predicted(9, {"a": 9}, items=f"ids:{i}")) for i in range(5)]
    assert (
        "5 different validation sets (9 items in r0; 9 items in r1; 9 items in r2; 9 items in r3): their"
        in (warnings_of(five)[0])
    )


def test_validation_sets_of_folds() -> None:
    """Each fold has its own; folds of two models may share theirs."""

    def fold(name: str, number: int, group: str, items: str) -> Run:
        return run(name, fold=number, group=group, predictions=predicted(9, {"a": 9}, items=items, digest=name))

    shared = [fold("a0", 0, "a", "ids:0"), fold("a1", 1, "a", "ids:0")]
    assert warnings_of(shared, "fold") == ["the same validation set in 2 folds: a0, a1: look how the folds were split"]
    assert warnings_of([shared[0], fold("a1", 1, "a", "ids:1")], "fold") == []
    apart = warnings_of([shared[0], fold("b0", 0, "b", "ids:0")], "fold")
    assert not any("same validation set" in line for line in apart)
    assert not any("same validation set" in line for line in warnings_of(shared, "seed"))


def test_code_that_made_the_runs() -> None:
    """One hash is not news, nor is a run without one; two are reported, twelve characters of each."""
    assert warnings_of([run("a", git_hash="1" * 40), run("b", git_hash="1" * 40), run("c")]) == []
    assert warnings_of([run("a", git_hash="1" * 40), run("b", git_hash="2" * 40)]) == [
        f"git hashes differ: {'1' * 12} (a), {'2' * 12} (b): look at what changed in the code between them"
    ]


def test_runs_whose_numbers_were_made_in_other_ways() -> None:
    """One run of two signatures; two runs that differ in more than traces, configuration and the bootstrap's seed."""

    def signed(name: str, *signatures: str) -> Run:
        return run(name, signatures={f"V{i}": one for i, one in enumerate(signatures)})

    campaign = "v/1|traces:{}|cfg:{}|boot:10/{}"
    alike = signed("a", campaign.format("x", 1, 42)), signed("b", campaign.format("y", 1, 42))
    assert warnings_of(alike) == []
    assert warnings_of([alike[0], signed("b", campaign.format("y", 2, 42))]) == [
        "the runs were made with 2 different settings: v/1|cfg:1|boot:10/42; v/1|cfg:2|boot:10/42"
    ]
    assert warnings_of([signed("a", "v/1|cfg:1|boot:10/1"), signed("b", "v/1|cfg:2|boot:10/2")]) == []
    assert len(warnings_of([signed("a", "v/1|cfg:1|boot:10/1"), signed("b", "v/1|cfg:2|boot:11/2")])) == 1
    assert len(warnings_of([signed("a", "v/1|cfg:1"), signed("b", "v/2|cfg:1")])) == 1
    assert warnings_of([signed("a", "v/1|traces:x", "v/2|traces:x")]) == [
        "a: its parts were made in 2 ways and must not be compared"
    ]
    assert warnings_of([signed("a", "v/1|traces:x", "v/1|traces:x")]) == []


def test_runs_that_cannot_stand_in_one_table() -> None:
    """Stub beside real, other cases, other formats; what says nothing of it mixes with either."""
    assert warnings_of([run("a", stub=True), run("b", stub=True), run("c")]) == []
    assert warnings_of([run("a", stub=True), run("b", stub=False)]) == ["stub and real runs are mixed"]
    cases = [run("a", attributes={"case_list_hash": "1"}), run("b", attributes={"case_list_hash": "2"})]
    assert warnings_of(cases) == ["the runs do not cover the same cases"]
    assert warnings_of(cases, "none") == []
    assert warnings_of([run("a"), replace(run("b"), format="another")]) == [
        "runs of 2 formats (another, test) are aggregated together: look whether metrics of one name mean one thing"
    ]


def test_what_a_format_found_odd_comes_first() -> None:
    """A run's own warnings stand before those that follow from its numbers."""
    found = warnings_of([run("r", 0.05, warnings=("r: odd",))])
    assert found[0] == "r: odd"
    assert len(found) == 2

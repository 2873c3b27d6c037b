"""Metrics per class over runs: classes in order of appearance, and what a run lacks is counted."""

from __future__ import annotations

from collections.abc import Mapping

from exaid_evals.export.aggregate import Ranked, aggregate, aggregate_classes, best_and_worst, ranked
from exaid_evals.runs.base import Run


def run(name: str, per_class: Mapping[str, Mapping[str, float | None]]) -> Run:
    """Return a run with metrics per class."""
    return Run(name, "test", {}, per_class)


def test_each_metric_of_each_class_is_aggregated_over_the_runs_that_have_classes() -> None:
    """A run without classes counts nowhere; one that lacks a class, a metric or its value counts as undefined."""
    found = aggregate_classes(
        [
            run("a", {"dog": {"recall": 0.5, "f1": 0.25}, "cat": {"recall": 1.0}}),
            run("b", {"dog": {"recall": 0.75, "f1": None}, "ant": {"f1": 0.125}}),
            run("c", {}),
        ]
    )
    assert list(found) == ["dog", "cat", "ant"]
    assert [list(of) for of in found.values()] == [["recall", "f1"]] * 3
    assert found["dog"] == {"recall": aggregate([0.5, 0.75]), "f1": aggregate([0.25, None])}
    assert found["cat"] == {"recall": aggregate([1.0, None]), "f1": aggregate([None, None])}
    assert found["ant"] == {"recall": aggregate([None, None]), "f1": aggregate([None, 0.125])}


def test_runs_without_classes_have_no_such_table() -> None:
    """Not one with empty rows."""
    assert aggregate_classes([run("a", {})]) == {}


def test_runs_are_ranked_by_what_they_define() -> None:
    """Best first in either direction, equal ones by name; one that does not define the metric has no place."""
    values = {"b": 0.5, "a": 0.5, "c": 0.75, "d": None}
    runs = [Run(name, "test", {"m": value}) for name, value in values.items()]
    assert ranked(runs, "m", lower=False) == [Ranked("c", 0.75), Ranked("a", 0.5), Ranked("b", 0.5)]
    assert ranked(runs, "m", lower=True) == [Ranked("a", 0.5), Ranked("b", 0.5), Ranked("c", 0.75)]
    assert best_and_worst(runs[3:], "m", lower=True) == (None, None)

"""Metrics from counts, against scikit-learn as the oracle."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from exaid_evals.runs.files import classification
from exaid_evals.runs.files.reported import ACCURACY, BALANCED, KAPPA, MACRO_F1

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=40)


def counts_of(items: list[tuple[int, int]]) -> tuple[list[int], np.ndarray]:
    """Return the classes that occur, and the confusion matrix over them."""
    classes = sorted({label for pair in items for label in pair})
    counts = np.zeros((len(classes), len(classes)))
    for true, guess in items:
        counts[classes.index(true), classes.index(guess)] += 1
    return classes, counts


def expected(items: list[tuple[int, int]]) -> dict[str, float | None]:
    """Return what scikit-learn says of the items themselves."""
    true, guess = [pair[0] for pair in items], [pair[1] for pair in items]
    several = len(set(true)) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            ACCURACY: oracle.accuracy_score(true, guess),
            BALANCED: oracle.balanced_accuracy_score(true, guess, adjusted=True) if several else None,
            KAPPA: oracle.cohen_kappa_score(
                # Ranks, since scikit-learn weighs by place too.
                [sorted(set(true + guess)).index(one) for one in true],
                [sorted(set(true + guess)).index(one) for one in guess],
                weights="quadratic",
            )
            if len(set(true + guess)) > 1
            else None,
            MACRO_F1: oracle.f1_score(true, guess, average="macro", zero_division=0),
        }


@given(pairs)
def test_both_ways_from_counts_are_scikit_learns_of_the_items(items: list[tuple[int, int]]) -> None:
    """Closed forms and weighted scikit-learn give what scikit-learn gives of the items, one by one."""
    _, counts = counts_of(items)
    truth = expected(items)
    for found in (classification.from_counts(counts), classification.by_scikit_learn(counts, list(truth))):
        for name, value in truth.items():
            assert found[name] == (None if value is None else pytest.approx(value, abs=1e-9)), name


@given(pairs)
def test_per_class_metrics_are_scikit_learns(items: list[tuple[int, int]]) -> None:
    """Precision, recall and F1 of each class, undefined where nothing is predicted as it or is of it."""
    _, counts = counts_of(items)
    ours, theirs = classification.per_class_from_counts(counts), classification.per_class_by_scikit_learn(counts)
    for name, column in ours.items():
        for mine, other in zip(column, theirs[name], strict=True):
            assert mine == (None if other is None else pytest.approx(other, abs=1e-12)), name


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=2, max_size=30))
def test_the_area_by_ranks_is_scikit_learns(items: list[tuple[bool, float]]) -> None:
    """Ties count half; of a single class there is no area."""
    positive = np.array([one for one, _ in items])
    scores = np.array([score for _, score in items])
    ours = classification.area_under_roc(scores[positive], scores[~positive])
    theirs = classification.area_by_scikit_learn(positive, scores)
    assert ours == (None if theirs is None else pytest.approx(theirs, abs=1e-12))

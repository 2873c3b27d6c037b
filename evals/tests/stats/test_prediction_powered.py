"""Means of people's labels helped by a program's: against ppi-python.

How often the interval holds the truth: test_calibration.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from exaid_evals.stats.agreement import powered_mean

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "prediction_powered.json").read_text("utf-8"))


@pytest.mark.parametrize("case", ORACLE["cases"])
def test_the_mean_is_that_of_ppi_python(case: dict[str, Any]) -> None:
    """With the weight tuned to the data, as PPI++ does."""
    predicted = np.array(case["predicted_labelled"] + case["predicted_unlabelled"])
    observed = np.concatenate([case["labels"], np.full(len(case["predicted_unlabelled"]), np.nan)])
    assert powered_mean(predicted, observed).value == pytest.approx(case["mean"])


def test_what_labels_cannot_tell_is_none() -> None:
    """Without labels there is no value, with few no interval; labels of all cases are their own mean."""
    shares = np.linspace(0.1, 0.9, 10)
    none, few = np.full(10, np.nan), np.where(np.arange(10) < 3, shares, np.nan)
    assert powered_mean(shares, none).value is None
    assert (powered_mean(shares, few).low, powered_mean(shares, few).n_labelled) == (None, 3)
    every = powered_mean(shares, shares)
    assert (every.value, every.weight) == (pytest.approx(0.5), 0.0)


def test_a_useless_program_changes_nothing() -> None:
    """Where its values say nothing about the labels, the mean is that of the labels."""
    labels = np.linspace(0.2, 0.8, 20)
    found = powered_mean(np.full(40, 0.4), np.concatenate([labels, np.full(20, np.nan)]))
    assert (found.weight, found.value) == (0.0, pytest.approx(0.5))


@pytest.mark.parametrize(("label", "n"), [(0.0, 5), (0.0, 30), (1.0, 20)])
def test_labels_without_spread_are_no_certainty(label: float, n: int) -> None:
    """Of a few units that are all alike, most of the others may be: the interval is Wilson's of the few."""
    observed = np.concatenate([np.full(n, label), np.full(200 - n, np.nan)])
    found = powered_mean(np.full(200, 0.3), observed)
    low, high = proportion_confint(label * n, n, method="wilson")
    assert (found.value, found.low, found.high) == (label, pytest.approx(low), pytest.approx(high))

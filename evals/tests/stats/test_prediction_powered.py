"""Means of people's labels helped by a program's: against ppi-python, and by how often the interval holds the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.stats.agreement import Floats, powered_mean

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "prediction_powered.json").read_text("utf-8"))


@pytest.mark.parametrize("case", ORACLE["cases"])
def test_the_mean_is_that_of_ppi_python(case: dict[str, Any]) -> None:
    """With the weight tuned to the data, as PPI++ does."""
    predicted = np.array(case["predicted_labelled"] + case["predicted_unlabelled"])
    observed = np.concatenate([case["labels"], np.full(len(case["predicted_unlabelled"]), np.nan)])
    assert powered_mean(predicted, observed).value == pytest.approx(case["mean"])


Draw = Callable[[np.random.Generator], tuple[Floats, Floats]]


def _biased(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Coverage that is measured three tenths too low, with noise; its mean is two thirds."""
    truth = rng.beta(6, 3, 40)
    return truth, np.clip(0.7 * truth + 0.02 + rng.normal(0, 0.1, 40), 0, 1)


def _extracted(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Coverage counted over concepts by an extractor of recall 0.7 that makes up some; its mean is four sevenths."""
    truth, measured = np.empty(40), np.empty(40)
    for case in range(40):
        n = int(rng.integers(8, 30))
        told = rng.random(n) < rng.beta(4, 3)
        said_found, told_found = rng.random((2, n)) < 0.7
        made_up = int(rng.poisson(0.12 * n))
        found = int(said_found.sum()) + made_up
        hits = int((said_found & told_found & told).sum()) + int(rng.binomial(made_up, 0.5))
        truth[case], measured[case] = told.mean(), hits / found if found else 0.0
    return truth, measured


def _rare(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Unsupported concepts, which are few and which the extractor adds to; their mean is 1.5 / 9.5."""
    truth = rng.binomial(15, rng.beta(1.5, 8, 40)) / 15
    return truth, np.clip(0.8 * truth + rng.binomial(15, 0.05, 40) / 15, 0, 1)


@pytest.mark.parametrize(("draw", "mean"), [(_biased, 6 / 9), (_extracted, 4 / 7), (_rare, 1.5 / 9.5)])
def test_the_interval_holds_the_truth_as_often_as_it_says(draw: Draw, mean: float) -> None:
    """With 40 cases and 20 labels, 95 % of the intervals do, within the error of 700 repetitions; raw ones do not."""
    rng = np.random.default_rng(11)
    held = inside_raw = 0
    for _ in range(700):
        truth, measured = draw(rng)
        observed = np.where(np.arange(40) < 20, truth, np.nan)
        found = powered_mean(measured, observed)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= mean <= found.high
        inside_raw += abs(measured.mean() - mean) < 1.96 * measured.std(ddof=1) / np.sqrt(40)
    assert 0.93 <= held / 700 <= 0.97
    assert inside_raw / 700 < 0.93


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

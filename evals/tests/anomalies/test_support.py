"""A drop that is not sure by itself is severe only where what stands beside it got worse too."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.anomalies.base import Anomaly, DetectionSettings
from exaid_evals.anomalies.watches import MOST_METRICS, Watches, weighed


def drops(falls: dict[str, float]) -> dict[str, Anomaly]:
    """Return the drops of metrics of level 1 and noise 0.1 that get worse by so much at step 60."""
    problems: list[str] = []
    watches = Watches(DetectionSettings())
    rng = np.random.default_rng(3)
    found: list[Anomaly] = []
    for step in range(70):
        row = {}
        for name, fall in falls.items():
            way = -1 if name.endswith("accuracy") else 1
            row[name] = float(1 + rng.normal(0, 0.1) + way * fall * (step >= 60))
        found += watches.update(step, row, problems.append)
    assert not problems
    return {one.metric: one for one in found if one.kind == "sudden_drop"}


def test_a_loss_alone_is_medium() -> None:
    """Eight times above the noise, and the accuracy of the same batches stays; the evidence says so."""
    one = drops({"train_loss": 0.75, "train_accuracy": 0.0})["train_loss"]
    assert one.severity == "medium"
    assert one.evidence["z_beside"] < 2


@pytest.mark.parametrize(
    "others", [{"train_accuracy": 0.6}, {"val_accuracy": 0.0}, {}, {"train_accuracy": 0.0, "train_f1_accuracy": 0.6}]
)
def test_a_drop_that_is_supported_or_stands_alone_is_high(others: dict[str, float]) -> None:
    """One metric beside it is worse too, or there is none of its phase."""
    assert drops({"train_loss": 0.75, **others})["train_loss"].severity == "high"


def test_what_is_unmistakable_needs_no_support() -> None:
    """More than ten times above the noise."""
    assert drops({"train_loss": 3.0, "train_accuracy": 0.0})["train_loss"].severity in ("high", "critical")


def test_only_drops_are_weighed() -> None:
    """A divergence stays what it is."""
    one = Anomaly("train_loss", "divergence", 3, 1.0, "high", "divergence", {"z": 5.0})
    assert weighed(one, []) is one


@pytest.mark.slow
def test_names_without_end_do_not_fill_the_memory() -> None:
    """A name with the step in it: beyond the limit metrics are not watched, which is reported."""
    problems: list[str] = []
    watches = Watches(DetectionSettings())
    for step in range(MOST_METRICS + 5):
        watches.update(step, {f"loss_of_{step}": 1.0}, problems.append)
    assert problems == [f"metrics beyond {MOST_METRICS} are not watched"] * 5

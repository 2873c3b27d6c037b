"""Which way a metric improves, to an analysis: as the export tells it, unless the user or the source says otherwise."""

from __future__ import annotations

import pytest

from exaid_evals.analysis.settings import AnalysisConfig
from exaid_evals.analysis.stage import analyse
from exaid_evals.anomalies.registry import directions_in
from exaid_evals.runs.metric_names import direction_of, direction_of_name
from exaid_evals.runs.rows import history_of

_NAMES = ["Loss/train", "train/loss", "Train Loss", "valAcc", "val.accuracy", "acc,none", "val_RMSE", "lr", "epoch"]


@pytest.mark.parametrize("metric", _NAMES)
def test_names_mean_the_same_to_analysis_and_export(metric: str) -> None:
    """There is one list of names: what the export knows of a name the analysis knows too, and nothing else."""
    assert direction_of(metric) == direction_of_name(metric)


def test_an_analysis_knows_the_names_of_tensorboard_and_keras() -> None:
    """`Loss/train` falls and `valAcc` rises: a run that gets worse in both has dropped from its best in both."""
    rows = [{"step": at, "Loss/train": 0.1 + abs(at - 20), "valAcc": 0.9 - abs(at - 20) / 100} for at in range(40)]
    found = {one.metric: one for one in analyse(history_of("run-a", "jsonl", rows)).performance}
    assert (found["Loss/train"].direction, found["valAcc"].direction) == ("lower", "higher")
    assert (found["Loss/train"].best_step, found["valAcc"].best_step) == (20.0, 20.0)
    assert found["Loss/train"].drop == pytest.approx(19.0)
    assert found["valAcc"].drop == pytest.approx(0.19)


def test_what_the_user_says_goes_before_the_name() -> None:
    """A loss that the user calls better when higher is that, to every detector; a name of nobody's stays unknown."""
    history = history_of("run-a", "jsonl", [{"step": 0, "loss": 1.0, "zest": 2.0}])
    assert directions_in(history, AnalysisConfig()) == {"loss": "lower"}
    reported = AnalysisConfig(directions={"loss": "higher", "zest": "lower"})
    assert directions_in(history, reported) == {"loss": "higher", "zest": "lower"}

"""What belongs to a method's phases, and what training and validation say of a cause, on made-up courses."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.analysis.stage import Analysis, analyse
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.runs.rows import history_of

N, AT = 600, 400
SEVERE = ("high", "critical")
STEPS = np.arange(N)


def reported(rows: list[dict[str, float]]) -> Analysis:
    """Return the analysis of rows."""
    return analyse(history_of("run", "jsonl", rows))


def named(analysis: Analysis) -> str | None:
    """Return the family that is named; None without a diagnosis."""
    return None if analysis.diagnosis is None else analysis.diagnosis.named


def severe(analysis: Analysis) -> bool:
    """Return whether an incident is high or critical."""
    return any(one.severity in SEVERE for one in analysis.incidents)


def watched(rows: list[dict[str, float]]) -> bool:
    """Return whether the monitor reports something high or critical."""
    with TrainingMonitor(MonitoringConfig.model_validate({"alerts": {"log": False}}), watch_stalls=False) as monitor:
        found = [one for row in rows for one in monitor.log_step(row["epoch"], row)]
        return any(one.severity in SEVERE for one in [*found, *monitor.finish()])


def course(train: np.ndarray, validation: np.ndarray, every: int = 20) -> list[dict[str, float]]:
    """Return rows of a loss, and of the validation's at every so manieth step."""
    rng = np.random.default_rng(0)
    rows = [{"step": at, "train_loss": value + rng.normal(0, 0.02)} for at, value in enumerate(train)]
    for at in range(every - 1, len(train), every):
        rows[at]["val_loss"] = validation[at] + 0.1 + rng.normal(0, 0.005)
    return rows


def epochs(columns: dict[str, np.ndarray]) -> list[dict[str, float]]:
    """Return a row an epoch, with a little noise on all but whole numbers."""
    rng = np.random.default_rng(1)
    return [
        {"epoch": at}
        | {
            name: float(column[at] + (0 if column.dtype.kind == "i" else rng.normal(0, 0.004)))
            for name, column in columns.items()
        }
        for at in range(len(next(iter(columns.values()))))
    ]


def test_an_accuracy_that_does_not_say_of_what_is_not_the_trainings() -> None:
    """The tool fastai logs `accuracy` of the validation: it falls with valid_loss, and the training did not."""
    at = np.arange(24)
    learnt, broken = 0.9 * np.exp(-at / 4) + 0.1, at >= 14
    rows = epochs(
        {"train_loss": learnt, "valid_loss": learnt + 3.0 * broken, "accuracy": 0.95 - 0.5 * learnt - 0.4 * broken}
    )
    assert named(reported(rows)) == "evaluation"


def test_a_training_that_lost_more_than_its_validation_learns_from_other_data() -> None:
    """It is one model: harm to it shows on both, and what shows mostly on the training lies in its data."""
    good, harm = 2 * np.exp(-STEPS / 60) + 0.1, 1.0 * (STEPS >= AT)
    assert named(reported(course(good + 1.5 * harm, good + 0.45 * harm))) == "data"
    assert named(reported(course(good + 1.5 * harm, good + 1.4 * harm))) == "unknown"


@pytest.mark.parametrize("pace", [0.45, 0.8, 1.0])
def test_an_old_checkpoint_is_known_by_its_course_at_half_the_speed_too(pace: float) -> None:
    """Averages of the optimiser that belong to later weights slow down what is learnt again."""
    since = np.where(STEPS < 300, STEPS, 8 + pace * (STEPS - 300))
    learnt = 2.2 / (1 + np.exp((since - 60) / 15)) + 0.1
    assert named(reported(course(learnt, learnt))) == "system"


def test_weights_that_are_learnt_anew_within_two_epochs_were_lost() -> None:
    """Training and validation fall back to their first values, and go up as they did; one bad evaluation does not."""
    at = np.arange(30)
    learnt = 2.0 * np.exp(-np.where(at < 16, at, at - 16) / 1.2) + 0.15
    both = epochs(
        {"train_loss": learnt, "val_loss": learnt + 0.05, "train_acc": 1 - 0.4 * learnt, "val_acc": 0.97 - 0.4 * learnt}
    )
    assert named(reported(both)) == "system"
    steady = 2.0 * np.exp(-at / 1.2) + 0.15
    once = epochs({"train_loss": steady, "val_loss": steady + 1.9 * (at == 16), "train_acc": 1 - 0.4 * steady})
    assert named(reported(once)) != "system"


def test_steps_far_too_large_from_the_start_are_the_optimisations() -> None:
    """A loss that leaps above what it was untrained, and then stays at guessing, was thrown there."""
    rng = np.random.default_rng(2)
    values = np.concatenate([[2.3, 60.0, 25.0, 9.0], np.full(196, 2.6)]) + rng.normal(0, 0.1, 200)
    rows = [{"step": at, "loss": value, "acc": rng.binomial(32, 0.1) / 32} for at, value in enumerate(values)]
    thrown = reported(rows)
    assert named(thrown) == "optimisation"
    wild = reported([row | {"loss": 2.3 + min(row["step"], 5) * rng.uniform(40, 160)} for row in rows])
    assert named(wild) == "optimisation"
    still = reported([row | {"loss": 2.31 + rng.normal(0, 0.02)} for row in rows])
    assert severe(still)
    assert named(still) is None
    back = reported([row | {"loss": 5e4 if row["step"] == 60 else 2 * np.exp(-row["step"] / 9) + 0.4} for row in rows])
    assert named(back) == "optimisation"


def test_harder_training_data_are_noted_where_the_validation_lost_little_of_it() -> None:
    """A quarter of what the training lost is little; a validation that follows is severe."""
    good, harder = np.exp(-STEPS / 60) + 0.1, 0.8 * (STEPS >= AT)
    assert not severe(reported(course(good + harder, good + 0.1 * harder)))
    assert severe(reported(course(good + harder, good + 0.8 * harder)))


def test_a_task_that_begins_is_no_alarm_and_what_it_forgets_is() -> None:
    """Five tasks of ten epochs, each begun anew, named by a column; an old task lost for good is reported."""
    at = np.arange(50)
    task, within = at // 10, at % 10
    learnt = np.exp(-within / 1.5) * (0.5 + 0.1 * (task % 3)) + 0.02
    rows = epochs({"task_id": task, "train_loss": learnt, "val_loss": learnt + 0.02, "val_acc": 0.99 - 0.5 * learnt})
    assert not severe(reported(rows))
    assert not watched(rows)
    first = [
        row | {"val_acc_first_task": 0.97 - 0.002 * (row["epoch"] % 7) - 0.6 * (row["task_id"] >= 1)} for row in rows
    ]
    assert severe(reported(first))


def test_folds_one_after_the_other_are_trainings_of_their_own() -> None:
    """Epochs that go back to the first begin a new training for the monitor, whose falls are still seen."""
    learnt = 2.0 * np.exp(-np.arange(12) / 2) + 0.2
    fold = epochs({"train_loss": learnt, "val_loss": learnt + 0.05})
    assert not watched(fold * 4)
    fallen = [row | {"val_loss": row["val_loss"] + 2.0 * (row["epoch"] >= 8)} for row in fold]
    assert watched([*fold, *fallen])

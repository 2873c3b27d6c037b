"""Trainings that a recovery must not harm: undoing fails, metrics are NaN for no reason, folders are shared."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.errors import ConfigError
from exaid_evals.monitor import AutoRecoverySystem, MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.recovery.training_state import TrainingState
from monitor.test_recovery import METRIC, anomaly, drop, folder, journal, reported, started
from monitor.training_states import Model, Optimizer, Scheduler

__all__ = ["folder"]


class Fixed(Model):
    """A model that takes no state, as one whose form has changed."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Refuse."""
        raise RuntimeError("size mismatch")


def test_an_undo_that_fails_is_tried_once(folder: Path) -> None:
    """A group of parameters was added meanwhile: no rate is touched, and the journal says that it stays."""
    recovery, _, optimizer = started(folder)
    recovery.observe(2, {METRIC: 0.9}, [anomaly("plateau", 2, "low")])
    optimizer.param_groups.append({"lr": 0.01})
    for step in range(3, 20):
        recovery.observe(step, {METRIC: 0.5})
    assert optimizer.rates == [0.05, 0.01]
    assert reported(recovery) == [("action", "reduce_learning_rate"), ("outcome", "not_undoable")]
    assert any("cannot be undone" in what for what in recovery.new_problems())


def test_rates_are_scaled_all_or_none() -> None:
    """Another number of factors changes nothing."""
    optimizer, scheduler = Optimizer(0.1, 0.2), Scheduler(0.1, 0.2)
    with pytest.raises(ValueError, match="2 learning rates, and 1 factors"):
        TrainingState(Model(), optimizer, scheduler).scale_rates([0.5])
    assert (optimizer.rates, scheduler.base_lrs) == ([0.1, 0.2], [0.1, 0.2])


def test_a_model_that_takes_no_state_is_stopped_after_the_last_action(folder: Path) -> None:
    """At most `max_actions` attempts; then the end is asked for, though nothing can be put back."""
    model = Fixed()
    recovery = AutoRecoverySystem(folder, metric=METRIC, max_actions=2, cooldown_steps=5).attach(model, Optimizer())
    recovery.observe(0, {METRIC: 0.9})
    for step in range(10, 400):
        recovery.observe(step, {METRIC: math.nan}, [anomaly("not_finite", step)])
    assert recovery.should_stop
    assert reported(recovery) == [("action", "rollback"), ("action", "rollback"), ("action", "early_stop")]
    assert [one["counted"] for one in journal(recovery)] == [True, True, False]
    assert journal(recovery)[-1]["details"] == {"restored_step": None, "error": "RuntimeError"}


def test_fewer_actions_than_were_used_are_none_left(folder: Path) -> None:
    """A resumed training with a lower `max_actions` does not begin to count from below."""
    recovery, _, _ = started(folder, max_actions=3)
    for step in (10, 20, 30):
        recovery.observe(step, {METRIC: 0.4}, [drop(step)])
    recovery.close()
    again = AutoRecoverySystem(folder, metric=METRIC, max_actions=1, resume=True).attach(Model(), Optimizer())
    action = again.observe(40, {METRIC: 0.4}, [drop(40)])
    assert action is not None
    assert action.strategy == "early_stop"


def watched(folder: Path, **settings: Any) -> MonitoringConfig:
    """Return a configuration."""
    detection = settings.pop("anomaly_detection", {})
    recovery = {"enable": True, "checkpoint_dir": folder, **settings}
    given = {"auto_recovery": recovery, "anomaly_detection": detection, "alerts": {"log": False}}
    return MonitoringConfig.model_validate(given)


@pytest.mark.slow
def test_a_metric_that_is_nan_now_and_then_harms_no_healthy_training(folder: Path) -> None:
    """A precision of 0/0, and a score that is always NaN: no action, and checkpoints are kept."""
    model = Model()
    with TrainingMonitor(watched(folder, metric=METRIC), watch_stalls=False).attach(model, Optimizer()) as monitor:
        for step in range(400):
            model.weights = model.weights + 1
            precision = math.nan if step % 50 > 46 else 0.5
            row = {
                METRIC: 0.5 + 0.001 * step,
                "train_precision": precision,
                "val_auroc": math.nan,
                "aux_loss": math.nan,
            }
            monitor.log_step(step, row)
        assert monitor.last_action is None
    assert len(list(folder.glob("*.npz"))) == 3


def test_nan_of_any_metric_counts_where_the_weights_are_not_finite(folder: Path) -> None:
    """Then it is not an accident of the metric."""
    recovery, model, _ = started(folder)
    model.weights = np.array([math.nan, 1.0])
    action = recovery.observe(2, {}, [anomaly("not_finite", 2, "high", "grad_norm")])
    assert action is not None
    assert action.strategy == "rollback"


def test_an_action_for_another_metric_is_judged_by_the_ranking_one(folder: Path) -> None:
    """The ranking metric need not have been measured at that step: its last values count."""
    recovery, model, _ = started(folder)
    model.weights = np.array([9.0, 9.0])
    recovery.observe(2, {"train_loss": 9.0}, [anomaly("divergence", 2, metric="train_loss")])
    assert [recovery.observe(step, {METRIC: 0.2}) is None for step in (3, 4)] == [True, False]
    assert model.weights.tolist() == [9.0, 9.0]
    assert reported(recovery) == [("action", "rollback"), ("outcome", "undone")]


def test_what_cannot_be_judged_is_said(folder: Path) -> None:
    """No value of the ranking metric before the action."""
    recovery = AutoRecoverySystem(folder, metric=METRIC, judge_after=1).attach(Model(), Optimizer())
    recovery.observe(0, {}, [anomaly("plateau", 0, "low")])
    recovery.observe(1, {METRIC: 0.1})
    assert reported(recovery) == [("action", "reduce_learning_rate"), ("outcome", "not_judged")]


def test_infinities_that_belong_to_a_state_are_no_damage(folder: Path) -> None:
    """A causal mask holds −inf: checkpoints are kept. An infinity elsewhere, or NaN in the mask, is damage."""

    class Masked(Model):
        mask = np.triu(np.full((3, 3), -np.inf), 1)

        def state_dict(self) -> dict[str, Any]:
            return {"weights": self.weights, "mask": self.mask}

    model = Masked()
    training_state = TrainingState(model)
    assert training_state.finite()
    recovery = AutoRecoverySystem(folder, ["rollback"], metric=METRIC).attach(model)
    recovery.observe(0, {METRIC: 0.9})
    assert len(recovery.store.ranked) == 1
    model.weights = np.array([np.inf, 1.0])
    assert not training_state.finite()
    model.weights = np.array([1.0, 1.0])
    model.mask = np.full((3, 3), -np.inf)
    assert not training_state.finite()
    model.mask = np.full((3, 3), np.nan)
    assert not training_state.finite()


def test_a_harmful_reduction_does_not_outlive_the_next_action(folder: Path) -> None:
    """It is undone before the rollback, whose checkpoint brings back rate and base rate of its own time."""
    model, optimizer, scheduler = Model(), Optimizer(0.1), Scheduler(0.2)
    recovery = AutoRecoverySystem(folder, metric=METRIC, cooldown_steps=0, judge_after=4)
    recovery.attach(model, optimizer, scheduler)
    for step in range(4):
        recovery.observe(step, {METRIC: 0.9})
    recovery.observe(4, {METRIC: 0.9}, [anomaly("plateau", 4, "low")])
    assert (optimizer.rates, scheduler.base_lrs) == ([0.05], [0.1])
    recovery.observe(5, {METRIC: 0.3}, [drop(5)])
    assert (optimizer.rates, scheduler.base_lrs) == ([0.1], [0.2])
    assert reported(recovery) == [("action", "reduce_learning_rate"), ("outcome", "undone"), ("action", "rollback")]
    assert [one["index"] for one in journal(recovery)] == [0, 1, 2]


def test_steps_that_begin_anew_end_no_cool_down_never(folder: Path) -> None:
    """Steps counted within each epoch: what was left of the cool-down is left from there."""
    recovery, _, _ = started(folder, cooldown_steps=10)
    recovery.observe(95, {METRIC: 0.4}, [drop(95)])
    assert recovery.observe(3, {METRIC: 0.4}, [drop(3)]) is None
    assert recovery.observe(13, {METRIC: 0.4}, [drop(13)]) is not None


def test_directions_hold_for_the_recovery_too(folder: Path) -> None:
    """A score that improves downwards, though its name says the opposite."""
    config = watched(folder, anomaly_detection={"directions": {"val_score": "lower"}})
    with TrainingMonitor(config, watch_stalls=False).attach(Model(), Optimizer()) as monitor:
        for step in range(5):
            monitor.log_step(step, {"val_score": 10.0 - step})
    values = sorted(float(json.loads(path.read_text())["value"]) for path in folder.glob("checkpoint-*.json"))
    assert values == [6.0, 7.0, 8.0]


def test_checkpoints_of_another_metric_are_left_out_and_reported(folder: Path) -> None:
    """An accuracy of 0.9 is not a loss of 0.9."""
    recovery, _, _ = started(folder)
    recovery.close()
    again = AutoRecoverySystem(folder, metric="val_loss", resume=True).attach(Model(), Optimizer())
    assert again.store.ranked == []
    assert all("is ranked by 'val_accuracy', not 'val_loss'" in what for what in again.new_problems())
    again.observe(50, {"val_loss": 2.0})
    assert [one.value for one in again.store.ranked] == [2.0]


def test_two_trainings_do_not_share_a_folder(folder: Path) -> None:
    """Both found it empty; the first that writes has it, until it is closed."""
    first = AutoRecoverySystem(folder, metric=METRIC).attach(Model(), Optimizer())
    second = AutoRecoverySystem(folder, metric=METRIC).attach(Model(), Optimizer())
    first.observe(0, {METRIC: 0.5})
    with pytest.raises(ConfigError, match="another training keeps its checkpoints here"):
        second.observe(0, {METRIC: 0.6})
    first.close()
    assert len(list(folder.glob("*.npz"))) == 1


def test_a_journal_without_checkpoints_is_another_trainings(folder: Path) -> None:
    """Its actions must not use up those of a new training."""
    recovery, _, _ = started(folder)
    recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    recovery.close()
    for path in folder.glob("checkpoint*"):
        path.unlink()
    with pytest.raises(ConfigError, match="journal of another training"):
        AutoRecoverySystem(folder, metric=METRIC)


def test_a_torn_last_line_of_the_journal_is_left_out(folder: Path) -> None:
    """What a killed process left; the next record takes its place."""
    recovery, _, _ = started(folder)
    recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    recovery.close()
    with recovery.journal_file.open("a") as stream:
        stream.write('{"schema_na')
    again = AutoRecoverySystem(folder, metric=METRIC, resume=True).attach(Model(), Optimizer())
    assert any("the last line is not whole" in what for what in again.new_problems())
    again.observe(30, {METRIC: 0.4}, [drop(30)])
    assert [one["index"] for one in journal(again)] == [0, 1, 2][: len(journal(again))]


class _Plain:
    """An optimiser with a learning rate and no state."""

    def __init__(self, rate: Any) -> None:
        self.lr = rate


@pytest.mark.parametrize("rate", [0.1, np.float64(0.1), np.float32(0.1), np.array(0.1), 1])
def test_a_rate_of_any_make_comes_back(rate: Any, folder: Path) -> None:
    """A rollback brings the rate back, also of an optimiser that has no state; the second one halves it."""
    model, optimizer, was = Model(), _Plain(rate), float(rate)
    recovery = AutoRecoverySystem(folder, metric=METRIC, cooldown_steps=0).attach(model, optimizer)
    recovery.observe(0, {METRIC: 0.9})
    for step, expected in ((1, was), (2, was / 2)):
        if isinstance(optimizer.lr, np.ndarray):
            optimizer.lr.fill(100.0)
        else:
            optimizer.lr = 100.0
        recovery.observe(step, {METRIC: 0.4}, [drop(step)])
        assert float(optimizer.lr) == pytest.approx(expected)


def test_a_state_that_cannot_be_kept_is_reported_at_once(folder: Path) -> None:
    """Not after hours, with the first checkpoint."""

    class Odd(Model):
        def state_dict(self) -> dict[str, Any]:
            return {"weights": self.weights, "best": {1.5: 1.0}}

    with pytest.raises(ConfigError, match="a key of type float cannot be kept"):
        AutoRecoverySystem(folder, metric=METRIC).attach(Odd(), Optimizer())


def test_a_scheduler_that_recomputes_the_rate_is_refused(folder: Path) -> None:
    """Lowering would last one step; without that strategy it is only said."""
    cycle = type("OneCycleLR", (), {})()
    with pytest.raises(ConfigError, match="leave reduce_learning_rate out"):
        AutoRecoverySystem(folder, metric=METRIC).attach(Model(), Optimizer(), cycle)
    recovery = AutoRecoverySystem(folder, ["rollback"], metric=METRIC).attach(Model(), Optimizer(), cycle)
    assert "for one step only" in recovery.new_problems()[0]

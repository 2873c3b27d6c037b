"""The recovery acts where it has to, seldom, in the journal, and takes back what made things worse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.anomalies.base import Anomaly, AnomalyKind, Severity
from exaid_evals.artifacts.schemas import require_valid
from exaid_evals.cli.main import run
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor import AutoRecoverySystem, MonitoringConfig, TrainingMonitor
from monitor.training_states import Model, Optimizer, Scheduler

METRIC = "val_accuracy"


def anomaly(
    kind: AnomalyKind, step: float, severity: Severity = "critical", metric: str = METRIC, **evidence: float
) -> Anomaly:
    """Return an anomaly."""
    return Anomaly(metric, kind, step, -0.5, severity, kind, evidence)


def drop(step: float, before: float = 0.9, after: float = 0.4) -> Anomaly:
    """Return a severe drop."""
    return anomaly("sudden_drop", step, before=before, after=after)


def journal(recovery: AutoRecoverySystem) -> list[dict[str, Any]]:
    """Return the journal's records, each of which is valid."""
    if not recovery.journal_file.exists():
        return []
    records = [json.loads(line) for line in recovery.journal_file.read_text().splitlines()]
    for record in records:
        require_valid(record, "recovery.jsonl")
    return records


def reported(recovery: AutoRecoverySystem) -> list[tuple[str, str]]:
    """Return the journal as (type, strategy or outcome)."""
    return [(one["record_type"], one.get("strategy") or one["outcome"]) for one in journal(recovery)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of checkpoints that does not exist yet."""
    return tmp_path / "checkpoints"


def started(folder: Path, **settings: Any) -> tuple[AutoRecoverySystem, Model, Optimizer]:
    """Return a recovery after two good steps, the second of which is the best."""
    model, optimizer = Model(), Optimizer(0.1)
    settings = {"cooldown_steps": 5, "judge_after": 2, **settings}
    recovery = AutoRecoverySystem(folder, metric=METRIC, **settings).attach(model, optimizer)
    for step, value in ((0, 0.8), (1, 0.9)):
        model.weights = np.array([step, 2.0])
        assert recovery.observe(step, {METRIC: value}) is None
    return recovery, model, optimizer


def test_a_severe_drop_is_rolled_back(folder: Path) -> None:
    """Weights and learning rate of the best checkpoint come back; the reason stands in the journal."""
    recovery, model, optimizer = started(folder)
    model.weights = np.array([9.0, 9.0])
    optimizer.param_groups[0]["lr"] = 100.0
    action = recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    assert action is not None
    assert (action.strategy, action.details["checkpoint_step"]) == ("rollback", 1)
    assert model.weights.tolist() == [1.0, 2.0]
    assert optimizer.rates == [0.1]
    (record,) = journal(recovery)
    assert record["reason"] == "val_accuracy got worse at once by 0.5, step 2"
    assert (record["details"]["learning_rate_before"], record["details"]["learning_rate_after"]) == ("100", "0.1")


@pytest.mark.parametrize(
    ("one", "acts"),
    [
        (anomaly("not_finite", 2, "critical", "train_loss"), True),
        (anomaly("not_finite", 2, "high", "train_loss"), False),  # once, and the weights are sound
        (anomaly("not_finite", 2, "critical", "train_precision"), False),  # 0/0 is not damage
        (anomaly("divergence", 2, "critical", "train_loss"), True),
        (anomaly("not_finite", 2, "high", "grad_norm"), False),  # ordinary under mixed precision
        (anomaly("sudden_drop", 2, "critical", "train_accuracy"), False),
        (anomaly("sudden_drop", 2, "medium"), False),
        (anomaly("outlier", 2, "critical"), False),
    ],
)
def test_what_is_severe(folder: Path, one: Anomaly, acts: bool) -> None:
    """NaN and divergence of what measures the training, drops of the ranking metric; from `rollback_severity` on."""
    recovery, _, _ = started(folder)
    recovery.observe(2, {"train_loss": 1.0, "train_precision": 0.5})
    assert (recovery.observe(2, {}, [one]) is not None) == acts


def test_a_rollback_that_made_things_worse_is_undone(folder: Path) -> None:
    """The state of before comes back when the metric stays below what it was."""
    recovery, model, _ = started(folder)
    model.weights = np.array([9.0, 9.0])
    recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    assert recovery.observe(3, {METRIC: 0.1}) is None
    action = recovery.observe(4, {METRIC: 0.1})
    assert action is not None
    assert action.strategy == "undo"
    assert model.weights.tolist() == [9.0, 9.0]
    assert reported(recovery) == [("action", "rollback"), ("outcome", "undone")]
    assert journal(recovery)[1]["level_before"] == 0.4
    assert journal(recovery)[1]["level_after"] == 0.1


def test_a_state_of_nan_is_nothing_to_come_back_to(folder: Path) -> None:
    """A rollback from NaN is kept, whatever comes."""
    recovery, model, _ = started(folder)
    model.weights = np.array([math.nan, 1.0])
    recovery.observe(2, {METRIC: math.nan}, [anomaly("not_finite", 2)])
    for step in (3, 4):
        assert recovery.observe(step, {METRIC: 0.2}) is None
    assert reported(recovery) == [("action", "rollback"), ("outcome", "kept")]
    assert model.weights.tolist() == [1.0, 2.0]


def test_a_plateau_lowers_the_learning_rate(folder: Path) -> None:
    """Of every group, down to the least; the scheduler's base follows; one at the least proposes nothing."""
    model, optimizer, scheduler = Model(), Optimizer(0.1, 0.003), Scheduler(0.2, 0.006)
    recovery = AutoRecoverySystem(
        folder, ["reduce_learning_rate"], metric=METRIC, min_learning_rate=0.002, cooldown_steps=0
    ).attach(model, optimizer, scheduler)
    recovery.observe(0, {METRIC: 0.9}, [anomaly("plateau", 0, "low")])
    assert optimizer.rates == pytest.approx([0.05, 0.002])
    assert scheduler.base_lrs == pytest.approx([0.1, 0.004])
    for step in range(1, 4):
        recovery.observe(step, {METRIC: 0.9}, [anomaly("plateau", step, "low")])
    assert optimizer.rates == pytest.approx([0.00625, 0.002])


def test_a_lowered_rate_that_made_things_worse_is_restored(folder: Path) -> None:
    """The metric fell below its values before by more than the tolerance: the rate goes up again, its base too."""
    model, optimizer, scheduler = Model(), Optimizer(0.1), Scheduler(0.1)
    settings = {"judge_after": 3, "cooldown_steps": 5}
    recovery = AutoRecoverySystem(folder, metric=METRIC, **settings).attach(model, optimizer, scheduler)
    for step in range(4):
        recovery.observe(step, {METRIC: 0.9})
    recovery.observe(4, {METRIC: 0.9}, [anomaly("plateau", 4, "low")])
    assert optimizer.rates == [0.05]
    optimizer.param_groups[0]["lr"] = 0.04  # a schedule goes on meanwhile
    actions = [recovery.observe(step, {METRIC: 0.8}) for step in (5, 6, 7)]
    assert [one.strategy if one else None for one in actions] == [None, None, "undo"]
    assert optimizer.rates == [0.08]
    assert scheduler.base_lrs == [0.1]
    assert reported(recovery) == [("action", "reduce_learning_rate"), ("outcome", "undone")]


def test_a_lowered_rate_that_did_no_harm_is_kept(folder: Path) -> None:
    """The same metric, or a better one, keeps it."""
    recovery, _, optimizer = started(folder)
    recovery.observe(2, {METRIC: 0.9}, [anomaly("plateau", 2, "low")])
    recovery.observe(3, {METRIC: 0.9})
    recovery.observe(4, {METRIC: 0.89})
    assert optimizer.rates == [0.05]
    assert reported(recovery)[-1] == ("outcome", "kept")


def test_the_cool_down_is_kept_and_nothing_is_forgotten(folder: Path) -> None:
    """What is severe within the cool-down is answered after it, if it is still there."""
    recovery, _, _ = started(folder)
    assert recovery.observe(2, {METRIC: 0.4}, [drop(2)]) is not None
    assert recovery.observe(3, {METRIC: 0.4}, [drop(3)]) is None
    assert recovery.observe(5, {METRIC: 0.4}) is None
    assert recovery.observe(7, {METRIC: 0.4}) is not None
    assert recovery.observe(8, {METRIC: 0.4}, [drop(8)]) is None
    assert recovery.observe(9, {METRIC: 0.88}) is None
    assert recovery.observe(13, {METRIC: 0.88}) is None
    assert [kind for kind, _ in reported(recovery)].count("action") == 2


def test_coming_back_again_lowers_the_rate(folder: Path) -> None:
    """What went wrong twice from one checkpoint goes wrong from there: each time with half the rate."""
    recovery, _, optimizer = started(folder, max_actions=9)
    for number, rate in enumerate((0.1, 0.05, 0.025)):
        recovery.observe(10.0 * (number + 1), {METRIC: 0.4}, [drop(10 * (number + 1))])
        assert optimizer.rates == pytest.approx([rate])


def test_after_the_last_action_the_training_stops(folder: Path) -> None:
    """At most `max_actions`; then a severe anomaly ends the training, with the best weights."""
    recovery, model, _ = started(folder, max_actions=2)
    for step in (10, 20):
        recovery.observe(step, {METRIC: 0.4}, [drop(step)])
        assert not recovery.should_stop
    model.weights = np.array([9.0, 9.0])
    action = recovery.observe(30, {METRIC: 0.4}, [drop(30)])
    assert action is not None
    assert action.strategy == "early_stop"
    assert recovery.should_stop
    assert model.weights.tolist() == [1.0, 2.0]
    assert recovery.observe(40, {METRIC: 0.4}, [drop(40)]) is None
    recovery.close()
    assert reported(recovery)[-2:] == [("action", "early_stop"), ("outcome", "open")]


def test_nan_without_a_checkpoint_stops(folder: Path) -> None:
    """Weights that are not finite, and nothing to go back to: unrecoverable at once."""
    model = Model(math.nan)
    recovery = AutoRecoverySystem(folder, metric=METRIC).attach(model, Optimizer())
    action = recovery.observe(0, {"train_loss": math.nan}, [anomaly("not_finite", 0, "high", "train_loss")])
    assert action is not None
    assert action.strategy == "early_stop"
    assert action.details == {"restored_step": None}


def test_checkpoints_are_few_and_sound(folder: Path) -> None:
    """The best three stay; a bad step, a worse value and weights of NaN make none."""
    model = Model()
    recovery = AutoRecoverySystem(folder, metric=METRIC).attach(model, Optimizer())
    for step, value in enumerate((0.5, 0.6, 0.55, 0.7, 0.8, 0.9)):
        recovery.observe(step, {METRIC: value})
    model.weights = np.array([math.nan, 0.0])
    recovery.observe(6, {METRIC: 0.95})
    assert [(one.step, one.value) for one in recovery.store.ranked] == [(5, 0.9), (4, 0.8), (3, 0.7)]
    assert sorted(path.suffix for path in folder.iterdir()) == [".json"] * 3 + [".npz"] * 3


def test_a_model_that_refuses_the_checkpoint_keeps_its_state(folder: Path) -> None:
    """The attempt is counted and written down, and the training goes on."""
    recovery, model, _ = started(folder)
    model.weights = np.array([1.0, 2.0, 3.0])
    assert recovery.observe(2, {METRIC: 0.4}, [drop(2)]) is None
    assert model.weights.tolist() == [1.0, 2.0, 3.0]
    assert recovery.observe(3, {METRIC: 0.4}, [drop(3)]) is None  # the cool-down holds for attempts too
    (record,) = journal(recovery)
    assert (record["done"], record["details"]) == (False, {"error": "ValueError"})


def test_an_action_that_cannot_be_written_down_is_not_made_at_every_step(folder: Path) -> None:
    """A full disk is reported; the action is returned and counts, and the cool-down holds."""
    recovery, model, _ = started(folder)
    model.weights = np.array([9.0, 9.0])
    recovery.journal_file.mkdir()
    assert recovery.observe(2, {METRIC: 0.4}, [drop(2)]) is not None
    assert any("action not written" in what for what in recovery.new_problems())
    assert model.weights.tolist() == [1.0, 2.0]
    model.weights = np.array([9.0, 9.0])
    assert recovery.observe(3, {METRIC: 0.4}, [drop(3)]) is None
    assert model.weights.tolist() == [9.0, 9.0]


def test_an_undone_rollback_leaves_the_schedule_as_it_was(folder: Path) -> None:
    """The second rollback to a checkpoint halves rate and base rate; undoing it restores both."""
    model, optimizer, scheduler = Model(), Optimizer(0.1), Scheduler(0.1)
    recovery = AutoRecoverySystem(folder, metric=METRIC, cooldown_steps=0, judge_after=2)
    recovery.attach(model, optimizer, scheduler).observe(0, {METRIC: 0.9})
    recovery.observe(1, {METRIC: 0.4}, [drop(1)])
    recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    assert (optimizer.rates, scheduler.base_lrs) == ([0.05], [0.05])
    recovery.observe(3, {METRIC: 0.1})
    action = recovery.observe(4, {METRIC: 0.1})
    assert action is not None
    assert action.strategy == "undo"
    assert (optimizer.rates, scheduler.base_lrs) == ([0.1], [0.1])
    assert reported(recovery) == [
        ("action", "rollback"),
        ("outcome", "superseded"),
        ("action", "rollback"),
        ("outcome", "undone"),
    ]


def test_a_journal_is_valid_data(folder: Path) -> None:
    """`validate` takes it, and says so where an outcome is of no action."""
    recovery, _, _ = started(folder)
    recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    recovery.observe(3, {METRIC: 0.9})
    recovery.observe(4, {METRIC: 0.9})
    assert run(["validate", str(recovery.journal_file)]) == 0
    lines = recovery.journal_file.read_text().splitlines()
    wrong = lines[1].replace('"action":0', '"action":7')
    recovery.journal_file.write_text(f"{lines[0]}\n{wrong}\n")
    assert run(["validate", str(recovery.journal_file)]) == 1


def test_a_folder_of_another_training_is_not_taken(folder: Path) -> None:
    """Its checkpoints could be of anything; `resume` says that they are this training's own, its actions too."""
    recovery, _, _ = started(folder, max_actions=1)
    recovery.observe(2, {METRIC: 0.4}, [drop(2)])
    with pytest.raises(ConfigError, match="another training keeps its checkpoints here"):
        AutoRecoverySystem(folder, metric=METRIC, resume=True)
    recovery.close()
    with pytest.raises(ConfigError, match="checkpoints of another training"):
        AutoRecoverySystem(folder, metric=METRIC)
    model = Model(5.0, 5.0)
    again = AutoRecoverySystem(folder, metric=METRIC, max_actions=1, resume=True).attach(model, Optimizer())
    action = again.observe(50, {METRIC: 0.4}, [drop(50)])
    assert action is not None
    assert action.strategy == "early_stop"
    assert model.weights.tolist() == [1.0, 2.0]
    again.close()
    (folder / "recovery.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"recovery\.jsonl:1"):
        AutoRecoverySystem(folder, metric=METRIC, resume=True)


def test_wrong_settings_are_refused(folder: Path) -> None:
    """Unknown keys have a suggestion; a metric without direction, a model without state, no learning rate to lower."""
    with pytest.raises(ConfigError, match="did you mean `max_actions`"):
        AutoRecoverySystem(folder, metric=METRIC, max_action=3)
    with pytest.raises(ConfigError, match="not known how 'quality' improves"):
        AutoRecoverySystem(folder, metric="quality")
    good = AutoRecoverySystem(folder, metric="quality", direction="higher")
    with pytest.raises(ConfigError, match="has no state"):
        good.attach(object())
    with pytest.raises(ConfigError, match="no learning rate"):
        good.attach(Model())
    with pytest.raises(ConfigError, match="attach"):
        AutoRecoverySystem(folder, metric=METRIC).observe(0, {})
    assert not folder.exists()


def test_without_a_metric_the_first_of_a_validation_counts(folder: Path) -> None:
    """The training's own loss ranks nothing; earlier checkpoints need the name by which they were ranked."""
    recovery = AutoRecoverySystem(folder, ["rollback"]).attach(Model())
    recovery.observe(0, {"train_loss": 0.1})
    assert not recovery.store.ranked
    for step, value in ((1, 0.5), (2, 0.7), (3, 0.4)):
        recovery.observe(step, {"train_loss": 0.1, "val_loss": value, "val_zeta": 1.0})
    assert [(one.metric, one.value) for one in recovery.store.ranked] == [("val_loss", 0.4), ("val_loss", 0.5)]
    recovery.close()
    with pytest.raises(ConfigError, match="resume needs the metric"):
        AutoRecoverySystem(folder, resume=True)


def test_the_monitor_lets_the_recovery_act(folder: Path) -> None:
    """From the values alone: the monitor finds the drop, the recovery rolls back, and the alert says so."""
    model = Model()
    config = MonitoringConfig.model_validate(
        {
            "auto_recovery": {"enable": True, "checkpoint_dir": folder, "metric": METRIC, "strategies": ["rollback"]},
            "alerts": {"log": False},
        }
    )
    texts: list[str] = []
    with TrainingMonitor(config, watch_stalls=False).attach(model, Optimizer()) as monitor:
        monitor._alerts.notice = lambda *said: texts.append(said[-1])  # type: ignore[method-assign]
        for step in range(20):
            monitor.log_step(step, {METRIC: 0.8 + 0.005 * step})
        best = model.weights.copy()
        model.weights = model.weights * 50
        monitor.log_step(20, {METRIC: 0.2})
    assert (model.weights == best).all()
    assert monitor.last_action is not None
    assert texts == ["rollback at step 20, since val_accuracy got worse at once by 0.6775, step 20"]


def test_a_checkpoint_that_cannot_be_written_ends_no_training(tmp_path: Path) -> None:
    """It is counted among the monitor's problems."""
    (tmp_path / "taken").write_text("")
    recovery = {"enable": True, "checkpoint_dir": tmp_path / "taken" / "x", "metric": METRIC}
    config = MonitoringConfig.model_validate({"auto_recovery": recovery, "alerts": {"log": False}})
    with TrainingMonitor(config, watch_stalls=False).attach(Model(), Optimizer()) as monitor:
        monitor.log_step(0, {METRIC: 0.5})
    assert any(what.startswith("recovery: ") for what in monitor.problems)

"""Which states are kept: the best, and later ones that are as good within the noise of the metric."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exaid_evals.monitor import AutoRecoverySystem
from monitor.test_recovery import METRIC
from monitor.training_states import Model, Optimizer


def recovery(folder: Path, keep: int = 3) -> AutoRecoverySystem:
    """Return a recovery."""
    return AutoRecoverySystem(folder, ["rollback"], metric=METRIC, keep_checkpoints=keep).attach(Model(), Optimizer())


def reported(one: AutoRecoverySystem, values: list[float], every: int = 20) -> None:
    """Tell values."""
    for at, value in enumerate(values):
        one.observe(at * every, {METRIC: value})
    one.close()


def test_of_values_within_the_noise_the_later_is_taken(tmp_path: Path) -> None:
    """A lucky value, early: much was learned since, by values that are as good as far as one can tell."""
    rng = np.random.default_rng(0)
    values = [0.9, 0.95, 0.964, *(0.96 + rng.normal(0, 0.004, 20)).tolist()]
    one = recovery(tmp_path)
    reported(one, values)
    assert one.store.ranked[0].step > 15 * 20
    assert max(value for value in values) in [kept.value for kept in one.store.ranked]  # against which they are held
    assert len(one.store.ranked) == 3


def test_equals_of_equals_do_not_lead_downwards(tmp_path: Path) -> None:
    """A slow decay, each value within the noise of the one before: what is kept stays near the best."""
    rng = np.random.default_rng(0)
    values = [float(0.95 - 0.002 * at + rng.normal(0, 0.004)) for at in range(100)]
    one = recovery(tmp_path)
    reported(one, values)
    assert one.store.ranked
    assert all(kept.value > max(values) - 0.02 * max(values) for kept in one.store.ranked)


def test_what_is_repeated_writes_nothing(tmp_path: Path) -> None:
    """The last accuracy, told again at each step: it says nothing about the weights of now."""
    one = recovery(tmp_path)
    reported(one, [value for value in (0.8, 0.9, 0.89, 0.9, 0.91) for _ in range(20)], every=1)
    assert [kept.step for kept in one.store.ranked] == [80, 20, 0]


def test_one_checkpoint_is_the_best(tmp_path: Path) -> None:
    """Where only one is kept, the best by value could not stay beside a later one."""
    rng = np.random.default_rng(0)
    values = [0.97, *(0.96 + rng.normal(0, 0.003, 20)).tolist()]
    one = recovery(tmp_path, keep=1)
    reported(one, values)
    assert [kept.value for kept in one.store.ranked] == [max(values)]

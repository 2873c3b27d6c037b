"""A rollback puts back what else belongs to a training: a schedule, a scaler, generators of random numbers."""

from __future__ import annotations

import io
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.errors import ConfigError
from exaid_evals.monitor import AutoRecoverySystem
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from monitor.test_recovery import METRIC, drop
from monitor.training_states import Model, Optimizer


class Schedule:
    """Counts, and knows its milestones as PyTorch's MultiStepLR does."""

    def __init__(self) -> None:
        self.base_lrs, self.last_epoch, self.milestones = [0.1], 0, Counter([30, 60])

    def state_dict(self) -> dict[str, Any]:
        """Return everything."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take everything."""
        vars(self).update(state)


def recovery(folder: Path, scheduler: Any = None, **parts: Any) -> AutoRecoverySystem:
    """Return a recovery that only rolls back."""
    one = AutoRecoverySystem(folder, ["rollback"], metric=METRIC, cooldown_steps=0, judge_after=1)
    return one.attach(Model(), Optimizer(), scheduler, parts)


def test_a_schedule_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    """Its counter comes back with the rate, its milestones as what they were; an undo brings the later one back."""
    schedule = Schedule()
    one = recovery(tmp_path, schedule)
    schedule.last_epoch = 10
    one.observe(0, {METRIC: 0.9})
    schedule.last_epoch = 50
    assert one.observe(1, {METRIC: 0.5}, [drop(1)]) is not None
    assert (schedule.last_epoch, schedule.milestones) == (10, Counter([30, 60]))
    assert type(schedule.milestones) is Counter
    undone = one.observe(2, {METRIC: 0.1})
    assert undone is not None
    assert (undone.strategy, schedule.last_epoch) == ("undo", 50)
    one.close()


def test_a_schedule_that_cannot_be_kept_is_reported(tmp_path: Path) -> None:
    """It may hold a function of the user's: the rollback works without it, and says so at once."""
    schedule = Schedule()
    schedule.factor = lambda epoch: 0.9**epoch  # type: ignore[attr-defined]
    one = recovery(tmp_path, schedule)
    assert any("leaves the scheduler's counter where it is" in what for what in one.new_problems())
    one.observe(0, {METRIC: 0.9})
    schedule.last_epoch = 50
    assert one.observe(1, {METRIC: 0.5}, [drop(1)]) is not None
    assert schedule.last_epoch == 50
    one.close()


def test_a_schedule_that_is_not_attached_is_reported(tmp_path: Path) -> None:
    """PyTorch's schedulers leave their first rate in the optimiser's groups."""
    optimizer = Optimizer(0.1)
    optimizer.param_groups[0]["initial_lr"] = 0.1
    one = AutoRecoverySystem(tmp_path, metric=METRIC).attach(Model(), optimizer)
    assert any("a scheduler that is not attached" in what for what in one.new_problems())
    one.close()


@pytest.mark.parametrize(
    ("make", "draw"),
    [
        (lambda: np.random.default_rng(1), lambda one: one.random(3).tolist()),
        (lambda: np.random.Generator(np.random.MT19937(1)), lambda one: one.random(3).tolist()),
        (lambda: np.random.RandomState(1), lambda one: one.rand(3).tolist()),
        (lambda: random.Random(1), lambda one: [one.random() for _ in range(3)]),  # noqa: S311 - no secret
        (lambda: random, lambda one: [one.random() for _ in range(3)]),
        (lambda: np.random, lambda one: one.rand(3).tolist()),
    ],
)
def test_generators_go_on_from_the_checkpoint(tmp_path: Path, make: Any, draw: Any) -> None:
    """What was drawn after it is drawn again: NumPy's and Python's, of one's own and global."""
    generator = make()
    one = recovery(tmp_path, generator=generator)
    draw(generator)
    one.observe(0, {METRIC: 0.9})
    drawn = draw(generator)
    assert draw(generator) != drawn
    assert one.observe(1, {METRIC: 0.5}, [drop(1)]) is not None
    assert draw(generator) == drawn
    one.close()


def test_what_has_no_state_is_no_part(tmp_path: Path) -> None:
    """Named, before any work."""
    with pytest.raises(ConfigError, match=r"parts\['loader'\]"):
        recovery(tmp_path, loader=[1, 2])


def test_masked_arrays_are_refused() -> None:
    """The mask would be lost, and with it which numbers mean anything."""
    with pytest.raises(ConfigError, match="masked"):
        write_state(io.BytesIO(), {"a": np.ma.masked_array([1.0], [True])})


def test_counters_come_back_as_counters() -> None:
    """Other mappings come back as plain ones."""
    stream = io.BytesIO()
    write_state(stream, {"a": Counter({3: 2}), "b": {3: 2}})
    found = read_state(stream.getvalue(), "x")
    assert [type(one) for one in found.values()] == [Counter, dict]
    assert found["a"] == Counter({3: 2})

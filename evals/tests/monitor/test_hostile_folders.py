"""A folder that somebody else has filled ends in an error of ours, and nothing outside or foreign in it is touched."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.errors import DataError
from exaid_evals.monitor import AutoRecoverySystem
from exaid_evals.monitor.recovery import checkpoints
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from monitor.test_recovery import METRIC, drop
from monitor.training_states import Model, Optimizer


def recovery(folder: Path, model: Model, optimizer: Optimizer | None = None, **settings: Any) -> AutoRecoverySystem:
    """Return a recovery that only rolls back."""
    return AutoRecoverySystem(folder, ["rollback"], metric=METRIC, **settings).attach(model, optimizer or Optimizer())


def kept(folder: Path, value: float, model: Model, optimizer: Optimizer | None = None, *, resume: bool = True) -> None:
    """Leave a checkpoint in a folder."""
    one = recovery(folder, model, optimizer, resume=resume)
    one.observe(0, {METRIC: value})
    one.close()


@pytest.mark.parametrize("value", ["1e999", "-1e999"])
def test_a_manifest_of_an_infinite_value_is_none(tmp_path: Path, value: str) -> None:
    """It would be the best for ever, and every rollback would come to it."""
    kept(tmp_path, 0.9, Model(), resume=False)
    path = tmp_path / "checkpoint-000001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "value": value}))
    store = CheckpointStore(tmp_path, 3, larger_is_worse=False, resume=True)
    assert store.ranked == []
    assert "not finite" in store.refused[0]


def test_foreign_files_of_the_same_name_are_left_alone(tmp_path: Path) -> None:
    """A training's own checkpoints may be called as ours are."""
    (tmp_path / "checkpoint-000007.npz").write_bytes(b"mine")
    kept(tmp_path, 0.9, Model(), resume=False)
    assert (tmp_path / "checkpoint-000007.npz").read_bytes() == b"mine"
    assert (tmp_path / "checkpoint-000008.npz").exists()


def test_numbers_may_grow_beyond_six_digits(tmp_path: Path) -> None:
    """What was written under a longer number is found again."""
    kept(tmp_path, 0.9, Model(), resume=False)
    for suffix in ("json", "npz"):
        (tmp_path / f"checkpoint-000001.{suffix}").rename(tmp_path / f"checkpoint-999999.{suffix}")
    kept(tmp_path, 0.95, Model())
    store = CheckpointStore(tmp_path, 3, larger_is_worse=False, resume=True)
    assert [one.number for one in store.ranked] == [1_000_000, 999_999]


def test_a_journal_that_is_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    """Writing would make a file elsewhere, or wait for a reader for ever."""
    for name, make in (("a", lambda path: path.symlink_to(tmp_path / "elsewhere")), ("b", os.mkfifo)):
        (tmp_path / name).mkdir()
        make(tmp_path / name / "recovery.jsonl")
        with pytest.raises(DataError, match=r"recovery\.jsonl"):
            recovery(tmp_path / name, Model())
    one = recovery(tmp_path / "c", Model())
    one.observe(0, {METRIC: 0.9})
    one.journal_file.symlink_to(tmp_path / "elsewhere")  # afterwards
    assert one.observe(1, {METRIC: 0.2}, [drop(1)]) is not None
    assert any("action not written" in what for what in one.new_problems())
    assert not (tmp_path / "elsewhere").exists()
    one.close()


@pytest.mark.parametrize("line", ["[" * 200_000, '{"record_type":"action","counted":true,"index":1e999}'])
def test_a_journal_of_odd_records_is_an_error_of_ours(tmp_path: Path, line: str) -> None:
    """Too deep, and an index without end."""
    (tmp_path / "recovery.jsonl").write_text(f"{line}\n")
    with pytest.raises(DataError, match="not a record of a recovery"):
        recovery(tmp_path, Model(), resume=True)


def test_a_checkpoint_without_a_manifest_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full in between: nobody would ever remove it."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    one = recovery(tmp_path, Model())
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            one.observe(0, {METRIC: 0.9})
    assert not list(tmp_path.iterdir())
    one.close()


def test_a_checkpoint_that_does_not_fit_gives_way_to_the_next(tmp_path: Path) -> None:
    """Of a model with another shape: the second best is put back, and the first is not tried again."""
    kept(tmp_path, 0.8, Model(5.0, 6.0), resume=False)
    kept(tmp_path, 0.9, Model(1.0, 2.0, 3.0))
    model = Model(7.0, 8.0)
    one = recovery(tmp_path, model, resume=True)
    action = one.observe(2, {METRIC: 0.2}, [drop(2)])
    assert action is not None
    assert model.weights.tolist() == [5, 6]
    assert any("does not fit (ValueError: another shape)" in what for what in one.new_problems())
    assert len(one.store.ranked) == 1
    one.close()


class OtherOptimizer(Optimizer):
    """Would take any state, as PyTorch's optimisers do, and fail in the next step."""


def test_the_state_of_another_optimiser_is_not_loaded(tmp_path: Path) -> None:
    """The attempt fails and changes nothing; loaded, it would end the training in its next step."""
    kept(tmp_path, 0.9, Model(5.0, 6.0), resume=False)
    model, optimizer = Model(7.0, 8.0), OtherOptimizer(0.3)
    one = recovery(tmp_path, model, optimizer, resume=True)
    assert one.observe(2, {METRIC: 0.2}, [drop(2)]) is None
    assert (model.weights.tolist(), optimizer.rates) == ([7, 8], [0.3])
    assert any("is of Optimizer, and here is OtherOptimizer" in what for what in one.new_problems())
    one.close()

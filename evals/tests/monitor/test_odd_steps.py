"""Whatever a loop hands over, what is right beside it is seen, returned and written."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.history_log import number_of


class Unwritable:
    """Has no text."""

    def __str__(self) -> str:
        """Refuse."""
        raise RuntimeError


def monitor(folder: Path) -> TrainingMonitor:
    """Return a monitor that writes a history."""
    given = {"alerts": {"log": False}, "reporting": {"log_dir": folder}}
    return TrainingMonitor(MonitoringConfig.model_validate(given), watch_stalls=False)


@pytest.mark.parametrize(
    "batch", [5, [1], "b", {"batch_idx": float("nan")}, {"batch_idx": float("inf")}, {"items": [Unwritable()]}]
)
def test_an_odd_batch_hides_no_anomaly(tmp_path: Path, batch: Any) -> None:
    """The drop is returned and counted, and its row is in the history; the batch is a problem."""
    with monitor(tmp_path) as one:
        found = [
            it
            for step in range(44)
            for it in one.log_step(step, {"val_accuracy": 0.9 + 0.001 * (step % 3) - 0.7 * (step >= 40)}, batch)
        ]
        assert [it.kind for it in found] == ["sudden_drop"]
        assert sum(one.counts.values()) == 1
        assert one.problems
        assert one.history_file is not None
        assert len(one.history_file.read_text().splitlines()) == 44


def test_a_name_without_text_hides_no_metric(tmp_path: Path) -> None:
    """The others of the step are written."""
    with monitor(tmp_path) as one:
        one.log_step(0, {"loss": 1.0, Unwritable(): 2.0})  # type: ignore[dict-item]
        assert one.history_file is not None
        assert one.history_file.read_text() == '{"loss":1.0,"step":0}\n'
        assert dict(one.problems) == {"a metric's name is not text": 1}


@pytest.mark.parametrize(
    "value",
    [np.str_("1.5"), np.array("1.5"), bytearray(b"1"), memoryview(b"1"), type("Text", (str,), {})("7")],
)
def test_text_is_no_number(value: Any) -> None:
    """Whatever type holds it: Python's own text is none either."""
    assert number_of(value) is None


def test_a_masked_number_is_none() -> None:
    """What lies under the mask means nothing; without a mask it is a number."""
    assert number_of(np.ma.masked) is None
    assert number_of(np.ma.masked_array([1.0], [True])) is None
    assert number_of(np.ma.masked_array([1.0], [False])) == 1.0


def test_steps_of_several_threads_are_taken_one_after_another(tmp_path: Path) -> None:
    """Nothing is lost, and no window of values is broken."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with monitor(tmp_path) as one:
            threads = [
                threading.Thread(target=lambda: [one.log_step(at, {"a_loss": at % 7}) for at in range(500)])
                for _ in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not one.problems
            assert one.history_file is not None
            assert len(one.history_file.read_text().splitlines()) == 2000
    finally:
        sys.setswitchinterval(before)

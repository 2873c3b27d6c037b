"""What docs/monitoring.md shows is what its commands print, its code runs, and its numbers are the defaults."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from docs.page import check_walk, page_text
from exaid_evals.config.campaign import configs_dir
from exaid_evals.monitor import MonitoringConfig
from monitor.training_states import Model, Optimizer

PAGE = page_text("monitoring.md")


def test_the_walk_prints_what_is_shown(tmp_path: Path) -> None:
    """Every command of the page succeeds and prints the lines below it."""
    check_walk(PAGE, tmp_path, 2)


def test_the_loop_that_is_shown_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the example configuration beside it, and any model."""
    shutil.copy(configs_dir() / "experiment_config.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    scope = {"model": Model(), "optimizer": Optimizer(), "batches": range(3), "loss": 0.5, "accuracy": 0.9}
    exec(compile(block, "docs/monitoring.md", "exec"), scope)  # noqa: S102 - the page is ours
    assert scope["step"] == 2


def test_the_numbers_that_are_reported_are_the_defaults() -> None:
    """The page says what the configuration says."""
    config = MonitoringConfig()
    found, recovery, alerts = config.anomaly_detection, config.auto_recovery, config.alerts
    shown = PAGE.replace(" %", "%")
    assert f"{found.performance_drop_threshold:.0%} and more below" in shown
    assert f"median of the {found.drop_window} values before, and {found.drop_min_z:g} σ above" in shown
    assert f"| {found.outlier_threshold:g} robust σ from the median of the {found.outlier_window} values" in shown
    assert found.divergence_factor == 3
    assert (
        f"no gain of {found.plateau_tolerance:.0%} of all that was gained, in {found.plateau_patience} values" in shown
    )
    assert (found.stall_factor, found.stall_min_seconds) == (10, 60)
    assert (recovery.max_actions, recovery.cooldown_steps, recovery.judge_after) == (5, 10, 4)
    assert (recovery.keep_checkpoints, recovery.learning_rate_factor) == (3, 0.5)
    assert (alerts.min_interval_seconds, alerts.close_seconds) == (300, 10)


def test_the_tables_are_there() -> None:
    """The benchmark wrote both, and its claims hold in them: cost below 50 µs, alarms on few clean runs."""
    costs = re.findall(r"^\| \d+ \| ([\d.]+) \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert len(costs) == 3
    assert all(float(value) < 50 for row in costs for value in row)
    clean = re.search(r"^\| clean runs with an alarm \| (\d+) of 80 \| (\d+) of 80 \| \|$", PAGE, re.MULTILINE)
    assert clean is not None
    assert int(clean[2]) <= 16

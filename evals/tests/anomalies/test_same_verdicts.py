"""A training that is watched and one that is analysed afterwards are told the same about their metrics."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.anomalies.base import DetectionSettings
from exaid_evals.anomalies.registry import streamed
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.runs.history import series_of
from exaid_evals.runs.metric_names import direction_of

Rows = list[tuple[int, dict[str, float]]]


def run(seed: int) -> Rows:
    """Return a made-up run of 300 steps: losses, evaluations of another frequency, and troubles of any kind."""
    rng = np.random.default_rng(seed)
    loss = 2 * np.exp(-np.arange(300) / 60) + 0.3 + rng.normal(0, 0.03, 300)
    accuracy = 0.9 - 0.5 * np.exp(-np.arange(300) / 60) + rng.normal(0, 0.01, 300)
    at = int(rng.integers(60, 280))
    trouble = rng.integers(5)
    if trouble == 0:
        loss[at:] += 2
    elif trouble == 1:
        accuracy[at:] -= 0.3
    elif trouble == 2:
        loss[at : at + int(rng.integers(1, 30))] = np.nan
    elif trouble == 3:
        loss[at] = 1e9
    rate = 0.1 * 0.5 ** (np.arange(300) // 100)
    rows: Rows = []
    for step in range(300):
        row = {"train_loss": float(loss[step]), "lr": float(rate[step])}
        if step % 10 == 9:
            row |= {"val_accuracy": float(accuracy[step]), "val_time": float(rng.exponential())}
        rows.append((step, row))
    return rows


@pytest.mark.parametrize("seed", range(20))
def test_monitor_and_analysis_give_the_same_verdicts(seed: int) -> None:
    """Of every metric the same anomalies, at the same steps, of the same severity, by the same evidence."""
    rows = run(seed)
    with TrainingMonitor(MonitoringConfig(), watch_stalls=False) as monitor:
        reported = [one for step, row in rows for one in monitor.log_step(step, row)] + monitor.finish()
    series = series_of(rows)
    ways = {name: way for name in series if name != "val_time" and (way := direction_of(name)) is not None}
    found = list(streamed(series, DetectionSettings(), ways))
    assert found == reported


def test_the_runs_hold_something_to_agree_on() -> None:
    """Most of them have a severe anomaly, so that agreeing is more than being silent."""
    severe = 0
    for seed in range(20):
        series = series_of(run(seed))
        ways = {"train_loss": "lower", "val_accuracy": "higher"}
        found = streamed(series, DetectionSettings(), ways)  # type: ignore[arg-type]
        severe += any(one.severity in ("high", "critical") for one in found)
    assert severe >= 8

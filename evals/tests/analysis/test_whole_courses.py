"""What the whole course of a run says: slow losses, falls that come again, spikes that grow, scores that stay at 0."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from exaid_evals.analysis.stage import Analysis, analyse
from exaid_evals.runs.rows import history_of

Values = NDArray[np.float64]


def _analysed(**columns: Values) -> Analysis:
    n = len(next(iter(columns.values())))
    rows = [{"step": at, **{name: float(values[at]) for name, values in columns.items()}} for at in range(n)]
    return analyse(history_of("run", "jsonl", rows))


def _alarms(found: Analysis) -> bool:
    return found.diagnosis is not None or any(one.severity in ("high", "critical") for one in found.incidents)


def _noise(n: int, scale: float, seed: int = 1) -> Values:
    return np.random.default_rng(seed).normal(0, scale, n)


def test_a_loss_that_climbs_over_hundreds_of_steps_is_reported() -> None:
    """No step is sudden, and the loss stays below three times its best."""
    at = np.arange(2000)
    loss = 2 + 8.8 * (1 + at / 25) ** -0.6 + 3.8 / (1 + np.exp(-(at - 1400) / 40)) + _noise(2000, 0.04)
    assert _alarms(_analysed(**{"train/loss": loss}))


def test_a_rate_that_climbs_again_as_slowly_as_it_fell_is_no_warm_restart() -> None:
    """A cosine whose period is half the run brings the rate, and the loss, back to where they began."""
    at = np.arange(200)
    rate = 5e-3 * (1 + np.cos(np.pi * at / 110))
    loss = 2 * np.exp(-at / 25) + 0.25 + 120 * rate * (at > 110) + _noise(200, 0.01)
    found = _analysed(train_loss=loss, lr=rate)
    assert found.diagnosis is not None
    assert found.diagnosis.named == "optimisation"


def _tasks(n_tasks: int) -> Values:
    parts = [2.3 * np.exp(-np.arange(length) / 8) + 0.2 for length in (60, 83, 71, 90, 64)[:n_tasks]]
    loss = np.concatenate(parts)
    return np.asarray(loss + np.abs(_noise(len(loss), 0.03)))


def test_falls_that_come_again_and_pass_belong_to_the_method() -> None:
    """Five tasks one after the other, of different lengths, whose change no column names."""
    loss = _tasks(5)
    assert not _alarms(_analysed(loss=loss, accuracy=np.clip(1 - loss / 2.6, 0, 1)))


def test_spikes_of_a_loss_that_grow_are_reported() -> None:
    """Each is larger than the one before it; spikes of one size are not reported."""
    at = np.arange(2000)
    flat = 2 + 6 * (1 + at / 20) ** -0.6 + _noise(2000, 0.03)
    growing = flat.copy()
    for place, begin in enumerate(range(800, 1900, 150)):
        tail = np.exp(-np.arange(90) / 25)
        flat[begin : begin + 90] += 0.6 * tail
        growing[begin : begin + 90] += 0.6 * 1.4**place * tail
    assert _alarms(_analysed(loss=growing))
    assert not _alarms(_analysed(loss=flat))


@pytest.mark.parametrize(
    ("name", "value", "alarm"), [("val_WER", 1.0, True), ("val_dice", 0.0, True), ("val_WER", 0.4, False)]
)
def test_a_score_that_never_leaves_its_worst_is_reported(name: str, value: float, alarm: bool) -> None:
    """The loss falls, for it learns to say nothing."""
    loss = 12 * np.exp(-np.arange(40.0)) + 2.9 + np.abs(_noise(40, 0.01))
    assert _alarms(_analysed(**{"train_loss": loss, name: np.full(40, value)})) == alarm


@pytest.mark.parametrize(
    ("column", "before", "after", "family"), [("input_mean", 0.0, 118.0, "data"), ("world_size", 8.0, 4.0, "system")]
)
def test_what_is_logged_beside_the_metrics_names_the_cause(
    column: str, before: float, after: float, family: str
) -> None:
    """The inputs lose their normalisation, or half of the processes are lost."""
    at = np.arange(400)
    loss = 2 * np.exp(-at / 30) + 0.4 + 1.5 * (at >= 250) + _noise(400, 0.03)
    beside = np.where(at < 250, before, after) + (_noise(400, 0.03, 2) if family == "data" else 0)
    found = _analysed(train_loss=loss, **{column: np.asarray(beside)})
    assert found.diagnosis is not None
    assert found.diagnosis.named == family


def test_folds_numbered_by_a_column_are_no_resumed_run() -> None:
    """Epochs begin again with each fold, whose number of epochs differs."""
    rows = []
    for fold, n in enumerate((18, 24, 15, 21)):
        noise = _noise(n, 0.01, fold)
        rows += [
            {
                "fold": fold,
                "epoch": at,
                "train_loss": 0.2 + 0.5 * np.exp(-at / 6) + noise[at],
                "val_loss": 0.35 + 0.3 * np.exp(-at / 5) + noise[at],
            }
            for at in range(n)
        ]
    assert not _alarms(analyse(history_of("run", "csv", rows)))

"""Weights & Biases with its real client, offline: nothing of the user's own is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
wandb = pytest.importorskip("wandb")

from exaid_evals.run_eval import VisionClassificationAdapter, run_eval  # noqa: E402
from small_torch import Echo, config_of, random_set, vision_spec  # noqa: E402
from wandb_files import history_of  # noqa: E402


@pytest.mark.slow
@pytest.mark.parametrize("stepped", [False, True], ids=["in the present step", "in a step that is named"])
def test_an_evaluation_within_a_run_under_way_ends_none_of_its_steps(
    stepped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps with a log before and one after two evaluations: all of them, and all metrics, are in the history."""
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    run = wandb.init(project="p", mode="offline", dir=str(tmp_path), settings=wandb.Settings(silent=True))
    for step in range(3):
        run.log({"train/loss": 1.0 + step}, step=step)
        for split in ("val", "test"):
            config = config_of([random_set(8, 5)], split=split, wandb_step=step if stepped else None)
            run_eval(Echo(), VisionClassificationAdapter(), config, vision_spec(5), use_wandb=True)
        run.log({"lr": 0.1 * step}, step=step)
    run.finish()
    rows = history_of(next((tmp_path / "wandb").glob("offline-run-*/run-*.wandb")))
    assert [row["_step"] for row in rows] == [0, 1, 2]
    for step, row in enumerate(rows):
        assert row["train/loss"] == 1.0 + step
        assert row["lr"] == pytest.approx(0.1 * step)
        assert {"val/accuracy", "test/accuracy", "val/loss", "test/top5_accuracy"} <= set(row)

"""Training runs for tests: copies of the golden ones, and small ones with chosen numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

GOLD = Path(__file__).resolve().parents[1] / "gold" / "export" / "training_runs"

# Ten items of two classes, of which eight are right.
PREDICTIONS = "id,true,pred\n" + "".join(f"i{n},{n % 2},{(n % 2) if n < 8 else 1 - n % 2}\n" for n in range(10))


def copied(name: str, to: Path) -> Path:
    """Copy a golden run and return its folder."""
    shutil.copytree(GOLD / name, to)
    return to


def write_run(
    folder: Path,
    *,
    metrics: dict[str, Any] | None = None,
    predictions: str = PREDICTIONS,
    config: dict[str, Any] | None = None,
    history: str = "epoch,train_loss,val_loss\n1,1.0,1.1\n2,0.5,0.7\n",
    **summary: Any,
) -> Path:
    """Write a training run and return its folder."""
    (folder / "metrics").mkdir(parents=True)
    record = {"seed": 1, "hyperparameters": {"lr": 0.1} if config is None else config, **summary}
    (folder / "summary.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "train_history.csv").write_text(history, encoding="utf-8")
    reported = {"accuracy": 0.8} if metrics is None else metrics
    (folder / "metrics" / "val_metrics.json").write_text(json.dumps(reported), encoding="utf-8")
    (folder / "val_predictions.csv").write_text(predictions, encoding="utf-8")
    return folder


def shifted(n: int) -> str:
    """Return predictions of the same items, of which the first n are wrong."""
    return "id,true,pred\n" + "".join(f"i{i},{i % 2},{1 - i % 2 if i < n else i % 2}\n" for i in range(10))

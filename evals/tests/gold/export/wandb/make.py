"""Makes the golden runs of W&B with W&B itself, offline. Needs: pip install wandb (made with 0.31.0).

    python make.py

Ids are set; times, and so names of folders and bytes, are those of the making. Only the transaction logs are kept: an
offline run leaves nothing else that a reader needs. `files_only` is what a synchronised run leaves of a run that only
the files were kept of, written as wandb writes them; `expected.json` is what the log's own protocol buffers say.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "LOGNAME": "researcher", "USER": "researcher"}

import wandb

HERE = Path(__file__).resolve().parent


def run(folder: str, seed: int) -> dict[str, float]:
    """Log three epochs of a training that never happened."""
    settings = wandb.Settings(
        disable_git=True, save_code=False, console="off", host="host", x_disable_meta=True, x_disable_stats=True
    )
    config = {"seed": seed, "lr": 0.001, "model": {"depth": 3, "name": "=cmd|' /C calc'!A0"}, "tags": ["a", "b"]}
    made = wandb.init(
        project="demo",
        name=f"seed {seed}",
        id=f"gold000{seed}",
        group="g",
        config=config,
        dir=folder,
        settings=settings,
    )
    accuracy = 0.0
    for epoch in range(3):
        accuracy = round(0.6 + epoch / 10 + seed / 100, 6)
        made.log({"epoch": epoch, "loss": 1 / (epoch + 1), "val": {"accuracy": accuracy}, "note": "text"})
    made.summary["best.kappa"] = 0.7 + seed / 100
    made.summary["removed"] = 1
    del made.summary["removed"]
    made.summary["undefined"] = float("nan")
    # A record of more than one block of 32 KiB, whose chunks a reader must put together.
    made.summary["long"] = "x" * 70_000
    made.finish()
    return {"epoch": 2.0, "loss": 1 / 3, "val.accuracy": accuracy, "best.kappa": 0.7 + seed / 100}


def main() -> None:
    """Make both runs anew."""
    for old in HERE.glob("offline-run-*"):
        shutil.rmtree(old)
    expected = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in (1, 2):
            expected[f"gold000{seed}"] = run(folder, seed)
        for log in sorted(Path(folder).glob("wandb/offline-run-*/run-*.wandb")):
            target = HERE / log.parent.name / log.name
            target.parent.mkdir()
            shutil.copyfile(log, target)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Make the folder `1` as Sacred 0.8.7 writes it; what names the machine is taken out afterwards.

pip install sacred; python make.py
"""

from __future__ import annotations

from typing import Any

from sacred import Experiment
from sacred.observers import FileStorageObserver

experiment = Experiment("e1", save_git_info=False)
experiment.observers.append(FileStorageObserver("."))
experiment.add_config(lr=0.1, seed=7)


@experiment.main
def main(_run: Any) -> float:
    """Log two metrics over three steps."""
    for step in range(3):
        _run.log_scalar("val.acc", 0.5 + step / 10, step)
        _run.log_scalar("loss", 1 - step / 10, step)
    return 0.9


experiment.run()

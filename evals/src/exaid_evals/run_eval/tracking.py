"""Weights & Biases: offline by default, so that nothing leaves the machine unless it is asked to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exaid_evals.errors import MissingDependencyError
from exaid_evals.run_eval.spec import EvalConfig


def _wandb(mode: str) -> Any:
    if mode != "online":
        # Read when W&B is imported: it would report errors of its own to its makers.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "use_wandb needs W&B, which is not installed",
            remedy="`pip install 'exaid-evals[wandb]'`, or leave use_wandb out",
        ) from error
    return wandb


@contextlib.contextmanager
def tracked(config: EvalConfig, *, name: str, settings: Mapping[str, Any]) -> Iterator[Any]:
    """Open a W&B run for the block: the one under way, which stays open, or one of its own.

    Args:
        config: project, mode, and the folder in which `wandb/` lies (output_dir, else the working directory).
        name: of the run.
        settings: its configuration.
    """
    wandb = _wandb(config.wandb_mode)
    if wandb.run is not None:
        yield wandb.run
        return
    folder = config.output_dir or Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    with wandb.init(
        project=config.wandb_project,
        name=name,
        mode=config.wandb_mode,
        dir=str(folder),
        config=dict(settings),
        settings=wandb.Settings(console="off", silent=True, x_disable_stats=True, disable_git=True, save_code=False),
    ) as run:
        yield run


def log_metrics(metrics: Mapping[str, float], config: EvalConfig) -> None:
    """Log the metrics of one evaluation as `<split>/<metric>`.

    In a run under way they join its present step, which is left open, or `wandb_step`: a step of their own would end
    the user's, and what is logged to that afterwards would be dropped.
    """
    settings = {"task": config.task_name, "split": config.split, "batch_size": config.batch_size, "seed": config.seed}
    values = {f"{config.split}/{name}": value for name, value in metrics.items()}
    under_way = _wandb(config.wandb_mode).run is not None
    with tracked(config, name=f"evaluate-{config.task_name}", settings=settings) as run:
        if config.wandb_step is not None:
            run.log(values, step=config.wandb_step)
        else:
            run.log(values, commit=not under_way)

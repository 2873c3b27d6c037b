"""`run-training`: a small model, evaluated after each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.run_eval import ModelRequest
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import option

if TYPE_CHECKING:
    from exaid_evals.run_eval.training import Epoch

FOLDER = "training"


@dataclass(frozen=True, kw_only=True)
class RunTrainingRequest(ModelRequest):
    """What is trained."""

    epochs: int | None = option("Passes over the training split.", minimum=1, key="config:epochs")


def run(request: RunTrainingRequest) -> int:
    """Train a small model, and evaluate it after each epoch.

    Writes DATA/training/TASK/results_SEED: summary.json, train_history.csv, metrics/val_metrics.json,
    val_predictions.csv and weights.npz. `exaid-evals export --runs 'DATA/training/TASK/results_*'` consolidates
    several seeds. Needs the extra `torch`.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.run_eval import import_with_torch
    from exaid_evals.run_eval.spec import TrainingConfig

    config = load_config(TrainingConfig, request.config_path, request.overrides("config")).value
    folder = request.out or request.campaign.root / FOLDER / folder_name(config.task) / f"results_{config.seed}"
    train = import_with_torch("training").train

    def tell(epoch: Epoch) -> None:
        values = {"train_loss": epoch.train_loss, **{f"val_{name}": value for name, value in epoch.val.items()}}
        told = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        click.echo(f"epoch {epoch.number}/{config.epochs}  {told}")

    done = train(config, folder, on_epoch=tell)
    for warning in done.result.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"wrote {shown(folder)}")
    return 0


command = verb("run-training", RunTrainingRequest, run)


def folder_name(name: str) -> str:
    """Return a part's name as a folder's: `module:attribute` has a character that some file systems refuse."""
    return name.replace(":", ".")

"""`run-training`: a small model, evaluated after each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.options import campaign_of, data_dir_option, debug_option, option, overrides_of
from exaid_evals.cli.run_eval import (
    config_path,
    device_option,
    model_config_option,
    model_seed_option,
    out_option,
    wandb_option,
)
from exaid_evals.config.override import Override

if TYPE_CHECKING:
    from exaid_evals.run_eval.training.train import Epoch

FOLDER = "training"


@click.command("run-training")
@model_config_option
@option("--epochs", type=click.IntRange(min=1), default=None, help="Passes over the training split.")
@model_seed_option
@device_option
@wandb_option
@out_option
@data_dir_option
@debug_option
@click.pass_context
def command(ctx: click.Context, /, config_file: Path, out: Path | None, data_dir: Path | None, **_: Any) -> int:
    """Train a small model, and evaluate it after each epoch.

    Writes DATA/training/TASK/results_SEED: summary.json, train_history.csv, metrics/val_metrics.json,
    val_predictions.csv and weights.npz. `exaid-evals export --runs 'DATA/training/TASK/results_*'` consolidates
    several seeds. Needs the extra `torch`.
    """
    names = {"epochs": "epochs", "seed": "seed", "device": "device", "use_wandb": "use_wandb"}
    return run(config_path(config_file), overrides=overrides_of(ctx, names), out=out, data=campaign_of(data_dir).root)


def run(config_file: Path, *, overrides: Mapping[str, Override], out: Path | None, data: Path) -> int:
    """Train and report it; return the exit status.

    Args:
        config_file: says what is trained.
        overrides: what the command line says in its place.
        out: folder to write; None takes one below `data`.
        data: the campaign's folder.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.run_eval import import_with_torch
    from exaid_evals.run_eval.config import TrainingConfig

    config = load_config(TrainingConfig, config_file, overrides).value
    folder = out or data / FOLDER / folder_name(config.task) / f"results_{config.seed}"
    train = import_with_torch("training.train").train

    def tell(epoch: Epoch) -> None:
        values = {"train_loss": epoch.train_loss, **{f"val_{name}": value for name, value in epoch.val.items()}}
        told = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        click.echo(f"epoch {epoch.number}/{config.epochs}  {told}")

    done = train(config, folder, on_epoch=tell)
    for warning in done.result.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"wrote {shown(folder)}")
    return 0


def folder_name(name: str) -> str:
    """Return a part's name as a folder's: `module:attribute` has a character that some file systems refuse."""
    return name.replace(":", ".")

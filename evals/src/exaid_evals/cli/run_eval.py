"""`run-eval`: a model on a held-out set, with the metrics of its modality."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from exaid_evals.cli.display import shown
from exaid_evals.cli.options import campaign_of, data_dir_option, debug_option, option, overrides_of
from exaid_evals.config.override import Override
from exaid_evals.config.resources import configs_dir

FOLDER = "run_eval"

model_config_option = option(
    "--config",
    "config_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON or YAML file that says what is done, such as configs/run_eval/vision_tiny.json.",
)
model_seed_option = option("--seed", type=click.IntRange(min=0), default=None, help="Seed, in place of the file's.")
device_option = option("--device", default=None, metavar="NAME", help="cpu, cuda:0, … or auto.")
out_option = option(
    "--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="Folder to write, in place of DATA's."
)
wandb_option = option(
    "--wandb/--no-wandb", "use_wandb", default=None, help="Log to W&B, offline unless the file says otherwise."
)


@click.command("run-eval")
@model_config_option
@option(
    "--trained",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    metavar="RUN",
    help="Folder of a training run, whose model is evaluated in place of the file's.",
)
@option("--split", default=None, metavar="NAME", help="train, val or test, in place of the file's.")
@option("--batch-size", type=click.IntRange(min=1), default=None, help="Examples at a time.")
@option("--max-batches", type=click.IntRange(min=1), default=None, help="Only the first N batches.")
@model_seed_option
@device_option
@wandb_option
@out_option
@data_dir_option
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    config_file: Path,
    trained: Path | None,
    out: Path | None,
    data_dir: Path | None,
    **_: Any,
) -> int:
    """Evaluate a model on a held-out set, with the metrics of its modality.

    Images: loss, accuracy, top-3 and top-5 accuracy. Text: loss and perplexity. Writes metrics/val_metrics.json and
    val_predictions.csv into DATA/run_eval/TASK/SPLIT-MODEL. Needs the extra `torch`.
    """
    names = {"seed": "seed", "device": "device", "use_wandb": "use_wandb"}
    names |= {name: f"eval.{name}" for name in ("split", "batch_size", "max_batches")}
    given = overrides_of(ctx, names)
    return run(config_path(config_file), overrides=given, trained=trained, out=out, data=campaign_of(data_dir).root)


def run(
    config_file: Path, *, overrides: Mapping[str, Override], trained: Path | None, out: Path | None, data: Path
) -> int:
    """Evaluate and report it; return the exit status.

    Args:
        config_file: says what is evaluated.
        overrides: what the command line says in its place.
        trained: folder of a training run, for its model and weights.
        out: folder to write; None takes one below `data`.
        data: the campaign's folder.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.run_eval import import_with_torch
    from exaid_evals.run_eval.config import RunEvalConfig

    config = load_config(RunEvalConfig, config_file, overrides).value
    done = import_with_torch("stage").evaluate_file(config, trained=trained, out=out, root=data / FOLDER)
    for warning in done.result.warnings:
        click.echo(f"warning: {warning}", err=True)
    rows = [("task", f"{config.task}, {done.split}"), ("model", done.model_name), *_counts(done.result.details)]
    rows += [(name, _formatted(value, done.result.intervals.get(name))) for name, value in done.result.metrics.items()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}")
    click.echo(f"wrote {shown(done.folder)}")
    return 0


def _formatted(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.4f}" + (f"  [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "")


def _counts(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = (("examples", "n_examples"), ("tokens", "n_tokens"))
    return [(label, str(details[key])) for label, key in named if key in details]


def config_path(path: Path) -> Path:
    """Return a configuration's path: as it is, else beside the configurations that ship.

    `configs/run_eval/vision_tiny.json` is then found from any folder, and from an installed package.
    """
    shipped = configs_dir().parent / path
    return shipped if not path.exists() and not path.is_absolute() and shipped.exists() else path

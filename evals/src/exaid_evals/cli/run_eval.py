"""`run-eval`: a model on a held-out set, with the metrics of its modality."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exaid_evals.cli.display import printable, shown, warn
from exaid_evals.cli.verb import verb
from exaid_evals.config.campaign import configs_dir
from exaid_evals.config.request import CampaignRequest, flag, option

if TYPE_CHECKING:
    from exaid_evals.run_eval.training import Epoch


FOLDER = "run_eval"


def _names(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


class ModelRequest(CampaignRequest):
    """What is done with a model."""

    config_file: Path | None = option(
        "JSON or YAML file that says what is done, such as configs/run_eval/vision_tiny.json.",
        "--config",
        path={"dir_okay": False},
    )
    seed: int | None = option("Seed, in place of the file's.", minimum=0, key="config:seed")
    device: str | None = option("cpu, cuda:0, … or auto.", metavar="NAME", key="config:device")
    use_wandb: bool | None = option(
        "Log to W&B, offline unless the file says otherwise.", "--wandb/--no-wandb", key="config:use_wandb"
    )
    out: Path | None = option("Folder to write, in place of DATA's.", path={"file_okay": False})

    @property
    def config_path(self) -> Path | None:
        """The configuration's path: as it is, else beside the configurations that ship; None where none is given.

        `configs/run_eval/vision_tiny.json` is then found from any folder, and from an installed package.
        """
        path = self.config_file
        if path is None:
            return None
        shipped = configs_dir().parent / path
        return shipped if not path.exists() and not path.is_absolute() and shipped.exists() else path


class RunEvalRequest(ModelRequest):
    """What is evaluated."""

    model: str | None = option(
        "Model: one that ships, MODULE:ATTRIBUTE, timm:NAME, torchvision:NAME, transformers:FOLDER, or a file .onnx, "
        ".pt2, or .json of COCO's detections.",
        metavar="NAME",
        key="config:model.name",
    )
    checkpoint: Path | None = option(
        "File of the model's weights: .safetensors, .npz, or PyTorch's, of which weights alone are read.",
        path={"dir_okay": False},
        key="config:checkpoint",
    )
    data: Path | None = option(
        "Folder of images, with a folder for each class; or texts: a file .txt, .jsonl, .csv, .tsv or .parquet, a "
        "folder of .txt files, or a data set that datasets has saved.",
        path={},
        key="config:data.folder",
    )
    labels: Path | None = option(
        "CSV or JSON file of the images' labels, in place of folders for classes, or COCO's annotations of boxes.",
        path={"dir_okay": False},
        key="config:data.labels",
    )
    classes: Path | None = option(
        "File with the class of each of the model's outputs, one a line.",
        path={"dir_okay": False},
        key="config:data.classes",
    )
    subset: bool | None = option(
        "Let only those of the model's classes compete that occur in the folder.",
        "--subset/--all-classes",
        key="config:data.subset",
    )
    tokenizer: str | None = option(
        "Folder of a tokenizer, in place of the model's own.", metavar="FOLDER", key="config:data.tokenizer"
    )
    column: str | None = option("Column of the texts; `text` if not given.", metavar="NAME", key="config:data.column")
    label: str | None = option(
        "Column of the texts' classes, which the model is to find.", metavar="NAME", key="config:data.label"
    )
    length: int | None = option("Tokens that the model is given at a time.", minimum=1, key="config:data.length")
    stride: int | None = option("Tokens by which windows over a text move.", minimum=1, key="config:data.stride")
    metrics: tuple[str, ...] | None = option(
        "Metrics by name, in place of the usual ones, such as loss,f1_macro.",
        metavar="NAME,…",
        parse=_names,
        key="config:eval.metrics",
    )
    trained: Path | None = option(
        "Folder of a training run, whose model is evaluated in place of the file's.",
        metavar="RUN",
        path={"file_okay": False},
    )
    against: Path | None = option(
        "Folder of another evaluation of the same set, which this one is compared with.",
        metavar="OTHER",
        path={"file_okay": False},
    )
    split: str | None = option("train, val or test, in place of the file's.", metavar="NAME", key="config:eval.split")
    batch_size: int | None = option("Examples at a time.", minimum=1, key="config:eval.batch_size")
    max_batches: int | None = option("Only the first N batches.", minimum=1, key="config:eval.max_batches")
    resume: bool | None = option(
        "Keep what was counted so far, and go on from there after a kill.", "--resume/--anew", key="config:eval.resume"
    )
    parquet: bool | None = option(
        "Write the predictions as Parquet too.", "--parquet/--no-parquet", key="config:eval.parquet"
    )
    no_page: bool = flag("Leave SPLIT_report.html out.")


def run(request: RunEvalRequest) -> int:
    """Evaluate a model on a held-out set, with the metrics of its task.

    Images: loss, accuracy, top-3 and top-5 accuracy. Text: loss and perplexity. Writes metrics/SPLIT_metrics.json,
    SPLIT_predictions.csv and SPLIT_report.html into DATA/run_eval/TASK/SPLIT-MODEL. Needs the extra `torch`.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.run_eval import import_with_torch
    from exaid_evals.run_eval.spec import RunEvalConfig

    config = load_config(RunEvalConfig, request.config_path, request.overrides("config")).value
    done = import_with_torch("stage").evaluate_file(
        config,
        trained=request.trained,
        against=request.against,
        out=request.out,
        root=request.campaign.root / FOLDER,
        page=not request.no_page,
    )
    warn(done.result.warnings)
    if not done.is_first:
        return 0
    rows = [("task", f"{done.task_name}, {done.split}"), ("model", done.model_name), *_counts(done.result.details)]
    names = done.result.details.get("class_names", [])
    for name, value in done.result.metrics.items():
        rows.append((_named(name, names), _formatted(value, done.result.intervals.get(name))))
    if done.comparison is not None:
        rows += _compared(done.comparison.record)
    lines = [(printable(name), printable(value)) for name, value in rows]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}  {value}")
    click.echo(f"wrote {shown(done.folder)}")
    return 0


command = verb("run-eval", RunEvalRequest, run)


def _named(metric: str, class_names: Sequence[str]) -> str:
    """Return a metric's name with that of its class, where that has one."""
    match = re.fullmatch(r"class_(\d+)_acc", metric)
    if match is None or int(match[1]) >= len(class_names) or class_names[int(match[1])] == match[1]:
        return metric
    return f"{metric} ({class_names[int(match[1])]})"


def _compared(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    interval = (record["ci95_low"], record["ci95_high"])
    return [
        ("accuracy of the other", f"{record['accuracy_other']:.4f}"),
        ("difference", _formatted(record["difference"], interval)),
        ("this alone is right", str(record["only_this_right"])),
        ("the other alone", str(record["only_other_right"])),
        ("McNemar's p", f"{record['mcnemar_p']:.4g}"),
    ]


def _formatted(value: float, interval: tuple[float, float] | None) -> str:
    return f"{value:.4f}" + (f"  [{interval[0]:.4f}, {interval[1]:.4f}]" if interval else "")


def _counts(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = (("examples", "n_examples"), ("tokens", "n_tokens"))
    return [(label, str(details[key])) for label, key in named if key in details]


TRAININGS = "training"


class RunTrainingRequest(ModelRequest):
    """What is trained."""

    epochs: int | None = option("Passes over the training split.", minimum=1, key="config:epochs")


def train_model(request: RunTrainingRequest) -> int:
    """Train a small model, and evaluate it after each epoch.

    Writes DATA/training/TASK/results_SEED: summary.json, train_history.csv, metrics/val_metrics.json,
    val_predictions.csv and weights.npz. `exaid-evals export --runs 'DATA/training/TASK/results_*'` consolidates
    several seeds. Needs the extra `torch`.
    """
    from exaid_evals.config.base import load_config
    from exaid_evals.run_eval import import_with_torch
    from exaid_evals.run_eval.spec import TrainingConfig

    config = load_config(TrainingConfig, request.config_path, request.overrides("config")).value
    folder = request.out or request.campaign.root / TRAININGS / folder_name(config.task) / f"results_{config.seed}"
    train = import_with_torch("training").train

    def print_epoch(epoch: Epoch) -> None:
        values = {"train_loss": epoch.train_loss, **{f"val_{name}": value for name, value in epoch.val.items()}}
        listed = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        click.echo(f"epoch {epoch.number}/{config.epochs}  {listed}")

    done = train(config, folder, on_epoch=print_epoch)
    warn(done.result.warnings)
    click.echo(f"wrote {shown(folder)}")
    return 0


run_training = verb("run-training", RunTrainingRequest, train_model)


def folder_name(name: str) -> str:
    """Return a part's name as a folder's: `module:attribute` has a character that some file systems refuse."""
    return name.replace(":", ".")

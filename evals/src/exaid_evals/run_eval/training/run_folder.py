"""The folder of a training run: summary.json, train_history.csv, weights.npz, beside what the evaluation writes."""

from __future__ import annotations

import csv
import io
import math
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from exaid_evals import __version__
from exaid_evals.artifacts.atomic import atomic_file, write_text
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.config.resources import checkout_root
from exaid_evals.errors import DataError
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.config import ModelConfig, TrainingConfig
from exaid_evals.run_eval.files import EVALUATION_FILE, METRICS_FILE, PREDICTIONS_FILE, signature, write_json
from exaid_evals.run_eval.spec import EvalConfig

if TYPE_CHECKING:
    from exaid_evals.run_eval.training.train import Epoch

SUMMARY_FILE = Path("summary.json")
HISTORY_FILE = Path("train_history.csv")
WEIGHTS_FILE = Path("weights.npz")


def clear_run(folder: Path) -> None:
    """Take away what an earlier run has left, the summary first, so that no half of it passes for a run."""
    for name in (SUMMARY_FILE, HISTORY_FILE, WEIGHTS_FILE, METRICS_FILE, EVALUATION_FILE, PREDICTIONS_FILE):
        (folder / name).unlink(missing_ok=True)


def write_history(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write a row per epoch; a metric that only the last evaluation has stands in metrics/val_metrics.json alone."""
    names = list(epochs[0].val)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "train_loss", *(f"val_{name}" for name in names)])
    for epoch in epochs:
        values = [epoch.train_loss, *(epoch.val[name] for name in names)]
        writer.writerow([str(epoch.number), *(f"{value:.6f}" if math.isfinite(value) else "" for value in values)])
    write_text(folder / HISTORY_FILE, text.getvalue())


def write_summary(
    folder: Path,
    config: TrainingConfig,
    task: Task,
    eval_config: EvalConfig,
    epochs: Sequence[Epoch],
    *,
    n_parameters: int,
) -> None:
    """Write what the run was. Last, so that a folder with a summary is a finished run."""
    training = config.model_dump(mode="json")
    of_the_run = {"task", "model", "seed", "eval", "use_wandb", "wandb_mode", "adapter"}
    commit, dirty = _checkout()
    write_json(
        folder / SUMMARY_FILE,
        {
            "task": task.name,
            "seed": config.seed,
            "stub": False,
            "git_hash": commit,
            "git_dirty": dirty,
            "hyperparameters": {
                **{name: value for name, value in training.items() if name not in of_the_run},
                "model": config.model.name,
                **{f"model_{name}": value for name, value in config.model.settings.items()},
            },
            "model": {"name": config.model.name, "settings": dict(config.model.settings)},
            "adapter": config.adapter or task.adapter,
            "n_parameters": n_parameters,
            "n_train": len(task.splits["train"]),  # type: ignore[arg-type]
            "n_val": len(task.splits[eval_config.split]),  # type: ignore[arg-type]
            "epochs_completed": len(epochs),
            "primary_metric": task.primary_metric,
            "lower_is_better": task.lower_is_better,
            "data_sha256": task.data_sha256,
            "versions": {
                "exaid_evals": __version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
            },
            "n_threads": torch.get_num_threads(),
            "signature": signature(eval_config, task.spec, training=training, data=task.data_sha256),
        },
    )


def _checkout() -> tuple[str | None, bool | None]:
    """Return the commit of this package's checkout and whether files differ from it; None outside of one."""
    root = checkout_root()
    if root is None:
        return None, None
    outputs = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain"]):
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments
                ["git", "-C", str(root), *command],  # noqa: S607 - the user's own git
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None, None
        if done.returncode:
            return None, None
        outputs.append(done.stdout.strip())
    return outputs[0], bool(outputs[1])


def save_weights(folder: Path, model: nn.Module) -> None:
    """Save the weights as plain arrays: a checkpoint that needs no unpickling, so it can be read from anybody."""
    arrays: dict[str, Any] = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    with atomic_file(folder / WEIGHTS_FILE) as stream:
        np.savez(stream, **arrays)


def load_weights(folder: Path, model: nn.Module) -> None:
    """Load the weights of a run into a model of the same kind.

    Raises:
        DataError: they are missing, damaged, or of another model.
    """
    path = folder / WEIGHTS_FILE
    again = "train the run again with run-training"
    try:
        with np.load(path, allow_pickle=False) as file:
            state = {name: torch.from_numpy(np.asarray(file[name])) for name in file.files}
        model.load_state_dict(state)
    except FileNotFoundError:
        raise DataError("no weights lie here", where=str(path), remedy=again) from None
    except (ValueError, OSError, BadZipFile, EOFError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path), remedy=again) from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"belongs to another model ({reason})", where=str(path), remedy=again) from None


def model_of_run(folder: Path) -> tuple[str, ModelConfig]:
    """Return the task and the model of a run, from its summary.

    Raises:
        ConfigError: the folder holds no summary, or one without them.
    """
    path = folder / SUMMARY_FILE
    summary = read_mapping(path)
    model = summary.get("model")
    if not isinstance(model, dict) or not isinstance(summary.get("task"), str):
        raise DataError("says no task and model", where=str(path), remedy="name a folder that run-training has written")
    return summary["task"], ModelConfig.model_validate(model)

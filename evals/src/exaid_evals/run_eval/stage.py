"""What `run-eval` does: a configuration in, an evaluated model out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from exaid_evals.errors import ConfigError
from exaid_evals.run_eval.base import EvalResult
from exaid_evals.run_eval.config import ModelConfig, RunEvalConfig
from exaid_evals.run_eval.loop import evaluate
from exaid_evals.run_eval.placement import seeded, threads
from exaid_evals.run_eval.registry import build_adapter, build_eval_config, build_model, build_task
from exaid_evals.run_eval.training import load_weights, model_of_run


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A finished evaluation.

    Attributes:
        result: what was found.
        model_name: of the model.
        split: that was evaluated.
        folder: where it was written.
    """

    result: EvalResult
    model_name: str
    split: str
    folder: Path


def evaluate_file(config: RunEvalConfig, *, trained: Path | None, out: Path | None, root: Path) -> Evaluated:
    """Build what a configuration names, evaluate it, and write the results.

    Args:
        config: says what is evaluated.
        trained: folder of a training run, whose model and weights take the place of the configuration's model.
        out: folder to write; None takes `root/TASK/SPLIT-MODEL`.
        root: folder of evaluations.

    Raises:
        ConfigError: a part does not exist or fit, or the run was trained on another task.
        DataError: the run's weights cannot be read.
    """
    task = build_task(config.task)
    named = config.model if trained is None else _model_of(trained, config.task)
    with seeded(config.seed), threads(config.num_threads):
        model = build_model(named.name, task, dict(named.settings))
    if trained is not None:
        load_weights(trained, model)
    adapter = build_adapter(config.adapter or task.adapter)
    settings = {**config.eval, "seed": config.seed, "device": config.device or "cpu", "wandb_mode": config.wandb_mode}
    split = build_eval_config(config.task, **settings).split
    which = named.name if trained is None else f"{named.name}-{trained.resolve().name}"
    folder = out or root / config.task.replace(":", ".") / f"{split}-{which}".replace(":", ".")
    final = build_eval_config(config.task, **settings, output_dir=folder)
    with threads(config.num_threads):
        result = evaluate(model, adapter, final, task.spec, use_wandb=config.use_wandb)
    return Evaluated(result, which, split, folder)


def _model_of(run: Path, task: str) -> ModelConfig:
    trained_on, model = model_of_run(run)
    if trained_on != task:
        raise ConfigError(
            f"was trained on {trained_on}, not on {task}", where=str(run), remedy="name a run and a file of one task"
        )
    return model

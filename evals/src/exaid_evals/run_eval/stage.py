"""What `run-eval` does: a configuration in, an evaluated model out."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from exaid_evals.errors import ConfigError
from exaid_evals.run_eval.against import (
    SHEET_FILE,
    Comparison,
    compare,
    contact_sheet,
    read_predictions,
    write_comparison,
)
from exaid_evals.run_eval.base import EvalResult, Task
from exaid_evals.run_eval.boxes import Recorded, detection_task, is_coco
from exaid_evals.run_eval.files import signature_in
from exaid_evals.run_eval.images import Preprocessing, image_task, read_labels
from exaid_evals.run_eval.loading import (
    Found,
    Subset,
    find_model,
    is_of_a_library,
    load_checkpoint,
    preprocessing,
    tokenizer_of,
    transformers_detector,
    transformers_of_texts,
)
from exaid_evals.run_eval.loop import evaluate
from exaid_evals.run_eval.page import write_page
from exaid_evals.run_eval.placement import Processes, seeded, threads
from exaid_evals.run_eval.registry import build_adapter, build_model, build_task, loader_of
from exaid_evals.run_eval.spec import DataConfig, EvalConfig, ModelConfig, RunEvalConfig
from exaid_evals.run_eval.texts import holds_texts, read_texts, text_classification_task, text_task
from exaid_evals.run_eval.training import load_weights, model_of_run


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A finished evaluation.

    Attributes:
        result: what was found.
        task_name: of the task.
        model_name: of the model.
        split: that was evaluated.
        folder: where it was written.
        is_first: whether this is the process that reports, of several.
        comparison: with another evaluation, where one was named.
    """

    result: EvalResult
    task_name: str
    model_name: str
    split: str
    folder: Path
    is_first: bool
    comparison: Comparison | None


def evaluate_file(
    config: RunEvalConfig,
    *,
    trained: Path | None,
    against: Path | None = None,
    out: Path | None,
    root: Path,
    page: bool = True,
) -> Evaluated:
    """Build what a configuration names, evaluate it, and write the results.

    Args:
        config: says what is evaluated.
        trained: folder of a training run, whose model and weights take the place of the configuration's model.
        against: folder of another evaluation of the same set, which this one is compared with.
        out: folder to write; None takes `root/TASK/SPLIT-MODEL`.
        root: folder of evaluations.
        page: write SPLIT_report.html too.

    Raises:
        ConfigError: a part does not exist or fit, or the run was trained on another task.
        DataError: weights, images or labels cannot be read.
    """
    task, model, which = _parts(config, trained)
    adapter = build_adapter(config.adapter or task.adapter)
    processes = _processes()
    name = config.task or task.name
    settings = {
        **task.eval_defaults,
        **config.eval,
        "task_name": name,
        "seed": config.seed,
        "device": config.device or "cpu",
        "wandb_mode": config.wandb_mode,
        "distributed": processes.size > 1,
    }
    split = EvalConfig(**settings).split
    folder = out or root / _as_folder(name) / f"{split}-{_as_folder(which)}"
    final = EvalConfig(**settings, output_dir=folder)
    if config.data is not None:
        final = replace(final, loader=loader_of(task, final, processes))
    other = None if against is None else read_predictions(against, split)
    with threads(config.num_threads):
        leading = (task.primary_metric, task.lower_is_better)
        result = evaluate(model, adapter, final, task.spec, use_wandb=config.use_wandb, leading=leading)
    first = not processes.rank
    if page and first:
        write_page(folder, split, show=getattr(task.splits.get(split), "shown", lambda _: None))
    comparison = None
    if against is not None and other is not None and first:
        comparison = compare(read_predictions(folder, split), other, resamples=final.resamples, seed=final.seed)
        _write_comparison(comparison, folder, against, split, images=config.data.folder if config.data else None)
    return Evaluated(result, name, which, split, folder, first, comparison)


def _write_comparison(comparison: Comparison, folder: Path, against: Path, split: str, *, images: Path | None) -> None:
    write_comparison(folder, comparison, signatures=[signature_in(place, split) for place in (folder, against)])
    if images is not None:
        contact_sheet(folder / SHEET_FILE, comparison, images)


def _parts(config: RunEvalConfig, trained: Path | None) -> tuple[Task, nn.Module, str]:
    """Return the task, the model with its weights, and what the model is called."""
    name = config.model.name
    data = config.data
    with seeded(config.seed), threads(config.num_threads):
        if data is not None:
            task, model = _of_data(config, data)
        else:
            task = build_task(config.task)
            named = config.model if trained is None else _model_of(trained, config.task)
            name = named.name
            if is_of_a_library(name):
                model = find_model(name, task.spec.num_classes, named.settings).model
            else:
                model = build_model(name, task, dict(named.settings))
    if trained is not None:
        load_weights(trained, model)
        return task, model, f"{name}-{trained.resolve().name}"
    if config.checkpoint is not None:
        load_checkpoint(model.model if isinstance(model, Subset) else model, config.checkpoint)
        return task, model, f"{name}-{config.checkpoint.stem}"
    return task, model, name


def _of_data(config: RunEvalConfig, data: DataConfig) -> tuple[Task, nn.Module]:
    """Return images or texts as a task, and the model, whose own transform or tokenizer makes its inputs."""
    name, settings, split = config.model.name, config.model.settings, config.eval.get("split", "val")
    if holds_texts(data.folder):
        return _of_texts(config, data, split)
    if is_coco(data.labels):
        return _of_boxes(config, data, split)
    labelled = read_labels(data, split)
    if is_of_a_library(name):
        found = find_model(name, labelled.n_outputs, settings)
    else:
        blank = image_task(data, labelled, Preprocessing(), "vision_classification")
        found = Found(build_model(name, blank, dict(settings)), "vision_classification", None)
    transform = found.transform if data.transform is None else preprocessing(data.transform)
    if transform is None:
        raise ConfigError(
            f"{name} does not say how its inputs are made of an image",
            where="data.transform",
            remedy='name a configuration with {"data": {"transform": {"resize": 256, "crop": 224}}}, and mean and std',
        )
    task = image_task(data, labelled, transform, found.adapter)
    model = found.model
    if labelled.outputs is not None:
        model = Subset(model, labelled.outputs, build_adapter(found.adapter).logits)  # type: ignore[attr-defined]
    return task, model


def _of_texts(config: RunEvalConfig, data: DataConfig, split: str) -> tuple[Task, nn.Module]:
    """Return texts as a task, and the model: of transformers with its tokenizer, or another over bytes."""
    name, own = config.model.name, config.model.name.startswith("transformers:")
    folder = data.tokenizer or (name.partition(":")[2] if own else None)
    tokenizer = (lambda text: list(text.encode())) if folder is None else tokenizer_of(folder)
    rows, called = read_texts(data.folder, split), data.folder.resolve().stem
    kind = "CausalLM" if data.label is None else "SequenceClassification"
    if data.label is not None and not own:
        raise ConfigError(f"{name} classifies no texts", where="model", remedy="name transformers:FOLDER, or a task")
    model = transformers_of_texts(name, kind, config.model.settings) if own else None
    of: Any = getattr(model, "config", None)
    length = data.length or min(int(getattr(of, "max_position_embeddings", None) or _LONGEST), _LONGEST)
    if data.label is None:
        task = text_task(
            rows, tokenizer, length=length, stride=data.stride, column=data.column, split=split, name=called
        )
    else:
        classes = [str(of.id2label[number]) for number in range(of.num_labels)]
        about: dict[str, Any] = {"label": data.label, "classes": classes, "column": data.column}
        task = text_classification_task(rows, tokenizer, length=length, split=split, name=called, **about)
    return task, build_model(name, task, dict(config.model.settings)) if model is None else model


_LONGEST = 1024
"""Tokens at a time, where a model does not say how many it can take."""


def _of_boxes(config: RunEvalConfig, data: DataConfig, split: str) -> tuple[Task, nn.Module]:
    """Return annotated images as a task, and a detector or what one has found."""
    name, settings = config.model.name, config.model.settings
    recorded = Path(name).suffix == ".json"
    task = detection_task(data, split, read=not recorded, adapter="recorded" if recorded else "detection")
    categories = task.spec.output_schema["categories"]
    if recorded:
        return task, Recorded(Path(name), task.splits[split].numbers)  # type: ignore[attr-defined]
    if name.startswith("transformers:"):
        return task, transformers_detector(name, categories, settings)
    if not is_of_a_library(name):
        return task, build_model(name, task, dict(settings))
    found = find_model(name, max(categories, default=0) + 1, settings)
    return replace(task, adapter=found.adapter), found.model


def _processes() -> Processes:
    """Return the processes that torchrun has started, joined into a group."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Processes(together=dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1)


def _as_folder(name: str) -> str:
    """Return a part's name as a folder's: of a file its stem, without what some file systems refuse."""
    return re.sub(r"[^\w.-]", ".", Path(name).stem if Path(name).suffix in (".json", ".onnx", ".pt2") else name)


def _model_of(run: Path, task: str) -> ModelConfig:
    trained_on, model = model_of_run(run)
    if trained_on != task:
        raise ConfigError(
            f"was trained on {trained_on}, not on {task}", where=str(run), remedy="name a run and a file of one task"
        )
    return model

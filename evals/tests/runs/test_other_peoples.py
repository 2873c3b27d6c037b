"""Runs that other people made, which lie beside the checkout or not at all: numbers of each, read by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.registry import format_of, formats
from exaid_evals.runs.run_names import run_names

OURS = Path(__file__).parents[4] / "shared" / "external" / "runs"
pytestmark = pytest.mark.skipif(not OURS.is_dir(), reason="other people's runs are not beside this checkout")


def read(place: Path) -> dict[str, Run]:
    """Read every run of a place by the format that claims it."""
    form = format_of(place, formats(Settings()))
    sources = form.sources(place)
    return {name: form.read(source, name) for name, source in zip(run_names(sources), sources, strict=True)}


# format, number of runs, and of the last of them: metrics, settings, seed. Computed from the files by hand.
OTHERS: dict[str, tuple[str, int, dict[str, float], dict[str, Any], int | None]] = {
    "foreign/fastai": ("fastai", 1, {"accuracy": 0.9, "valid_loss": 0.3, "train_loss": 0.4}, {}, None),
    "foreign/hf": ("hf_trainer", 2, {"eval_accuracy": 0.92, "eval_loss": 0.3, "train_loss": 0.2}, {}, None),
    "foreign/keras": ("keras", 1, {"val_accuracy": 0.7, "loss": 0.4}, {}, None),
    "foreign/lightning": (
        "lightning",
        2,
        {"test_acc": 0.78, "val_acc": 0.72, "train_loss": 1 / 3},
        {"batch": [1, 2], "lr": 0.001},
        1,
    ),
    "foreign/mmengine": ("mmengine", 1, {"coco/bbox_mAP": 0.37, "loss": 0.8}, {}, None),
    "foreign/optuna": ("optuna", 7, {"value": 0.5726468379215692, "macro_f1": 0.47}, {"aug": True}, None),
    "foreign/ray": ("ray_tune", 1, {"mean_accuracy": 0.8}, {"lr": 0.01}, None),
    "foreign/sk": ("sklearn", 5, {"test_accuracy": 1.0, "test_f1_macro": 1.0}, {}, None),
    "foreign/timm": ("timm", 1, {"eval_top1": 55.3, "eval_loss": 2.1}, {}, None),
    "foreign/yolo": ("ultralytics", 2, {"metrics/mAP50-95(B)": 0.41}, {"lr0": 0.01, "model": "yolov8n.pt"}, 0),
    "cvseeds": ("training_run", 6, {"loss": 0.5}, {"epochs": 2}, 43),
    "hpo/hpo_runs": ("training_run", 2, {"accuracy": 229 / 300}, {"augment": False, "lr": 0.0002}, 42),
    "lm_old_named": ("lm_eval", 1, {"copa.acc": 0.68, "boolq.acc": 0.5908256880733945}, {"num_fewshot": 0}, None),
    "lm_outpath": ("lm_eval", 1, {"nl2foam_llm_judge_original.llm_judge": 89.156}, {"model": "vllm"}, None),
    "perclass_shift": ("training_run", 3, {"accuracy": 0.58}, {"epochs": 2}, 2),
    "mammo_real/outputs/mammo_efficientnetb0_density": (
        "training_run",
        3,
        {"accuracy": 0.8981481481481481},
        {"arch": "efficientnet_b0", "lr": 0.0001},
        44,
    ),
}


@pytest.mark.parametrize("place", OTHERS)
def test_other_peoples_runs_are_read(place: str) -> None:
    """Every folder of them holds these runs; of the last one these numbers, settings and seed."""
    form, n, metrics, config, seed = OTHERS[place]
    runs = read(OURS / place)
    assert ({run.format for run in runs.values()}, len(runs)) == ({form}, n)
    last = list(runs.values())[-1]
    assert {name: last.metrics[name] for name in metrics} == pytest.approx(metrics)
    assert ({name: last.config[name] for name in config}, last.seed) == (config, seed)


def test_other_peoples_results_of_the_harness_are_read() -> None:
    """Each model's file is a run, with what the file itself says of its tasks, and filters in the names."""
    for path in sorted((OURS / "lm_real").rglob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        runs = read(path)
        [run] = runs.values()
        said = {
            f"{task}.{metric}" + (f"@{used}" if used not in ("", "none") else ""): value
            for task, values in data["results"].items()
            for key, value in values.items()
            for metric, _, used in [key.partition(",")]
            if isinstance(value, float | int)
            and not metric.endswith("_stderr")
            and metric not in ("sample_len", "samples")
        }
        assert run.metrics == said, path
        assert said


def test_other_peoples_reports_are_read() -> None:
    """Accuracy and durations of each pair are those of its JSON, under averages and deviations alike."""
    [place] = (OURS / "reports_small").iterdir()
    form = format_of(place)
    found = {}
    for source in form.sources(place):
        run = form.read(source, "r")
        found[source.part.rpartition("/")[2]] = run.metrics
    for path in place.glob("*/reports/metrics_*.json"):
        data = json.loads(path.read_text(encoding="utf-8"))
        metrics = found[path.stem.removeprefix("metrics_")]
        assert metrics["accuracy"] == pytest.approx(data["prediction_accuracy"] / 100)
        for key in ("total_duration", "eval_duration"):
            assert metrics[f"{key}_mean_ns"] == pytest.approx(data["meta_data_averages"][key])
            assert metrics[f"{key}_sd_ns"] == pytest.approx(data["meta_data_sd"][key])

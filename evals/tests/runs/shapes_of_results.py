"""Shapes of what programs write at their end, or between: results as JSON, and nested histories."""

from __future__ import annotations

import json

LLAMA = (
    "".join(
        json.dumps(
            {"current_steps": at, "total_steps": 20, "loss": 2 - at / 20, "epoch": at / 10, "percentage": at * 5}
        )
        + "\n"
        for at in (10, 20)
    )
    + '{"current_steps": 20, "total_steps": 20, "eval_loss": 1.3, "epoch": 2.0, "elapsed_time": "0:00:10"}\n'
)
LUDWIG = {
    part: {"label": {"accuracy": [0.5, last], "loss": [0.7, 0.5]}}
    for part, last in (("training", 0.9), ("validation", 0.8))
}
FLOWER = {
    "losses_distributed": [[1, 0.9], [2, 0.8]],
    "metrics_distributed": {"accuracy": [[1, 0.5], [2, 0.6]]},
    "metrics_centralized": {},
}


def _mteb(task: str, **parts: float) -> str:
    scores = {part: [{"main_score": score, "hf_subset": "default"}] for part, score in parts.items()}
    return json.dumps({"task_name": task, "mteb_version": "1.12", "scores": scores, "kg_co2_emissions": None})


RESULTS: dict[str, tuple[str, dict[str, str], dict[str, dict[str, float]]]] = {
    "spaCy's evaluation": (
        "results",
        {"metrics.json": json.dumps({"ents_f": 0.71, "ents_per_type": {"ORG": {"f": 0.6}}, "speed": 12345.6})},
        {"": {"ents_f": 0.71, "ents_per_type.ORG.f": 0.6}},
    ),
    "the results of runs in folders of their own": (
        "results",
        {f"run_{at}/eval_results.json": json.dumps({"accuracy": at / 10, "epoch": 3}) for at in (7, 8)},
        {"run_7": {"accuracy": 0.7}, "run_8": {"accuracy": 0.8}},
    ),
    "results of several runs in one folder": (
        "results",
        {f"results_{at}.json": json.dumps({"accuracy": at / 10, "f1": 0.5}) for at in (7, 8)},
        {"results_7.json": {"accuracy": 0.7}, "results_8.json": {"accuracy": 0.8}},
    ),
    "MTEB's tasks": (
        "results",
        {
            "rev/STSB.json": _mteb("STSB", test=0.81, validation=0.85),
            "rev/Banking77.json": _mteb("Banking77", test=0.71),
            "rev/model_meta.json": '{"name": "org/small", "n_parameters": 1000}',
        },
        {
            "": {
                "STSB.scores.test.main_score": 0.81,
                "STSB.scores.validation.main_score": 0.85,
                "Banking77.scores.test.main_score": 0.71,
            }
        },
    ),
    "AllenNLP's metrics, of which those of its epochs are none of the end": (
        "results",
        {
            "metrics.json": '{"best_epoch": 1, "test_accuracy": 0.68, "validation_accuracy": 0.7}',
            **{f"metrics_epoch_{at}.json": f'{{"epoch": {at}, "validation_accuracy": 0.{at}}}' for at in (0, 1)},
        },
        {"": {"test_accuracy": 0.68, "validation_accuracy": 0.7}},
    ),
    "LLaMA-Factory's log, and its results": (
        "jsonl",
        {"trainer_log.jsonl": LLAMA, "all_results.json": '{"epoch": 2.0, "train_loss": 1.25, "eval_loss": 1.3}'},
        {"": {"loss": 1.0, "eval_loss": 1.3, "train_loss": 1.25}},
    ),
    "a model report behind a list of all cases": (
        "model_reports",
        {
            "metrics_llama.json": json.dumps(
                {
                    "cases": [{"id": at, "text": "x" * 90} for at in range(1000)],
                    "prediction_accuracy": 0.8,
                    "confusion_matrix": {"tp": 4, "tn": 4, "fp": 1, "fn": 1},
                }
            )
        },
        {"": {"accuracy": 0.8, "recall": 0.8}},
    ),
    "Ludwig's statistics": (
        "json",
        {"training_statistics.json": json.dumps(LUDWIG), "test_statistics.json": '{"label": {"accuracy": 0.78}}'},
        {"": {"validation.label.accuracy": 0.8, "training.label.accuracy": 0.9, "label.accuracy": 0.78}},
    ),
    "Flower's history": (
        "json",
        {"history.json": json.dumps(FLOWER)},
        {"": {"losses_distributed": 0.8, "metrics_distributed.accuracy": 0.6}},
    ),
}

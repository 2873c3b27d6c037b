"""Makes the golden folder of paired model reports, and the oracle for what is computed of it.

Needs: pip install scikit-learn (made with 1.9.1). The predictions are drawn with a fixed seed; scikit-learn says
accuracy, AUC and the confusion matrix, which go into the JSON as a benchmark's script writes them, and precision,
recall, specificity and F1, which go into `oracle.json` alone. Durations are in nanoseconds, as ollama's API gives them
(its documentation, page Usage: "All timing values are measured in nanoseconds").

    python make.py
"""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
from pathlib import Path

from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

HERE = Path(__file__).resolve().parent
MODELS = {
    "llama3_2_1b-instruct-fp16": (0.62, 1.3),
    "qwen2_5_0.5b-q4_K_M": (0.55, 0.6),
    "phi3_14b": (0.78, 7.0),
    "mixtral_8x7b-q8_0": (0.81, 21.0),
    "gemma2-27b-it-q5_k_m": (0.84, 12.0),
    "our-own-model": (0.7, 2.5),
}
PROMPTS = ("zero_shot", "few_shot")
N = 60


def main() -> None:
    """Write models/ and oracle.json."""
    draw = random.Random(5)  # noqa: S311 - no secret
    shutil.rmtree(HERE / "models", ignore_errors=True)
    oracle = {}
    for model, (skill, seconds) in MODELS.items():
        for prompt in PROMPTS:
            oracle[f"{model}/{prompt}"] = report(draw, model, prompt, skill, seconds)
    reports = HERE / "models" / "our-own-model" / "reports"
    (reports / "report_few_shot.txt").unlink()  # a JSON without its text
    (reports / "metrics_zero_shot.json").unlink()  # a text without its JSON
    text = HERE / "models" / "phi3_14b" / "reports" / "report_zero_shot.txt"
    other = re.sub(r"Accuracy: [0-9.]+%", "Accuracy: 53.00%", text.read_text(encoding="utf-8"))
    text.write_text(other, encoding="utf-8")  # halves that disagree
    (HERE / "oracle.json").write_text(json.dumps(oracle, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def report(draw: random.Random, model: str, prompt: str, skill: float, seconds: float) -> dict[str, float]:
    """Write a pair; return what scikit-learn and the standard library say of it."""
    truth = [draw.random() < 0.45 for _ in range(N)]
    scores = [min(1.0, max(0.0, draw.gauss(skill if yes else 1 - skill, 0.25))) for yes in truth]
    predicted = [score >= 0.5 for score in scores]
    tn, fp, fn, tp = (int(count) for count in confusion_matrix(truth, predicted).ravel())
    accuracy, auc = float(accuracy_score(truth, predicted)), float(roc_auc_score(truth, scores))
    calls = []
    for _ in range(8):
        load, prompt_eval = draw.randrange(10**6, 10**8), draw.randrange(10**7, 10**9)
        evaluated = int(seconds * 1e9 * draw.uniform(0.6, 1.2))
        calls.append(
            {
                "total_duration": load + prompt_eval + evaluated,
                "load_duration": load,
                "prompt_eval_duration": prompt_eval,
                "eval_duration": evaluated,
            }
        )
    totals = [call["total_duration"] for call in calls]
    times = [total / 1e9 + 0.05 for total in totals]
    # Half of the prompts keep each call, the other half a list for each duration.
    lists = {name: [call[name] for call in calls] for name in calls[0]}
    folder = HERE / "models" / model / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    metrics = {
        "model_name": model.replace("_", ":", 1),
        "prompt_type": prompt,
        "total_attempts": N + 4,
        "successful_attempts": N,
        "failed_attempts": 3,
        "timeout_attempts": 1,
        "avg_execution_time": statistics.fmean(times),
        "median_execution_time": statistics.median(times),
        "sd_execution_time": statistics.stdev(times),
        "prediction_accuracy": accuracy,
        "auc_roc": auc,
        "confusion_matrix": {"tp": tp, "tn": tn, "fp": fp, "fn": fn},
        "meta_data": calls if prompt == "zero_shot" else lists,
    }
    (folder / f"metrics_{prompt}.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (folder / f"report_{prompt}.txt").write_text(
        f"=== Evaluation report ===\nModel: {metrics['model_name']}\nPrompt type: {prompt}\n\n"
        f"Total attempts: {N + 4}\nSuccessful attempts: {N}\nFailed attempts: 3\nTimeout attempts: 1\n"
        f"Accuracy: {accuracy * 100:.2f}%\nAUC-ROC: {auc:.4f}\n"
        f"Average execution time: {statistics.fmean(times):.2f} seconds\n"
        f"True Positives: {tp}\nTrue Negatives: {tn}\nFalse Positives: {fp}\nFalse Negatives: {fn}\n",
        encoding="utf-8",
    )
    return {
        "accuracy": accuracy,
        "auc_roc": auc,
        "precision": float(precision_score(truth, predicted)),
        "recall": float(recall_score(truth, predicted)),
        "specificity": float(recall_score(truth, predicted, pos_label=False)),
        "f1": float(f1_score(truth, predicted)),
        "balanced_accuracy": float(balanced_accuracy_score(truth, predicted)),
        "success_rate": N / (N + 4),
        "failure_rate": 3 / (N + 4),
        "timeout_rate": 1 / (N + 4),
        "total_duration_mean_ns": statistics.fmean(totals),
        "total_duration_median_ns": statistics.median(totals),
        "total_duration_sd_ns": statistics.stdev(totals),
    }


if __name__ == "__main__":
    main()

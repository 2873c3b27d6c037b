"""Small logs of each tool, as it writes them, of the same ten questions.

Written by hand, so that the answers can be chosen; those that the tools made themselves are in `gold/export`.
Predictions of `run-eval` have the columns of our own writer (`run_eval/files.py`).
"""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Right = Sequence[bool]


def inspect_log(path: Path, right: Right, *, epochs: int = 1, model: str = "m/one", failed: Sequence[int] = ()) -> Path:
    """Write a log of inspect-ai, as archive or JSON by its suffix; the answers of a question repeat over its epochs."""
    samples: list[dict[str, Any]] = [
        {
            "id": f"q{number}",
            "epoch": epoch,
            "input": [{"id": f"random-{path.stem}-{number}", "role": "user", "content": f"Question {number}?"}],
            "target": "yes",
            "metadata": {"topic": f"t{number // 2}"},
            "scores": {}
            if number in failed
            else {
                "match": {"value": "C" if good else "I", "answer": "yes" if good else "no"},
                "graded": {"value": {"depth": number / 10 + good}},
            },
            **({"error": {"message": "time out"}} if number in failed else {}),
        }
        for epoch in range(1, epochs + 1)
        for number, good in enumerate(right)
    ]
    header = {
        "version": 2,
        "status": "success",
        "eval": {"task": "toy", "model": model, "created": "2026-01-01T00:00:00+00:00", "config": {"epochs": epochs}},
        "results": {"total_samples": len(samples), "completed_samples": len(samples), "scores": []},
    }
    if path.suffix == ".json":
        path.write_text(json.dumps(header | {"samples": samples}), encoding="utf-8")
        return path
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(header))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    return path


def lm_eval_samples(folder: Path, right: Right, *, task: str = "toy", date: str = "2026-01-01T00-00-00.1") -> Path:
    """Write samples of lm-evaluation-harness under two filters, and a metric that is a list."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "doc_id": number,
            "doc": {"question": f"Question {number}?", "passage": f"p{number // 2}"},
            "target": "yes",
            "arguments": {},
            "resps": [["yes"]],
            "filtered_resps": ["yes" if good else "no"],
            "filter": filtered,
            "metrics": ["exact_match", "per_token"],
            "doc_hash": f"h{number}",
            "exact_match": float(good),
            "per_token": [0.5, 1],
        }
        for filtered in ("none", "strict")
        for number, good in enumerate(right)
    ]
    path = folder / f"samples_{task}_{date}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def promptfoo_output(path: Path, **right: Right) -> Path:
    """Write promptfoo's output, version 3, with a provider a keyword."""
    results = [
        {
            "promptIdx": place,
            "testIdx": number,
            "testCase": {"vars": {"q": f"Question {number}?"}, "assert": [{"type": "equals", "value": "yes"}]},
            "promptId": "abc",
            "provider": {"id": name, "label": ""},
            "prompt": {"raw": f"Answer: Question {number}?", "label": "Answer: {{q}}"},
            "vars": {"q": f"Question {number}?"},
            "response": {"output": "yes" if good else "no"},
            "success": good,
            "failureReason": 0 if good else 1,
            "score": 1 if good else 0.25,
            "namedScores": {"tone": 0.5},
        }
        for place, (name, answers) in enumerate(right.items())
        for number, good in enumerate(answers)
    ]
    document = {"evalId": "eval-1", "results": {"version": 3, "timestamp": "2026", "results": results}, "config": {}}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def helm_run(folder: Path, right: Right, *, model: str) -> Path:
    """Write a run of HELM with a perturbed twin of each instance."""
    folder.mkdir(parents=True)
    perturbation = {"name": "typos", "robustness": True}
    stats = [
        {
            "instance_id": f"id{number}",
            "train_trial_index": 0,
            **({"perturbation": perturbation} if perturbed else {}),
            "stats": [
                {"name": {"name": "exact_match", "split": "test"}, "count": 1, "sum": float(good), "mean": float(good)},
                {"name": {"name": "num_prompt_tokens", "split": "test"}, "count": 1, "sum": 9, "mean": 9},
            ],
        }
        for perturbed in (False, True)
        for number, good in enumerate(right)
    ]
    spec = {"name": f"mmlu:subject=law,model={model},data=x", "adapter_spec": {"model": f"maker/{model}"}}
    instances = [
        {
            "id": f"id{number}",
            "input": {"text": f"Question {number}?"},
            "references": [{"output": {"text": "yes"}, "tags": ["correct"]}, {"output": {"text": "no"}, "tags": []}],
            "split": "test",
        }
        for number in range(len(right))
    ]
    answers = [
        {"instance_id": f"id{number}", "train_trial_index": 0, "predicted_text": "yes" if good else "no"}
        for number, good in enumerate(right)
    ]
    named = {"per_instance_stats": stats, "run_spec": spec, "instances": instances, "display_predictions": answers}
    for name, content in named.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "per_instance_stats.json"


def mlflow_table(path: Path, right: Right) -> Path:
    """Write a table of mlflow.evaluate, as a data frame in JSON."""
    columns = [
        "inputs",
        "ground_truth",
        "outputs",
        "token_count",
        "toxicity/v1/score",
        "exact/v1/score",
        "exact/v1/justification",
    ]
    rows = [
        [f"Question {number}?", "yes", "yes" if good else "no", 7, 0.01, int(good), "because"]
        for number, good in enumerate(right)
    ]
    path.write_text(json.dumps({"columns": columns, "data": rows}), encoding="utf-8")
    return path


def predictions(folder: Path, right: Right, *, ids: bool = True) -> Path:
    """Write val_predictions.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "val_predictions.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*(["id"] if ids else []), "patient", "y_true", "y_pred", "prob_1"])
        for number, good in enumerate(right):
            row = [f"p{number // 2}", number % 2, number % 2 if good else f"{1 - number % 2}.0", 0.5]
            writer.writerow([*([f"i{number}"] if ids else []), *row])
    return path


def openai_evals_record(path: Path, right: Right, *, model: str) -> Path:
    """Write a record of OpenAI Evals: what was asked and answered, and whether it matched, each in its line."""
    spec = {"completion_fns": [model], "eval_name": "toy.dev.v0", "run_config": {}, "created_at": "2026-01-01 00:00:00"}
    lines: list[dict[str, Any]] = [{"spec": spec}]
    for number, good in enumerate(right):
        asked = {"prompt": [{"role": "user", "content": f"Question {number}?"}], "sampled": ["yes" if good else "no"]}
        judged = {"correct": good, "expected": "yes", "picked": "yes" if good else None}
        for kind, data in (("sampling", asked), ("match", judged)):
            event = {"run_id": "x", "event_id": len(lines) - 1, "sample_id": f"toy.dev.{number}", "type": kind}
            lines.append({**event, "data": data})
    lines.append({"final_report": {"accuracy": sum(right) / len(right)}})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def deepeval_run(path: Path, right: Right) -> Path:
    """Write a test run of DeepEval."""
    cases = [
        {
            "name": f"test_case_{number}",
            "input": f"Question {number}?",
            "actualOutput": "yes" if good else "no",
            "expectedOutput": "yes",
            "success": good,
            "metricsData": [{"name": "Correctness", "threshold": 0.5, "success": good, "score": 0.25 + good / 2}],
        }
        for number, good in enumerate(right)
    ]
    path.write_text(json.dumps({"testCases": cases, "conversationalTestCases": [], "metricsScores": []}))
    return path


def ragas_table(path: Path, right: Right) -> Path:
    """Write what Ragas' result gives as a data frame; a judge that gave up leaves a cell empty."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["user_input", "retrieved_contexts", "response", "reference", "exact_match", "faithfulness"])
        for number, good in enumerate(right):
            row = [f"Question {number}?", "['c']", "yes" if good else "no", "yes", float(good), 0.5 if number else ""]
            writer.writerow(row)
    return path

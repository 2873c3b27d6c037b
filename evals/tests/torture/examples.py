"""Small files of tools of which the project keeps no examples, as those tools write them."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from runs.test_trackers_as_runs import scalars

MAPPING = b"""runs: "run_*"
run_id: {path: 'run_(?P<value>[0-9]+)'}
seed: {file: config.yaml, key: seed}
metrics:
  accuracy: {file: result.json, key: test.acc, scale: 0.01}
  loss: {file: log.csv, column: loss, row: {best: acc, direction: higher}}
config: {lr: {file: config.yaml, key: /optim/0/lr, optional: true}}
lower_is_better: [loss]
"""
_SESSION = {
    "id": "offline-0123", "name": "run one", "project_name": "demo",
    "hyperparams": {"General": {"lr": {"value": "0.1", "type": "float"}, "seed": {"value": "7"}}},
}  # fmt: skip
_SCALARS = [
    {"type": "training_stats_scalar", "metric": "loss", "variant": "val", "iter": step, "value": 1 / (1 + step)}
    for step in (0, 1)
]
_SHOWN = {
    "rev": "abc",
    "params": {"params.yaml": {"data": {"lr": 0.1}}},
    "metrics": {"m.json": {"data": {"acc": 0.7}}},
}
_ACC = {"metricName": "acc", "metricValue": 0.5, "step": 1}
_COMET = [
    {"type": "metric_msg", "payload": {"metric": _ACC, "context": "val"}},
    {"type": "parameter_msg", "payload": {"param": {"paramName": "lr", "paramValue": "0.1"}}},
]
_NEPTUNE = [
    {"obj": {"type": "AssignFloat", "path": ["params", "lr"], "value": 0.1}, "version": 1},
    {"obj": {"type": "LogFloats", "path": ["val", "acc"], "values": [{"value": 0.5, "step": 1.0}]}, "version": 2},
]
_FLAML = [
    {"record_id": at, "validation_loss": 0.5 / (1 + at), "config": {"n": 4 + at}, "learner": "lgbm"} for at in (0, 1)
]
_STATS = [{"name": {"name": "exact_match", "split": "test", "perturbation": {"name": "x"}}, "count": 1, "mean": 0.5}]


def _lines(records: list[dict[str, object]]) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


_TEXTS = {
    "comet": {f"{'a' * 32}/experiment.json": '{"project_name": "demo"}', f"{'a' * 32}/messages.json": _lines(_COMET)},
    "neptune": {"run__1/metadata.json": '{"mode": "offline"}', "run__1/data-1.log": _lines(_NEPTUNE)},
    "flaml": {"search.log": _lines(_FLAML)},
    "helm": {"run/stats.json": json.dumps(_STATS), "run/run_spec.json": '{"name": "law", "adapter_spec": {"k": 1}}'},
    "metric_files": {
        "run-a-tag-loss.csv": "Wall time,Step,Value\n1.5,10,0.5\n2.5,20,0.25\n",
        "acc.csv": "Wall time,Step,Value\n1.5,10,0.5\n",
    },
    "stable_baselines3, monitors": {"0.monitor.csv": '#{"t_start": 1.5}\nr,l,t\n1.0,10,0.5\n3.0,10,2.5\n'},
    "text_log": {
        "train.log": "epoch 1: train loss 0.5 | val_acc: 0.5\nepoch 2 [train] loss=0.25, [valid] acc=0.75\n"
        "{'loss': 0.5, 'epoch': 1.0}\n{'loss': 0.25, 'num_updates': '20'}\n",
    },
    "clearml": {
        "offline-0123/task.json": json.dumps(_SESSION),
        "offline-0123/metrics.jsonl": json.dumps(_SCALARS) + "\n",
    },
    "dvc": {
        "dvc.yaml": "metrics: [scores.json]\nstages: {train: {cmd: x, metrics: [{m.toml: {cache: false}}]}}\n",
        "scores.json": '{"val": {"acc": 0.75}}',
        "m.toml": "loss = 0.5\n",
        "params.yaml": "train: {lr: 0.1, seed: 7}\n",
    },
    "dvc, shown": {
        "shown.json": json.dumps([{"rev": "abc", "name": "main", "data": _SHOWN, "experiments": None}]),
    },
    "long_csv": {"all.csv": "run,seed,step,val_acc\na,1,0,0.5\na,1,1,0.6\nb,2,0,0.4\nb,2,1,0.7\n"},
    "sklearn": {
        "cv_results.json": json.dumps(
            {"params": [{"C": 1}, {"C": 10}], "split0_test_score": [0.8, 0.9], "mean_test_score": [0.75, 0.85]}
        ),
    },
    "jsonl": {
        "train_history.jsonl": '{"epoch": 1, "loss": 0.9, "val": {"acc": 0.5}}\n{"epoch": 2, "loss": NaN}\n',
        "batch_metrics.jsonl": '{"step": 1, "batch_index": 0, "loss": 0.5, "sample_ids": ["a", "b"]}\n',
        "config.yaml": "lr: 0.1\nseed: 3\n",
    },
    "run_eval": {
        "metrics/val_metrics.json": '{"perplexity": 12.5, "accuracy": 0.4, "kappa": 0.1}',
        "metrics/evaluation.json": '{"task": "text", "n_items": 9, "signature": "s"}',
        "val_predictions.csv": "y_true,y_pred\n0,1\n1,1\n",
    },
    "trials": {"trials.csv": "number,value,params_lr,user_attrs_f1,state\n0,0.5,0.01,0.4,COMPLETE\n1,,0.1,,FAIL\n"},
}  # fmt: skip


def others(gold: Path, place: Path) -> dict[str, Mapping[str, bytes]]:
    """Return name → files of a folder, given the examples that are kept, and a folder to write in."""
    found = {name: {path: text.encode() for path, text in files.items()} for name, files in _TEXTS.items()}
    table = io.BytesIO()
    pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.4]}).to_parquet(table)
    scalars(place / "events", "epoch_loss", [0.9, 0.5])
    arrays = io.BytesIO()
    np.savez_compressed(arrays, timesteps=[1, 2], results=[[1.0, 2.0], [3.0, 4.0]])
    with sqlite3.connect(place / "project.db") as database:
        database.executescript(
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY, run_id, run_name, step, metrics);"
            "CREATE TABLE configs (run_id, config); CREATE TABLE system_metrics (id);"
            """INSERT INTO metrics VALUES (NULL, 'a', 'one', 0, '{"loss": 0.5}');"""
            """INSERT INTO configs VALUES ('a', '{"lr": 0.1}');"""
        )
    database.close()
    return {
        **found,
        "stable_baselines3": {"evaluations.npz": arrays.getvalue()},
        "trackio": {"project.db": (place / "project.db").read_bytes()},
        "parquet": {"train_history.parquet": table.getvalue()},
        "tensorboard": {path.name: path.read_bytes() for path in (place / "events").iterdir()},
        "mlflow, database": {
            "mlflow.db": gzip.decompress((gold / "mlflow" / "database" / "mlflow.db.gz").read_bytes())
        },
        "optuna, database": {"study.db": gzip.decompress((gold / "optuna" / "study.db.gz").read_bytes())},
    }

"""Small files of tools of which the project keeps no examples, as those tools write them."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path

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
_TEXTS = {
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
    scalars(place, "epoch_loss", [0.9, 0.5])
    return {
        **found,
        "parquet": {"train_history.parquet": table.getvalue()},
        "tensorboard": {path.name: path.read_bytes() for path in place.iterdir()},
        "mlflow, database": {
            "mlflow.db": gzip.decompress((gold / "mlflow" / "database" / "mlflow.db.gz").read_bytes())
        },
        "optuna, database": {"study.db": gzip.decompress((gold / "optuna" / "study.db.gz").read_bytes())},
    }

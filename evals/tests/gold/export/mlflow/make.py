"""Makes the golden stores of MLflow with MLflow itself, as files and as a database.

Needs: pip install mlflow-skinny sqlalchemy alembic (made with 3.17.2). From 3.7 on MLflow asks for a variable before it
writes files.

    python make.py

Ids and times are those of the making. One run was deleted, one failed, two of one name differ in their ids.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "LOGNAME": "researcher", "USER": "researcher"}

import mlflow

HERE = Path(__file__).resolve().parent


TAGS = {
    "mlflow.source.name": "train.py",
    "mlflow.source.git.branch": "main",
    "mlflow.source.git.commit": "0123456789abcdef0123456789abcdef01234567",
    "mlflow.source.git.dirty": "true",
}


def fill(uri: str, artifacts: str) -> dict[str, dict[str, object]]:
    """Log runs; return label → what they logged last."""
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("demo", artifact_location=artifacts)
    expected: dict[str, dict[str, object]] = {}
    for seed in (1, 2):
        with mlflow.start_run(experiment_id=experiment, run_name=f"seed-{seed}"):
            mlflow.log_params({"seed": seed, "lr": 0.001, "note": "=cmd|' /C calc'!A0"})
            mlflow.set_tags(TAGS)
            for epoch in range(3):
                mlflow.log_metric("val/accuracy", 0.6 + epoch / 10 + seed / 100, step=epoch)
            # A value that comes late, but of an earlier step, is not the last one.
            mlflow.log_metric("val/accuracy", 0.1, step=0)
            mlflow.log_metric("loss", float("nan"))
        expected[f"demo/seed-{seed}"] = {"val/accuracy": 0.8 + seed / 100, "loss": None}
    for number in (1, 2):
        with mlflow.start_run(experiment_id=experiment, run_name="twin"):
            mlflow.set_tags(TAGS)
            mlflow.log_metric("val/accuracy", number / 4)
    try:
        with mlflow.start_run(experiment_id=experiment, run_name="broken"):
            mlflow.set_tags(TAGS)
            mlflow.log_metric("val/accuracy", 0.2)
            raise RuntimeError
    except RuntimeError:
        pass
    with mlflow.start_run(experiment_id=experiment, run_name="deleted") as deleted:
        mlflow.set_tags(TAGS)
        mlflow.log_metric("val/accuracy", 0.99)
    client.delete_run(deleted.info.run_id)
    return expected


def main() -> None:
    """Make both stores anew."""
    shutil.rmtree(HERE / "files", ignore_errors=True)
    shutil.rmtree(HERE / "database", ignore_errors=True)
    (HERE / "files").mkdir()
    (HERE / "database").mkdir()
    os.chdir(HERE)
    expected = fill((HERE / "files" / "mlruns").as_uri(), "file:///artifacts")
    shutil.rmtree(HERE / "files" / "mlruns" / "0")  # the default experiment, which names this machine's folders
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # MLflow writes where it is into the database
        database = Path(folder) / "mlflow.db"
        assert fill(f"sqlite:///{database}", "file:///artifacts") == expected
        # Nearly a megabyte, most of it empty pages; a test unpacks it.
        (HERE / "database" / "mlflow.db.gz").write_bytes(gzip.compress(database.read_bytes(), mtime=0))
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

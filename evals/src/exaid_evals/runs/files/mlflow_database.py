"""MLflow's database store, `mlflow.db`: SQLite, read only; nothing that the file defines is executed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.files.mlflow_files import MlflowRun
from exaid_evals.runs.files.sqlite import is_database, opened, tables_of

_TABLES = ("experiments", "runs", "latest_metrics", "params", "tags")


def is_store(path: Path) -> bool:
    """Return whether a file is a database in which MLflow's tables are."""
    return is_database(path, _TABLES)


def labelled_runs(path: Path) -> list[tuple[str, str, str]]:
    """Return experiment, name and id of each run that is not deleted, in order of experiment and start.

    Raises:
        DataError: the database cannot be read.
    """
    query = (
        "SELECT e.name, r.name, r.run_uuid FROM runs r LEFT JOIN experiments e USING (experiment_id) "
        "WHERE r.lifecycle_stage IS NOT 'deleted' ORDER BY r.experiment_id, r.start_time, r.run_uuid"
    )
    with opened(path, _TABLES, "MLflow's") as database:
        return [(str(one or ""), str(two or ""), str(three)) for one, two, three in database.execute(query)]


def read_run(path: Path, run_id: str) -> MlflowRun:
    """Read a run.

    Raises:
        DataError: the database cannot be read, or the run is gone.
    """
    with opened(path, _TABLES, "MLflow's") as database:
        query = (
            "SELECT r.name, r.status, e.name FROM runs r LEFT JOIN experiments e USING (experiment_id) "
            "WHERE r.run_uuid = ?"
        )
        found = database.execute(query, (run_id,)).fetchone()
        if found is None:
            remedy = "check the path; something may have removed it meanwhile"
            raise DataError(f"the run {run_id} is gone", where=str(path), remedy=remedy)
        name, status, experiment = (str(part or "") for part in found)
        run = MlflowRun(run_id, name, experiment, status)
        for key, value, is_nan in database.execute(
            "SELECT key, value, is_nan FROM latest_metrics WHERE run_uuid = ? ORDER BY key", (run_id,)
        ):
            run.metrics[str(key)] = _metric(value, is_nan)
        run.params = {
            str(key): str(value)
            for key, value in database.execute(
                "SELECT key, value FROM params WHERE run_uuid = ? ORDER BY key", (run_id,)
            )
        }
        tags = {
            str(key): str(value)
            for key, value in database.execute(
                "SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE 'mlflow.%' ORDER BY key", (run_id,)
            )
        }
    run.name = run.name or tags.get("mlflow.runName", "")
    run.parent = tags.get("mlflow.parentRunId", "").strip()
    run.commit = tags.get("mlflow.source.git.commit") or None
    run.dirty = {"true": True, "false": False}.get(tags.get("mlflow.source.git.dirty", "").lower())
    return run


def metric_points(path: Path, run_id: str) -> list[tuple[str, int, float]]:
    """Return each logged point of a run in order of logging: name, step, value (NaN and infinities included).

    Raises:
        DataError: the database cannot be read, or holds no history.
    """
    query = "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, timestamp, step"
    with opened(path, _TABLES, "MLflow's") as database:
        if "metrics" not in tables_of(database):
            raise DataError("has no table metrics", where=str(path), remedy="name the right file")
        rows = database.execute(query, (run_id,)).fetchall()
    found = []
    for key, step, value, is_nan in rows:
        number = _metric(value, is_nan)
        undefined = math.nan if is_nan or not isinstance(value, int | float) else math.copysign(math.inf, value)
        found.append((str(key), int(step or 0), undefined if number is None else number))
    return found


def _metric(value: Any, is_nan: Any) -> float | None:
    """Return a metric; MLflow writes NaN as 0 with a flag, and infinities as the greatest double."""
    if is_nan or not isinstance(value, int | float) or abs(value) >= 1.7976931348623157e308:
        return None
    return float(value) if math.isfinite(value) else None

"""MLflow's stores, read without MLflow: plain files, `mlruns/<experiment>/<run>/`, or a database, `mlflow.db`.

The database is opened read only, and nothing that the file defines is executed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import folders_in
from exaid_evals.runs.files.archives import is_database, opened_database, tables_of
from exaid_evals.runs.files.content import lines_of

META = "meta.yaml"
FINISHED = "FINISHED"
_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: FINISHED, 4: "FAILED", 5: "KILLED"}
_MOST_BYTES = 64 * 1024
_DEEPEST = 8


@dataclass(slots=True)
class MlflowRun:
    """What a store says of a run.

    Attributes:
        run_id: MLflow's.
        name: as the user named it; empty for none.
        experiment: its name, else its id.
        status: `FINISHED`, `FAILED`, …
        metrics: name → last value, by step and then time; None for NaN and infinities.
        params: name → text, for MLflow keeps no other kind.
        commit: of the code.
        dirty: whether the code had changes that were not committed; None where unknown.
        parent: id of the run that it is nested in; empty for none.
        warnings: what is odd.
    """

    run_id: str
    name: str = ""
    experiment: str = ""
    status: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    commit: str | None = None
    dirty: bool | None = None
    parent: str = ""
    warnings: list[str] = field(default_factory=list)

    def take_tags(self, tags: Mapping[str, str]) -> None:
        """Take what MLflow itself notes as tags."""
        self.name = self.name or tags.get("mlflow.runName", "")
        self.parent = tags.get("mlflow.parentRunId", "").strip()
        self.commit = tags.get("mlflow.source.git.commit") or None
        self.dirty = {"true": True, "false": False}.get(tags.get("mlflow.source.git.dirty", "").lower())


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run: `meta.yaml` beside `metrics/` or `params/`."""
    return (folder / META).is_file() and any((folder / name).is_dir() for name in ("metrics", "params", "tags"))


def runs_below(folder: Path) -> list[Path]:
    """Return the runs of a store or of an experiment, deleted ones left out, in order of experiment and start."""
    experiments = [folder] if (folder / META).is_file() else folders_in(folder)
    found: list[tuple[str, int, str, Path]] = []
    for experiment in experiments:
        if experiment.name == ".trash" or not (experiment / META).is_file():
            continue
        for run in folders_in(experiment):
            if is_run(run):
                started, deleted = _order(run)
                found += [] if deleted else [(experiment.name, started, run.name, run)]
    return [path for *_, path in sorted(found)]


def read_folder(folder: Path) -> MlflowRun:
    """Read a run's folder.

    Raises:
        DataError: its `meta.yaml` cannot be read; other damage is a warning.
    """
    meta = _meta(folder)
    status = meta.get("status")
    run = MlflowRun(
        run_id=str(meta.get("run_id") or folder.name),
        name=str(meta.get("run_name") or meta.get("name") or ""),
        status=_STATUS.get(status, str(status)) if isinstance(status, int) else str(status or ""),
    )
    run.experiment = str(meta.get("experiment_id") or folder.parent.name)
    try:
        run.experiment = str(_meta(folder.parent).get("name") or run.experiment)
    except DataError:
        run.warnings.append(f"{folder.parent.name}/{META} cannot be read, so that the experiment has no name")
    for name, path in _entries(folder / "metrics", run.warnings):
        try:
            run.metrics[name] = _last(path)
        except (DataError, ValueError) as error:
            what = error.what if isinstance(error, DataError) else str(error)
            run.warnings.append(f"metrics/{name}: {what}, so that it was left out")
    for name, path in _entries(folder / "params", run.warnings):
        run.params[name] = _short_text(path, run.warnings)
    tags = {
        name: _short_text(path, run.warnings)
        for name, path in _entries(folder / "tags", run.warnings)
        if name in ("mlflow.source.git.commit", "mlflow.source.git.dirty", "mlflow.runName", "mlflow.parentRunId")
    }
    run.take_tags(tags)
    return run


def points_of_folder(folder: Path, warnings: list[str]) -> Iterator[tuple[str, int, float]]:
    """Yield each logged point of a run, metric by metric in order of logging: name, step, value (NaN included).

    A line that is none, and a file that cannot be read, is reported in `warnings`.
    """
    for name, path in _entries(folder / "metrics", warnings):
        lost = 0
        try:
            for line in lines_of(path, _MOST_BYTES):
                parts = line.split()
                try:
                    yield name, int(parts[2]) if len(parts) > 2 else 0, float(parts[1])
                except (IndexError, ValueError):
                    lost += bool(parts)
        except DataError as error:
            warnings.append(f"metrics/{name}: {error.what}, and is left out from there on")
        if lost:
            warnings.append(f"metrics/{name}: {lost} lines are not `timestamp value step`, and are left out")


def label_of(folder: Path) -> tuple[str, str]:
    """Return experiment and name of a run, its id where it has no name; whatever cannot be read, by its folder."""
    experiment, name = folder.parent.name, folder.name
    try:
        meta = _meta(folder)
        name = str(meta.get("run_name") or meta.get("name") or name)
        experiment = str(_meta(folder.parent).get("name") or experiment)
    except DataError:
        pass  # reading the run tells what is wrong
    return experiment, name


def files_of(folder: Path) -> list[Path]:
    """Return the files that a run depends on."""
    quiet: list[str] = []
    kinds = ("metrics", "params", "tags")
    return [
        folder / META,
        folder.parent / META,
        *(path for kind in kinds for _, path in _entries(folder / kind, quiet)),
    ]


def _last(path: Path) -> float | None:
    """Return the last value of a metric: of the greatest step, then the latest time, then the greatest value.

    A line is `timestamp value step`, in older stores without the step, in newer ones with data set and model behind.
    """
    best: tuple[int, int, float] | None = None
    undefined = False
    for line in lines_of(path, _MOST_BYTES):
        parts = line.split()
        if not parts:
            continue
        try:
            time, value, step = int(parts[0]), float(parts[1]), int(parts[2]) if len(parts) > 2 else 0
        except (IndexError, ValueError):
            raise ValueError(f"{line[:40].decode(errors='replace')!r} is not a line `timestamp value step`") from None
        order = (step, time, -math.inf if math.isnan(value) else value)
        if best is None or order >= best:
            best, undefined = order, not math.isfinite(value)
    if best is None:
        raise ValueError("holds no value")
    return None if undefined else best[2]


def _entries(place: Path, warnings: list[str], prefix: str = "", deep: int = 0) -> Iterator[tuple[str, Path]]:
    """Yield name and file; `val/accuracy` lies in a folder `val`. Links are passed over, with a warning."""
    try:
        with os.scandir(place) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    except OSError as error:
        warnings.append(f"{place.name} cannot be read ({error.strerror})")
        return
    for entry in entries:
        name = f"{prefix}{entry.name}"
        if entry.is_symlink():
            warnings.append(f"{place.name}/{entry.name} is a link and was passed over")
        elif entry.is_dir():
            if deep < _DEEPEST:
                yield from _entries(Path(entry.path), warnings, f"{name}/", deep + 1)
        elif entry.is_file():
            yield name, Path(entry.path)


def _short_text(path: Path, warnings: list[str]) -> str:
    data = bytearray()
    try:
        for chunk in content_chunks(path):
            data += chunk
            if len(data) > _MOST_BYTES:
                warnings.append(f"{path.parent.name}/{path.name} is longer than {_MOST_BYTES >> 10} KiB and was cut")
                break
    except DataError as error:
        warnings.append(f"{path.parent.name}/{path.name}: {error.what}")
    return bytes(data[:_MOST_BYTES]).decode("utf-8", errors="replace")


def _meta(folder: Path) -> dict[str, Any]:
    path = folder / META
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"is larger than {_MOST_BYTES >> 10} KiB", where=str(path), remedy="name the right file")
        return read_mapping(path)
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="write or copy it again"
        ) from None
    except ConfigError as error:
        raise DataError(error.what, where=error.where or str(path), remedy="write or copy it again") from None


def _order(run: Path) -> tuple[int, bool]:
    """Return when a run started, and whether it was deleted; one with a broken file is read, and reported."""
    try:
        meta = _meta(run)
    except DataError:
        return 0, False
    started = meta.get("start_time")
    return started if isinstance(started, int) else 0, meta.get("lifecycle_stage") == "deleted"


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
    with opened_database(path, _TABLES, "MLflow's") as database:
        return [(str(one or ""), str(two or ""), str(three)) for one, two, three in database.execute(query)]


def read_row(path: Path, run_id: str) -> MlflowRun:
    """Read a run.

    Raises:
        DataError: the database cannot be read, or the run is gone.
    """
    with opened_database(path, _TABLES, "MLflow's") as database:
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
        run.params, tags = (
            {str(key): str(value) for key, value in database.execute(query, (run_id,))}
            for query in (
                "SELECT key, value FROM params WHERE run_uuid = ? ORDER BY key",
                "SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE 'mlflow.%' ORDER BY key",
            )
        )
    run.take_tags(tags)
    return run


def points_of_row(path: Path, run_id: str) -> Iterator[tuple[str, int, float]]:
    """Yield each logged point of a run in order of logging: name, step, value (NaN and infinities included).

    Raises:
        DataError: the database cannot be read, or holds no history.
    """
    query = "SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, timestamp, step"
    with opened_database(path, _TABLES, "MLflow's") as database:
        if "metrics" not in tables_of(database):
            raise DataError("has no table metrics", where=str(path), remedy="name the right file")
        for key, step, value, is_nan in database.execute(query, (run_id,)):
            number = _metric(value, is_nan)
            undefined = math.nan if is_nan or not isinstance(value, int | float) else math.copysign(math.inf, value)
            yield str(key), int(step or 0), undefined if number is None else number


def _metric(value: Any, is_nan: Any) -> float | None:
    """Return a metric; MLflow writes NaN as 0 with a flag, and infinities as the greatest double."""
    if is_nan or not isinstance(value, int | float) or abs(value) >= 1.7976931348623157e308:
        return None
    return float(value) if math.isfinite(value) else None

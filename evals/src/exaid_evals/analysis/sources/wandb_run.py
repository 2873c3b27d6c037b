"""W&B: offline runs from their folders, with neither network nor wandb; others through W&B's API, when it is asked."""

from __future__ import annotations

import bisect
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.analysis.history import History, series_of
from exaid_evals.analysis.sources.base import optional
from exaid_evals.analysis.sources.rows import Row, history_of
from exaid_evals.analysis.sources.tabular import batch_rows, pick
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.readers.wandb import WandbReader
from exaid_evals.export.readers.wandb_log import each_row, read_log

_ONLINE = re.compile(r"[\w.-]+/[\w.-]+/[\w.-]+")
_KEY = "WANDB_API_KEY"


class WandbSource:
    """Reads `run-<id>.wandb`: history, system metrics, configuration."""

    name = "wandb"

    def claims(self, place: Path) -> bool:
        """Tell whether an offline run, or a folder of them, lies here."""
        return place.is_dir() and bool(_runs(place))

    def run_names(self, place: Path) -> Sequence[str]:
        """Return the runs' display names, or their ids where a name is missing or stands twice."""
        return sorted(_runs(place))

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run.

        Raises:
            DataError: there is no such run, or its log cannot be read.
        """
        name, path = pick(_runs(place), place, run_name)
        log = read_log(path)
        rows: list[Row] = []
        system: list[tuple[float, Row]] = []
        for kind, row in each_row(path):
            if kind == "history":
                rows.append(row)
            else:
                system.append((row.pop("_timestamp") or 0.0, row))
        if not rows:
            raise DataError("holds no step of history", where=str(path), remedy="did the run log anything?")
        config = {key: value for key, value in log.config.items() if key.split(".")[0] != "_wandb"}
        warnings = list(log.warnings)
        history = history_of(name, self.name, rows, config=config, warnings=warnings)
        batches = batch_rows(path.parent, warnings)
        further = series_of(_placed(system, rows))
        return replace(
            history,
            system={**history.system, **further},
            batches=history.batches + batches,
            warnings=(*history.warnings, *warnings[len(log.warnings) :]),
        )


def read_online(run_path: str) -> History:
    """Read a run through W&B's API.

    Args:
        run_path: `entity/project/run`.

    Raises:
        ConfigError: there is no key in the environment, or the path is none.
        DataError: W&B has no such run, or does not answer.
        MissingDependencyError: wandb is not installed.
    """
    if not is_online(run_path):
        raise ConfigError(f"{run_path!r} is no entity/project/run", where="--run-name", remedy="write all three parts")
    if not os.environ.get(_KEY):
        raise ConfigError(f"no {_KEY} in the environment", where="--source wandb", remedy=f"set {_KEY} and try again")
    wandb = optional("wandb", "wandb", "reading runs through W&B's API")
    try:
        run = wandb.Api().run(run_path)
        rows = list(run.scan_history())
        config = {key: value for key, value in run.config.items() if not key.startswith("_")}
        system = run.history(stream="system", pandas=False)
    except (wandb.errors.CommError, wandb.errors.UsageError, ValueError) as error:
        raise DataError(f"W&B: {error}", where=run_path, remedy="check the path and the key") from None
    history = history_of(run_path.rpartition("/")[2], "wandb", rows, config=config)
    placed = _placed([(float(row.get("_timestamp") or 0.0), row) for row in system], rows)
    cleaned = [(step, {key: value for key, value in row.items() if not key.startswith("_")}) for step, row in placed]
    return replace(history, system={**history.system, **series_of(cleaned)})


def is_online(run_name: str) -> bool:
    """Tell whether a name is `entity/project/run`."""
    return _ONLINE.fullmatch(run_name) is not None


def _placed(system: Sequence[tuple[float, Row]], rows: Sequence[Row]) -> list[tuple[float, Row]]:
    """Give system metrics, which have a time alone, the step of the last row of history before them."""
    timed = sorted((float(row["_timestamp"]), float(row["_step"])) for row in rows if _has(row, "_timestamp", "_step"))
    times = [time for time, _ in timed]
    placed: dict[float, dict[str, Any]] = {}
    for time, row in sorted(system, key=lambda item: item[0]):
        at = bisect.bisect_right(times, time) - 1
        if timed:
            # W&B samples by the clock, so that several samples may fall on one step: the last one counts.
            placed.setdefault(timed[max(at, 0)][1], {}).update(row)
    return sorted(placed.items())


def _has(row: Row, *names: str) -> bool:
    return all(isinstance(row.get(name), int | float) for name in names)


def _runs(place: Path) -> dict[str, Path]:
    reader = WandbReader()
    if not reader.claims(place):
        return {}
    found: dict[str, list[tuple[str, Path]]] = {}
    for source in reader.sources(place):
        logs = sorted(source.path.glob("run-*.wandb"))
        if logs:
            run_id = logs[0].stem.removeprefix("run-")
            try:
                name = read_log(logs[0]).run.get("display_name") or run_id
            except DataError:
                name = run_id  # reading the run tells what is wrong
            found.setdefault(name, []).append((run_id, logs[0]))
    return {
        name if len(runs) == 1 else f"{name}-{run_id}": path for name, runs in found.items() for run_id, path in runs
    }

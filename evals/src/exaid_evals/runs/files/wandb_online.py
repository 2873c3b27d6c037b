"""Runs on W&B's servers, read whole: where a name means one, and its history."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.files.wandb_api import KEY, WandbServer, server_of
from exaid_evals.runs.files.wandb_log import flat
from exaid_evals.runs.files.wandb_pages import MAX_EVENTS, RunInfo, RunPath, WandbRun, default_entity
from exaid_evals.runs.files.wandb_rows import STEP, logged, system_series
from exaid_evals.runs.history import History
from exaid_evals.runs.rows import history_of

ENTITY, PROJECT = "WANDB_ENTITY", "WANDB_PROJECT"
_PART = r"[^/\\#?%:\s](?:[^/\\#?%:]*[^/\\#?%:\s])?"
"""What W&B lets a name be made of."""
_PATH = re.compile(rf"/?(?:(?:(?P<entity>{_PART})/)?(?P<project>{_PART})/(?:runs/)?)?(?P<run>{_PART})")
_USUAL_EVENTS = 500
"""Asked for where the server does not say how many rows it has; wandb's own default."""
_BROKEN = ("crashed", "failed", "killed", "preempted", "preempting")


def is_online(run_name: str, environment: Mapping[str, str] | None = None) -> bool:
    """Tell whether a name is one of a run on a server, taken together with the environment.

    That is `entity/project/run`, also with `runs/` before the run as in its address; `project/run` where
    `WANDB_ENTITY` or a key tells the entity; and `run` where `WANDB_PROJECT` names the project as well.
    """
    environment = os.environ if environment is None else environment
    found = _PATH.fullmatch(run_name)
    if found is None or {".", ".."} & {*run_name.split("/")} or not (found["project"] or environment.get(PROJECT)):
        return False
    return bool(found["entity"] or environment.get(ENTITY) or environment.get(KEY))


def read_online(run_name: str, server: WandbServer | None = None) -> History:
    """Read a run from W&B's server.

    Args:
        run_name: as `is_online` takes it.
        server: that has it; None takes the one that the environment names.

    Raises:
        ConfigError: the environment names no key or a malformed one, or the server does not take it; the name is none.
        DataError: the server has no such run, cannot be reached, or the run has no history.
    """
    server = server or server_of()
    path = _path(run_name, server)
    run = WandbRun(server, path)
    info = run.info()
    rows = run.history(info)
    if not rows:
        remedy = "did the run log anything?"
        raise DataError("holds no step of history", where=f"{server.base_url} ({'/'.join(path)})", remedy=remedy)
    events = run.events(min(info.n_events or _USUAL_EVENTS, MAX_EVENTS)) if info.n_events != 0 else []
    warnings = [*_incomplete(info, len(rows), len(events)), *_state(info)]
    if run.unreadable:
        warnings.append(f"{run.unreadable} rows are not JSON objects; they are left out")
    metrics = logged(rows, warnings)
    system = system_series([{**event} for event in events], rows, warnings)
    config: dict[str, object] = {}
    for key, value in info.config.items():
        config |= flat(key, value)  # as an offline run's, so that the two compare
    history = history_of(path[2], "wandb", metrics, config=config, warnings=warnings, step_name=STEP)
    return replace(history, system={**history.system, **system})


def _path(run_name: str, server: WandbServer) -> RunPath:
    found = _PATH.fullmatch(run_name)
    project = (found["project"] if found else None) or os.environ.get(PROJECT)
    if found is None or not project:
        remedy = f"write all three parts, or set {ENTITY} and {PROJECT}"
        raise ConfigError(f"{run_name!r} is not an entity/project/run", where="--run-name", remedy=remedy)
    entity = found["entity"] or os.environ.get(ENTITY) or default_entity(server)
    if not entity:
        remedy = f"write entity/project/run, or set {ENTITY}"
        raise ConfigError(f"W&B names no entity of the key's for {run_name!r}", where="--run-name", remedy=remedy)
    return entity, project, found["run"]


def _incomplete(info: RunInfo, n_rows: int, n_events: int) -> list[str]:
    """State where what came is not what the server holds; a run that goes on may have grown in the meantime."""
    told = []
    if info.n_rows is None:
        told.append(f"W&B does not say how many rows its history has; {n_rows} were read")
    elif n_rows < info.n_rows:
        told.append(f"W&B gave {n_rows} of the {info.n_rows} rows of its history: it is incomplete")
    elif n_rows > info.n_rows and info.state != "running":
        told.append(f"W&B gave {n_rows} rows of history, and says that it has {info.n_rows}")
    if info.n_events is None and n_events:
        told.append(f"W&B does not say how many rows its system metrics have; {n_events} were read, perhaps a sample")
    elif info.n_events is not None and n_events < info.n_events:
        told.append(f"system metrics are sampled: W&B gave {n_events} of {info.n_events} rows")
    return told


def _state(info: RunInfo) -> list[str]:
    if info.state == "running":
        return ["the run goes on: it was read as far as it has logged"]
    return [f"the run is {info.state}: its numbers may not be final"] if info.state in _BROKEN else []

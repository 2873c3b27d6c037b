"""Runs on W&B's servers, read whole: where a name means one, and its history."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.files.document import embedded
from exaid_evals.runs.files.wandb_api import KEY, WandbServer, server_of
from exaid_evals.runs.files.wandb_log import STEP, logged, settings_in, system_series
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
    """Return whether a name is one of a run on a server, taken together with the environment.

    That is `entity/project/run`, also with `runs/` before the run as in its address; `project/run` where
    `WANDB_ENTITY` or a key tells the entity; and `run` where `WANDB_PROJECT` names the project as well.
    """
    environment = os.environ if environment is None else environment
    found = _PATH.fullmatch(run_name)
    if found is None or {".", ".."} & {*run_name.split("/")} or not (found["project"] or environment.get(PROJECT)):
        return False
    return bool(found["entity"] or environment.get(ENTITY) or environment.get(KEY))


def runs_online(project: str, server: WandbServer | None = None) -> list[str] | None:
    """Return the runs of a project on W&B's server, each as `entity/project/run`; None where the name is none of one.

    Args:
        project: `entity/project`, or `project` of `WANDB_ENTITY`, else of the key's owner.
        server: that has it; None takes the one that the environment names, if there is a key.

    Raises:
        ConfigError: the environment is malformed, or the server does not take the key.
        DataError: the server cannot be reached, or the project has more runs than can be analysed together.
    """
    entity, _, name = project.rpartition("/")
    if not re.fullmatch(_PART, name) or (entity and not re.fullmatch(_PART, entity)):
        return None
    if server is None and not os.environ.get(KEY):
        return None
    server = server or server_of()
    entity = entity or os.environ.get(ENTITY) or default_entity(server) or ""
    found: list[str] = []
    after: str | None = None
    while True:
        asked = {"entity": entity, "project": name, "first": 100, "after": after}
        runs = (server.ask(_RUNS, asked).get("project") or {}).get("runs")
        if not runs:
            return found or None
        try:
            page = [f"{entity}/{name}/{edge['node']['name']}" for edge in runs["edges"]]
            after, more = runs["pageInfo"]["endCursor"], runs["pageInfo"]["hasNextPage"]
        except (KeyError, TypeError):
            raise DataError("W&B answered no list of runs", where=server.base_url, remedy="ask again later") from None
        found += page
        if not page or not more:  # a server that promises more and gives nothing is not asked without end
            return found or None
        if len(found) >= _MOST_RUNS:
            remedy = "name those that you mean, with commas between them"
            raise DataError(f"has over {_MOST_RUNS} runs", where=f"{server.base_url} ({entity}/{name})", remedy=remedy)


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
        remedy = "wait for its end, or leave it out"
        raise DataError("holds no step of history", where=f"{server.base_url} ({'/'.join(path)})", remedy=remedy)
    events = run.events(min(info.n_events or _USUAL_EVENTS, MAX_EVENTS)) if info.n_events != 0 else []
    warnings = [*_incomplete(info, len(rows), len(events)), *_state(info)]
    if run.unreadable:
        warnings.append(f"{run.unreadable} rows are not JSON objects; they are left out")
    metrics = logged(rows, warnings)
    system = system_series([{**event} for event in events], rows, warnings)
    history = history_of(path[2], "wandb", metrics, config=info.config, warnings=warnings, step_name=STEP)
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
    gaps = []
    if info.n_rows is None:
        gaps.append(f"W&B does not say how many rows its history has; {n_rows} were read")
    elif n_rows < info.n_rows:
        gaps.append(f"W&B gave {n_rows} of the {info.n_rows} rows of its history: it is incomplete")
    elif n_rows > info.n_rows and info.state != "running":
        gaps.append(f"W&B gave {n_rows} rows of history, and says that it has {info.n_rows}")
    if info.n_events is None and n_events:
        gaps.append(f"W&B does not say how many rows its system metrics have; {n_events} were read, perhaps a sample")
    elif info.n_events is not None and n_events < info.n_events:
        gaps.append(f"system metrics are sampled: W&B gave {n_events} of {info.n_events} rows")
    return gaps


def _state(info: RunInfo) -> list[str]:
    if info.state == "running":
        return ["the run goes on: it was read as far as it has logged"]
    return [f"the run is {info.state}: its numbers may not be final"] if info.state in _BROKEN else []


RunPath: TypeAlias = tuple[str, str, str]
"""Entity, project, run."""

PAGE_STEPS = 1000
"""As wandb pages. A history's steps are distinct, so that a window of so many holds no more rows than are asked for."""
_SAMPLES = PAGE_STEPS + 1
_MOST_PAGES = 200
"""A history of so many windows is read window by window; a longer one by wider ones if its steps lie wide apart."""
_END = 2**53 - 1
"""Past every step; the largest whole number that each reader of JSON keeps."""
MAX_EVENTS = 50_000

_RUN = """query Run($entity: String!, $project: String!, $name: String!) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { name displayName state config historyKeys historyLineCount eventsLineCount }
  }
}"""
_HISTORY = """query HistoryPage($entity: String!, $project: String!, $name: String!,
  $minStep: Int64!, $maxStep: Int64!, $pageSize: Int!) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) }
  }
}"""
_EVENTS = """query RunFullHistory($project: String!, $entity: String!, $name: String!, $samples: Int) {
  project(name: $project, entityName: $entity) {
    run(name: $name) { events(samples: $samples) }
  }
}"""
_RUNS = """query Runs($entity: String!, $project: String!, $first: Int!, $after: String) {
  project(name: $project, entityName: $entity) {
    runs(first: $first, after: $after) { edges { node { name } } pageInfo { endCursor hasNextPage } }
  }
}"""
_MOST_RUNS = 1000
_VIEWER = "query Viewer { viewer { entity } }"

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What the server says of a run.

    Attributes:
        config: as the user set it, with dotted keys as an offline run has them, without what wandb notes of itself.
        state: `running`, `finished`, `crashed`, `failed`, `killed`, …; None where it does not say.
        last_step: of the history; −1 where it does not say.
        n_rows: rows of history that it holds; None where it does not say.
        n_events: rows of system metrics, likewise.
    """

    config: Mapping[str, Any]
    state: str | None
    last_step: int
    n_rows: int | None
    n_events: int | None


def default_entity(server: WandbServer) -> str | None:
    """Return the entity of whoever has the key; None where the server names none."""
    viewer = server.ask(_VIEWER, {}).get("viewer")
    entity = viewer.get("entity") if isinstance(viewer, dict) else None
    return entity if isinstance(entity, str) and entity else None


@dataclass(slots=True)
class WandbRun:
    """One run on a server.

    Attributes:
        server: that holds it.
        path: of the run.
        unreadable: rows so far that were not JSON objects.
    """

    server: WandbServer
    path: RunPath
    unreadable: int = field(default=0, init=False)

    def info(self) -> RunInfo:
        """Return what the server says of the run.

        Raises:
            DataError: it has no such run, or none that the key may see.
        """
        run = self._ask(_RUN, {})
        keys = embedded(run.get("historyKeys"))
        last = keys.get("lastStep") if isinstance(keys, dict) else None
        config = embedded(run.get("config")) if run.get("config") else {}
        if not isinstance(config, dict):
            raise self._wrong("a configuration that is not a JSON object")
        return RunInfo(
            config=settings_in(config),
            state=run["state"] if isinstance(run.get("state"), str) else None,
            last_step=_count(last) if _count(last) is not None else -1,  # type: ignore[arg-type]
            n_rows=_count(run.get("historyLineCount")),
            n_events=_count(run.get("eventsLineCount")),
        )

    def history(self, info: RunInfo) -> list[Row]:
        """Return all rows, in order of steps; also those that were logged after the server's last step.

        Raises:
            DataError: the server does not keep to the steps that it was asked for.
        """
        rows: list[Row] = []
        start, end = 0, info.last_step + 1
        while True:
            width = _width(end - start, info.n_rows)
            for low in range(start, end, width):
                rows += self._window(low, min(low + width, end))
            tail = self._page(end, _END)
            further = [row["_step"] for row in tail if isinstance(row.get("_step"), int)]
            if len(tail) < _SAMPLES or not further:
                return rows + tail
            start, end = end, max(further) + 1

    def events(self, n_rows: int) -> list[Row]:
        """Return rows of system metrics: so many at most, sampled by the server where it has more."""
        run = self._ask(_EVENTS, {"samples": n_rows})
        return self._rows(run.get("events"))

    def _window(self, low: int, high: int) -> list[Row]:
        rows = self._page(low, high)
        if len(rows) < _SAMPLES or high - low <= 1:
            return rows
        middle = (low + high) // 2
        return self._window(low, middle) + self._window(middle, high)

    def _page(self, low: int, high: int) -> list[Row]:
        """Return the rows of steps low ≤ step < high."""
        run = self._ask(_HISTORY, {"minStep": low, "maxStep": high, "pageSize": _SAMPLES})
        rows = self._rows(run.get("history"))
        for row in rows:
            step = row.get("_step")
            if isinstance(step, int | float) and not low <= step < high:
                raise self._wrong(f"step {step} among those from {low} to {high - 1}")
        return rows

    def _rows(self, lines: Any) -> list[Row]:
        if lines is None:
            return []
        if not isinstance(lines, list):
            raise self._wrong("rows that are not lists")
        parsed = [embedded(line) for line in lines]
        rows = [row for row in parsed if isinstance(row, dict)]
        self.unreadable += len(parsed) - len(rows)
        return rows

    def _ask(self, query: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        entity, project, name = self.path
        found: Any = self.server.ask(query, {"entity": entity, "project": project, "name": name, **variables})
        for level in ("project", "run"):
            found = found.get(level)
            if found is None:
                what = f"no {level} {'/'.join(self.path)}" if level == "run" else f"no project {entity}/{project}"
                remedy = "write entity/project/run with the run's id, as in its address; or the key may not see it"
                raise DataError(f"W&B has {what}", where=self.server.base_url, remedy=remedy)
            if not isinstance(found, dict):
                raise self._wrong(f"a {level} that is not an object")
        run: dict[str, Any] = found
        return run

    def _wrong(self, what: str) -> DataError:
        where = f"{self.server.base_url} ({'/'.join(self.path)})"
        return DataError(f"W&B answers {what}", where=where, remedy="check that WANDB_BASE_URL is a server of W&B")


def _width(n_steps: int, n_rows: int | None) -> int:
    """Return how many steps a page takes, so that it is half full where the steps lie evenly."""
    if n_steps <= _MOST_PAGES * PAGE_STEPS:
        return PAGE_STEPS
    n_pages = _MOST_PAGES if n_rows is None else 2 * n_rows // PAGE_STEPS + 1
    return max(PAGE_STEPS, -(-n_steps // n_pages))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

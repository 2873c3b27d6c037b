"""Formats of logs by name, and the logs that a path means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.item_scores.base import Log, LogFormat

_PACKAGE = "exaid_evals.item_scores"
# In the order in which they are asked: who claims by a narrow sign comes first.
_BUILT_IN = {
    "inspect_ai": f"{_PACKAGE}.harnesses:InspectLogs",
    "lm_eval": f"{_PACKAGE}.harnesses:LmEvalSamples",
    "promptfoo": f"{_PACKAGE}.item_tables:PromptfooOutput",
    "helm": f"{_PACKAGE}.harnesses:HelmInstances",
    "openai_evals": f"{_PACKAGE}.records:OpenaiEvalsRecord",
    "deepeval": f"{_PACKAGE}.records:DeepevalRun",
    "ragas": f"{_PACKAGE}.item_tables:RagasTable",
    "mlflow": f"{_PACKAGE}.item_tables:MlflowTable",
    "run_eval": f"{_PACKAGE}.item_tables:RunEvalPredictions",
}
FORMATS = Kind("format of logs", "exaid_evals.item_logs", _BUILT_IN)
_MOST_FILES = 10_000
_DEPTH = 5


def read_side(place: Path, system: str | None, side: str) -> list[Log]:
    """Return the logs of one system, a task each.

    Args:
        place: a log, or a folder of logs, looked through five levels deep.
        system: which one, where there are several.
        side: `A` or `B`, for messages.

    Raises:
        DataError: no log lies there, or one is damaged.
        ConfigError: several systems lie there and none is named, or the one that is named does not.
    """
    if not place.exists():
        raise DataError("no such file or folder", where=str(place), remedy="check the path")
    formats: list[LogFormat] = [FORMATS.build(name) for name in FORMATS.names()]
    logs: list[Log] = []
    for path in [place] if place.is_file() else _files(place):
        form = next((one for one in formats if one.claims(path)), None)
        logs += form.read(path) if form else ()
    if not logs:
        known = ", ".join(form.name for form in formats)
        raise DataError("holds no log of a known tool", where=str(place), remedy=f"known are {known}")
    return _newest(_of_system(logs, system, place, side))


def tool_of(place: Path) -> str | None:
    """Return the tool whose log a place is, or holds; None of none."""
    formats: list[LogFormat] = [FORMATS.build(name) for name in FORMATS.names()]
    files = [place] if place.is_file() else _files(place) if place.is_dir() else ()
    return next((form.name for path in files for form in formats if form.claims(path)), None)


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        if len(Path(root).relative_to(folder).parts) >= _DEPTH:
            folders.clear()
        found += [Path(root, name) for name in sorted(names)]
        if len(found) > _MOST_FILES:
            raise DataError(f"holds more than {_MOST_FILES:,} files", where=str(folder), remedy="name the logs' folder")
    return found


def _of_system(logs: list[Log], system: str | None, place: Path, side: str) -> list[Log]:
    names = list(dict.fromkeys(log.system for log in logs))
    option = f"--system-{side.lower()}"
    if system is None and len(names) == 1:
        return logs
    chosen = [log for log in logs if log.system == system]
    if chosen:
        return chosen
    what = "several systems lie here" if system is None else f"no system is called {system!r}"
    known = ", ".join(repr(name) for name in names[:12])
    raise ConfigError(what, where=str(place), remedy=f"name one with {option}; there are {known}")


def _newest(logs: Sequence[Log]) -> list[Log]:
    """Return the latest log of each task; that others were there is a warning of it."""
    by_task: dict[str, list[Log]] = {}
    for log in logs:
        by_task.setdefault(log.task, []).append(log)
    chosen = []
    for of_task in by_task.values():
        last = max(of_task, key=lambda log: (log.made, log.file))
        others = sorted(log.file for log in of_task if log is not last)
        notes = (
            (f"is the latest of {len(of_task)} logs of the task; left out: {', '.join(others[:5])}",) if others else ()
        )
        chosen.append(replace(last, warnings=(*notes, *last.warnings)))
    return chosen

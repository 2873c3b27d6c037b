"""ClearML's offline sessions: a folder each, or the archive of one, with `task.json` and `metrics.jsonl`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.archives import member_names, read_member
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.document import MAX_BYTES, parsed, parsed_member
from exaid_evals.runs.files.values import mapping_of
from exaid_evals.runs.history import History
from exaid_evals.runs.history_files import run_of
from exaid_evals.runs.rows import Row, history_of

_TASK, _METRICS = "task.json", "metrics.jsonl"
_PREFIX = "offline-"
_SCALAR = "training_stats_scalar"
_SUMMARY = "Summary"
"""The metric under which single values are reported, at the least iteration that there is."""


class ClearmlFormat(Format):
    """Reads a run a session; a scalar is `title/series`, a single value bears its own name."""

    name = "clearml"
    has_history = True
    grows = False

    def claims(self, place: Path) -> bool:
        """Return whether a session lies here, or in the folder of sessions."""
        return bool(_sessions(place))

    def sources(self, place: Path) -> Sequence[Source]:
        """Return a run a session, by name; of one that is there both ways the folder."""
        return [Source(path) for path in _sessions(place)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return both files, or the archive."""
        return [source.path] if source.path.is_file() else [source.path / _TASK, source.path / _METRICS]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: the last value of each scalar."""
        run = run_of(self.history(source, source.path.name), self, name, source)
        task = _task(source.path)
        known = {"clearml_project": task.get("project_name"), "clearml_task": task.get("name")}
        return replace(run, attributes={**run.attributes, **{key: str(one) for key, one in known.items() if one}})

    def history(self, source: Source, name: str) -> History:
        """Read what a task reported."""
        warnings: list[str] = []
        rows = list(_rows(_lines(source.path, warnings)))
        if not rows:
            raise DataError(
                "holds no scalar", where=f"{source.path}: {_METRICS}", remedy="wait for its end, or leave it out"
            )
        return history_of(
            name, self.name, rows, config=_config(_task(source.path)), warnings=warnings, step_name="step"
        )


def _rows(events: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for event in events:
        if event.get("type") != _SCALAR:
            continue
        metric, variant = str(event.get("metric")), str(event.get("variant"))
        single = metric == _SUMMARY
        # A single value stands at an iteration that is not a step.
        yield {
            "step": 0 if single else event.get("iter"),
            variant if single else f"{metric}/{variant}": event.get("value"),
        }


def _lines(place: Path, warnings: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the events: a line is a list of them, or one."""
    wrong = 0
    for line in _content(place, _METRICS).split(b"\n"):
        if not line.strip():
            continue
        try:
            held = parsed(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            wrong += 1
            continue
        yield from map(mapping_of, held if isinstance(held, list) else [held])
    if wrong:
        warnings.append(f"{_METRICS}: {wrong} lines are not JSON; they are left out")


def _config(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyper-parameters; those of other sections than the usual one bear its name."""
    found: dict[str, Any] = {}
    for section, values in mapping_of(task.get("hyperparams")).items():
        for key, held in mapping_of(values).items():
            value = held.get("value") if isinstance(held, Mapping) else held
            found[str(key) if section == "General" else f"{section}/{key}"] = _typed(value)
    return found


def _typed(value: Any) -> Any:
    """Return a parameter, which ClearML keeps as text, as the number that it was."""
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _task(place: Path) -> dict[str, Any]:
    return mapping_of(parsed_member(_content(place, _TASK), f"{place}: {_TASK}"))


def _content(place: Path, name: str) -> bytes:
    return read_member(place, name) if place.is_file() else content_of(place / name, MAX_BYTES)


def _sessions(place: Path) -> list[Path]:
    if _is_session(place):
        return [place]
    try:
        with os.scandir(place) as entries:
            found = {one.name: Path(one.path) for one in entries if one.name.startswith(_PREFIX)}
    except OSError:
        return []
    both = {name for name in found if name.removesuffix(".zip") in found and name.endswith(".zip")}
    return [path for name, path in sorted(found.items()) if name not in both and _is_session(path)]


def _is_session(place: Path) -> bool:
    if place.is_dir():
        return (place / _TASK).is_file() and (place / _METRICS).is_file()
    if not (place.name.startswith(_PREFIX) and place.suffix == ".zip" and place.is_file()):
        return False
    try:
        return {_TASK, _METRICS} <= set(member_names(place))
    except DataError:
        return False

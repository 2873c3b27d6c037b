"""What trackers keep of a run that was logged without their server: ClearML's sessions, Comet's archives, Neptune's.

Each is a folder, or an archive of one, with a description in JSON and what was logged as objects, one a line.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from exaid_evals.errors import DataError
from exaid_evals.files import natural_order
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.archives import member_names, read_member, read_members
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.document import MAX_BYTES, parsed, parsed_member
from exaid_evals.runs.files.values import mapping_of, mappings_of
from exaid_evals.runs.history import History
from exaid_evals.runs.history_files import run_of
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import Row, history_of


class _Logged(NamedTuple):
    rows: list[Row]
    config: dict[str, Any]
    attributes: dict[str, Any]


class OfflineRuns(Format):
    """Base of a format whose run is such a folder or archive.

    Attributes:
        about, events: the files with the description, and with what was logged; only these are read.
        called: what their folders and archives are called; an archive that is named itself may be called anything.
        folders: where they lie below the place that a user names, the first that holds some.
    """

    has_history = True
    grows = False
    about: ClassVar[str]
    events: ClassVar[str]
    called: ClassVar[re.Pattern[str]]
    folders: ClassVar[tuple[str, ...]] = (".",)

    def claims(self, place: Path) -> bool:
        """Return whether a run lies here, or in the folder of runs."""
        return bool(self._runs(place))

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs by name; of one that is there both ways the folder."""
        return [Source(path) for path in self._runs(place)]

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs by the names of their folders and archives."""
        return {path.name: Source(path) for path in self._runs(place)}

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return both files, or the archive."""
        return [source.path] if source.path.is_file() else [source.path / self.about, source.path / self.events]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: the last value of each metric."""
        run = run_of(self.history(source, source.path.name), self, name, source)
        known = {key: str(one) for key, one in self._logged(source.path, []).attributes.items() if one}
        return replace(run, attributes={**run.attributes, **known})

    def history(self, source: Source, name: str) -> History:
        """Read what was logged."""
        warnings: list[str] = []
        logged = self._logged(source.path, warnings)
        if not logged.rows:
            where = f"{source.path}: {self.events}"
            raise DataError("holds no scalar", where=where, remedy="wait for its end, or leave it out")
        return history_of(name, self.name, logged.rows, config=logged.config, warnings=warnings, step_name="step")

    @abstractmethod
    def logged(self, about: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> _Logged:
        """Return rows of metrics, settings and what else is known, of the description and the objects."""

    def _logged(self, place: Path, warnings: list[str]) -> _Logged:
        about = parsed_member(self._content(place, self.about), f"{place}: {self.about}")
        return self.logged(mapping_of(about), self._lines(place, warnings))

    def _lines(self, place: Path, warnings: list[str]) -> Iterator[dict[str, Any]]:
        """Yield the objects: a line is one, or a list of them."""
        wrong = 0
        for line in self._content(place, self.events).split(b"\n"):
            if not line.strip():
                continue
            try:
                held = parsed(line.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                wrong += 1
                continue
            yield from map(mapping_of, held if isinstance(held, list) else [held])
        if wrong:
            warnings.append(f"{self.events}: {wrong} lines are not JSON; they are left out")

    def _content(self, place: Path, name: str) -> bytes:
        return read_member(place, name) if place.is_file() else content_of(place / name, MAX_BYTES)

    def _runs(self, place: Path) -> list[Path]:
        if self._is_run(place):
            return [place]
        for below in self.folders:
            try:
                with os.scandir(place / below) as entries:
                    named = {one.name: Path(one.path) for one in entries if self.called.fullmatch(one.name)}
            except OSError:
                continue
            both = {name for name in named if name.removesuffix(".zip") in named and name.endswith(".zip")}
            found = [path for name, path in sorted(named.items()) if name not in both and self._is_run(path)]
            if found:
                return found
        return []

    def _is_run(self, place: Path) -> bool:
        if place.is_dir():
            return (place / self.about).is_file() and (place / self.events).is_file()
        if place.suffix != ".zip" or not place.is_file():
            return False
        try:
            return {self.about, self.events} <= set(member_names(place))
        except DataError:
            return False


def _typed(value: Any) -> Any:
    """Return a parameter, which trackers keep as text, as the number that it was."""
    if not isinstance(value, str) or "_" in value:
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


_SCALAR = "training_stats_scalar"
_SUMMARY = "Summary"
"""The metric under which ClearML reports single values, at the least iteration that there is."""


class ClearmlFormat(OfflineRuns):
    """Reads a session each; a scalar is `title/series`, a single value bears its own name."""

    name = "clearml"
    about, events = "task.json", "metrics.jsonl"
    called = re.compile(r"offline-.*")

    def logged(self, about: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> _Logged:
        """Return them; parameters of other sections than the usual one bear its name."""
        rows: list[Row] = []
        for event in events:
            if event.get("type") == _SCALAR:
                metric, variant = str(event.get("metric")), str(event.get("variant"))
                single = metric == _SUMMARY
                # A single value stands at an iteration that is not a step.
                step = 0 if single else event.get("iter")
                rows.append({"step": step, variant if single else f"{metric}/{variant}": event.get("value")})
        config: dict[str, Any] = {}
        for section, values in mapping_of(about.get("hyperparams")).items():
            for key, held in mapping_of(values).items():
                value = held.get("value") if isinstance(held, Mapping) else held
                config[str(key) if section == "General" else f"{section}/{key}"] = _typed(value)
        return _Logged(rows, config, {"clearml_project": about.get("project_name"), "clearml_task": about.get("name")})


class CometFormat(OfflineRuns):
    """Reads an archive that `OfflineExperiment` writes; a metric of a context is `context/name`."""

    name = "comet"
    about, events = "experiment.json", "messages.json"
    called = re.compile(r"[0-9A-Za-z]{32,50}(?:-\w{1,40})?(?:\.zip)?")

    def logged(self, about: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> _Logged:
        """Return them, without the parameters that count steps and epochs."""
        rows: list[Row] = []
        config: dict[str, Any] = {}
        known = {"comet_project": about.get("project_name"), "comet_workspace": about.get("workspace")}
        counted: Counter[str] = Counter()
        for event in events:
            held = mapping_of(event.get("payload"))
            if event.get("type") == "metric_msg":
                metric = mapping_of(held.get("metric"))
                context = f"{held['context']}/" if held.get("context") else ""
                name = f"{context}{metric.get('metricName')}"
                step = metric.get("step")
                rows.append({"step": counted[name] if step is None else step, name: metric.get("metricValue")})
                counted[name] += 1
            elif event.get("type") == "parameter_msg":
                parameter = mapping_of(held.get("param"))
                if parameter.get("source") != "auto-logged":
                    key = str(parameter.get("paramName")).replace("|", ".")
                    config[key] = _typed(parameter.get("paramValue"))
            elif event.get("type") == "log_other" and held.get("key") == "Name":
                known["comet_name"] = held.get("value")
        return _Logged(rows, config, known)


_PARTS = "data-*.log"
_NO_RESULT = ("sys", "source_code", "monitoring")
_OF_SETTINGS = re.compile(r"(?:hyper_?)?param(?:eter)?s?|config|args", re.IGNORECASE)


class NeptuneFormat(OfflineRuns):
    """Reads a run that Neptune's client kept, in `.neptune/offline` or `.neptune/async`; fields are `a/b`.

    A number that is assigned is a metric where its name is one's, else a setting.
    """

    name = "neptune"
    about, events = "metadata.json", "data-1.log"
    called = re.compile(r"run__.*")
    folders = (".", "offline", "async", ".neptune/offline", ".neptune/async")

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the description, and the files in which the log goes on; or the archive."""
        return super().inputs(source) if source.path.is_file() else [source.path / self.about, *_parts(source.path)]

    def _content(self, place: Path, name: str) -> bytes:
        if name != self.events:
            return super()._content(place, name)
        if not place.is_file():
            return b"\n".join(content_of(path, MAX_BYTES) for path in _parts(place))
        parts = dict(read_members(place, lambda one: fnmatchcase(one, _PARTS)))
        return b"\n".join(parts[one] for one in sorted(parts, key=natural_order))

    def logged(self, about: Mapping[str, Any], events: Iterable[Mapping[str, Any]]) -> _Logged:
        """Return them; what was deleted or cleared later is left out."""
        series: dict[str, list[tuple[Any, Any]]] = {}
        assigned: dict[str, Any] = {}
        for event in events:
            operation = mapping_of(event.get("obj"))
            kind, path = str(operation.get("type")), operation.get("path")
            field = "/".join(map(str, path)) if isinstance(path, list) else ""
            if kind == "LogFloats":
                points = series.setdefault(field, [])
                points += [(one.get("step"), one.get("value")) for one in mappings_of(operation.get("values"))]
            elif kind.startswith("Assign"):
                assigned[field] = operation.get("value")
            elif kind in ("DeleteAttribute", "ClearFloatLog"):
                series.pop(field, None)
                assigned.pop(field, None)
        kept = {field: value for field, value in assigned.items() if field.split("/")[0] not in _NO_RESULT}
        single = {
            field: value
            for field, value in kept.items()
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and role_of_column(field) == "metric"
            and not _OF_SETTINGS.fullmatch(field.split("/")[0])
        }
        rows: list[Row] = [
            {"step": at if step is None else step, field: value}
            for field, points in series.items()
            if field.split("/")[0] not in _NO_RESULT
            for at, (step, value) in enumerate(points)
        ]
        rows += [{"step": 0, field: value} for field, value in single.items()]
        config = {_bare(field): value for field, value in kept.items() if field not in single}
        return _Logged(rows, config, {"neptune_name": assigned.get("sys/name"), "neptune_id": about.get("containerId")})


def _parts(folder: Path) -> list[Path]:
    """Return the files of a log, which goes on in another where one is full."""
    return sorted(folder.glob(_PARTS), key=lambda path: natural_order(path.name))


def _bare(field: str) -> str:
    """Return a setting's name without the namespace that only says that it is one."""
    first, _, rest = field.partition("/")
    return rest if rest and _OF_SETTINGS.fullmatch(first) else field

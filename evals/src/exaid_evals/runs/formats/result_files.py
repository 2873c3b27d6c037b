"""Results that programs write as one JSON object: spaCy's and SetFit's evaluations, MTEB's tasks, most scripts' ends.

No step stands in them, and who wrote them is not said: what reads them is asked last, and wants a metric's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.config.mapping_file import leaves
from exaid_evals.errors import DataError
from exaid_evals.files import files_in, folders_in
from exaid_evals.runs.base import Source
from exaid_evals.runs.files.document import read_document, read_object
from exaid_evals.runs.files.summary import SEEDS, is_incidental
from exaid_evals.runs.files.values import numbers_of, plain
from exaid_evals.runs.history_files import BESIDE, RESULTS, config_beside, is_beside, parted
from exaid_evals.runs.metric_names import role_of_column, split_of
from exaid_evals.runs.run_names import position_of
from exaid_evals.runs.tool_files import Entry, ManyRuns, head

_NAMED = re.compile(
    r"(?:[\w.-]{0,200}[_.-])?(?:results?|metrics|scores?|statistics|evaluation|eval|summary|performance)"
    r"(?:[_.-](?!epoch|step)[\w.-]{0,200})?\.json",
    re.IGNORECASE,
)
_TASK = re.compile(rb'"(?:mteb_version|main_score)"\s*:')
"""Of MTEB, whose files are called as their tasks are."""
_SETTINGS = frozenset(("config", "args", "params", "parameters", "hyperparameters", "hparams", "settings"))
_TASKS = ("task_name", "task", "dataset", "benchmark")
_MOST_BYTES, _MOST_VALUES = 4 << 20, 2000
_LOGS = (".json", ".jsonl", ".csv", ".log")


class ResultFilesFormat(ManyRuns):
    """Reads such a file as a run, and those of a folder as one run, or a run each where they hold the same metrics."""

    name = "results"
    has_history = False
    generic = True
    many = False

    def file_of(self, place: Path) -> Path | None:
        """Return the file that is named, or the first such of a folder below which no further logs lie."""
        if place.is_file():
            return place if place.suffix.lower() == ".json" and _values(place) else None
        return next(iter(self.files_of(place)), None)

    def files_of(self, place: Path) -> list[Path]:
        """Return the files that hold results under a name that says so, the usual first."""
        if place.is_file():
            return [place] if self.file_of(place) else []
        below = (files_in(folder, lambda name: name.lower().endswith(_LOGS)) for folder in folders_in(place))
        found = files_in(place, lambda name: name.lower().endswith(".json"))
        found = [path for path in found if (_NAMED.fullmatch(path.name) or _TASK.search(head(path))) and _values(path)]
        found.sort(key=lambda path: (RESULTS.index(path.name) if path.name in RESULTS else len(RESULTS), path.name))
        return found if found and not any(below) else []

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the file, the folder, or each of its files."""
        files = self.files_of(place)
        if not files:
            raise DataError("the file is gone", where=str(place), remedy="restore it, or name another")
        if place.is_file() or len(files) == 1:
            return [Source(place)]
        held = {frozenset(parted(_values(path))[0]) for path in files}
        tasks = {str(_task(path)) for path in files}
        return [Source(path) for path in files] if len(held) == len(tasks) == 1 else [Source(place)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files, and the settings that may lie beside them."""
        return [*self.files_of(source.path), *(source.folder / name for name in BESIDE)]

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read a file, or those of a folder; what differs in several of them has its file's name before it."""
        files = self.files_of(path)
        if not files:
            raise DataError("the file is gone", where=str(path), remedy="restore it, or name another")
        entry = Entry()
        if {path.name for path in files}.isdisjoint(BESIDE) or files[0].name in RESULTS:
            entry.config |= config_beside(files[0], entry.warnings)
        found = {one: _values(one) for one in files}
        given: dict[str, set[float | None]] = {}
        for values in found.values():
            for name, value in values.items():
                given.setdefault(name, set()).add(value)
        for one, values in found.items():
            entry.config |= _config(read_object(one))
            of_task = len(found) > 1 and bool(_task(one))
            for name, value in values.items():
                entry.metrics[f"{one.stem}.{name}" if of_task or len(given[name]) > 1 else name] = value
        entry.metrics, entry.attributes = parted(entry.metrics)
        position = position_of(files[0].parent)
        entry.fold, entry.trial, entry.group = position.fold, position.trial, position.group
        return {"": entry}


def _object(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing where it is no object, too large, or damaged."""
    try:
        held = read_document(path) if path.stat().st_size <= _MOST_BYTES else None
    except (DataError, OSError):
        return {}
    return held if isinstance(held, dict) else {}


def _values(path: Path) -> dict[str, float | None]:
    """Return the numbers of a file that holds results; nothing where none is a metric's, or it holds a whole table."""
    held = {key: value for key, value in _object(path).items() if key not in _SETTINGS}
    numbers = numbers_of(leaves(_opened(held)))[0]
    numbers = {name: one for name, one in numbers.items() if one is not None or role_of_column(name) == "metric"}
    measured = any(role_of_column(name) == "metric" and not is_beside(name) for name in numbers)
    return numbers if measured and len(numbers) <= _MOST_VALUES else {}


def _opened(value: Any, key: str = "", deep: int = 0) -> Any:
    """Return a structure with a lone mapping for a list of it alone, of the results on a part of the data."""
    if isinstance(value, dict) and deep < 20:
        return {key: _opened(one, key, deep + 1) for key, one in value.items()}
    lone = isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and split_of(key) is not None
    return value[0] if lone else value


def _task(path: Path) -> str | None:
    """Return the task that a file says its results are of."""
    held = _object(path)
    return next((str(held[name]) for name in _TASKS if isinstance(held.get(name), str)), None)


def _config(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings among results: those that are called so, the seed, and what is said in words."""
    inner = [one for key, one in held.items() if key in _SETTINGS and isinstance(one, dict)]
    config = {key: plain(one) for part in inner for key, one in leaves(part).items()}
    said = {
        key: one
        for key, one in held.items()
        if key in SEEDS or (isinstance(one, str) and len(one) < 200 and not is_incidental(key) and not is_beside(key))
    }
    return {**config, **{key: plain(one) for key, one in said.items() if key not in _TASKS}}

"""A file a metric: what TensorBoard's page downloads, what DeepSpeed's CSV monitor and Polyaxon write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from exaid_evals.errors import DataError
from exaid_evals.files import files_in
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.history import History
from exaid_evals.runs.history_files import BESIDE, config_beside, run_of
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import Row, history_of, simple
from exaid_evals.runs.tool_files import head

_DOWNLOADED = re.compile(rb'\A(?:\xef\xbb\xbf)?"?Wall time"?,"?Step"?,"?Value"?\r?\n')
_MONITORED = re.compile(rb"\A(?:\xef\xbb\xbf)?step,([^,\r\n]{1,200})\r?\n")
_POLYAXON = re.compile(rb"\Astep\|timestamp\|metric\r?\n")
_SUFFIXES, _EVENTS = (".csv", ".plx"), "events/metric"
_TAGGED = re.compile(r"(?:run-)?(?P<run>.*?)-?tag-(?P<tag>.+)")


_NO_VALUES = ("step", "wall_time", "timestamp")


class MetricFilesFormat(Format):
    """Reads all such files of a folder as one run, or as one for each name before `-tag-` where they have that."""

    name = "metric_files"
    has_history = True
    grows = False

    def claims(self, place: Path) -> bool:
        """Return whether such a file is named, or at least two lie in a folder; one may be anybody's."""
        found = _files_in(place)
        return len(found) >= (1 if place.is_file() or (found and found[0].suffix == ".plx") else 2)

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs, by their names."""
        runs = _by_run(place)
        return [Source(place, run) for run in runs] if len(runs) > 1 else [Source(place)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files, and what may lie beside them."""
        return [*_files_of(source), *(source.folder / name for name in BESIDE)]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: the last value of each metric."""
        return run_of(self.history(source, name), self, name, source)

    def history(self, source: Source, name: str) -> History:
        """Read every file."""
        warnings: list[str] = []
        rows: list[Row] = []
        for path in _files_of(source):
            metric = _named(path)[1]
            for row in csv_rows(path, warnings):
                values = {key: one for key, one in row.items() if simple(key) not in _NO_VALUES}
                step = next((one for key, one in row.items() if simple(key) == "step"), None)
                rows += [{"step": step, metric: one} for one in values.values()]
        if not rows:
            raise DataError("holds no step", where=str(source.path), remedy="wait for its end, or leave it out")
        config: Mapping[str, object] = config_beside(source.folder / "x", warnings)
        return history_of(name, self.name, rows, config=config, warnings=warnings, step_name="step")


def _by_run(place: Path) -> dict[str, list[Path]]:
    """Return the files of each run; those whose names say none are of one that is called as the folder is."""
    found: dict[str, list[Path]] = {}
    for path in _files_in(place):
        found.setdefault(_named(path)[0] or path.resolve().parent.name, []).append(path)
    return found


def _files_of(source: Source) -> list[Path]:
    return _by_run(source.path).get(source.part, []) if source.part else _files_in(source.path)


def _named(path: Path) -> tuple[str, str]:
    """Return the run and the metric of a file, by its name."""
    found = _TAGGED.fullmatch(path.stem)
    return (found["run"], found["tag"]) if found else ("", path.stem)


def _files_in(place: Path) -> list[Path]:
    folder = place / _EVENTS if (place / _EVENTS).is_dir() else place  # where Polyaxon keeps them of a run
    files = [place] if place.is_file() else files_in(folder, lambda name: name.lower().endswith(_SUFFIXES))
    return sorted(path for path in files if path.suffix.lower() in _SUFFIXES and _is_one(path))


def _is_one(path: Path) -> bool:
    """Return whether it has one metric: of those that were downloaded the name says it, of others the header too."""
    opening = head(path)
    if _DOWNLOADED.match(opening) or _POLYAXON.match(opening):
        return True
    found = _MONITORED.match(opening)
    column = found[1].decode("utf-8", "replace").strip() if found else ""
    return bool(column) and path.stem.endswith(column) and role_of_column(path.stem) != "unknown"

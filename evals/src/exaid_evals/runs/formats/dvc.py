"""DVC: the metrics that `dvc.yaml` declares, or what `dvc exp show --json` and `dvc metrics show --json` print.

And DVCLive, whose `dvclive/` has `metrics.json`, `params.yaml` and a table a metric.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.config.mapping_file import leaves
from exaid_evals.errors import DataError
from exaid_evals.files import lies_in
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.content import content_of
from exaid_evals.runs.files.document import read_document, read_object, read_yaml
from exaid_evals.runs.files.values import mapping_of, numbers_of, plain
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.history_files import BESIDE
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import Entry, ManyRuns, ToolFile, head

_PIPELINE, _PARAMETERS = "dvc.yaml", "params.yaml"
_SHOWN = re.compile(rb'\A(?:\xef\xbb\xbf)?\s*(?:\[\s*\{\s*"rev"\s*:|\{\s*"[^"]*"\s*:\s*\{\s*"data"\s*:)')
_MAX_BYTES = 4 * 1024 * 1024


class DvcFormat(ManyRuns):
    """Reads the workspace of a project, or a run for each revision and experiment that DVC has shown as JSON."""

    name = "dvc"
    has_history = False

    def file_of(self, place: Path) -> Path | None:
        """Return the pipeline that declares metrics which are there, or the JSON."""
        if place.is_file() and place.suffix == ".json":
            return place if _SHOWN.match(head(place)) else None
        pipeline = place if place.name == _PIPELINE else place / _PIPELINE
        if not pipeline.is_file():
            return None
        try:
            return pipeline if any(path.is_file() for path in _metrics_files(pipeline)) else None
        except DataError:
            return None

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the project as one run; of a JSON one for each revision and experiment."""
        path = self.file_of(place)
        if path is not None and path.name == _PIPELINE:
            return [Source(path.parent)]
        return super().sources(place)

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the pipeline, its metrics and the parameters, or the JSON."""
        if source.path.is_file():
            return [source.path]
        pipeline = source.path / _PIPELINE
        return [pipeline, *_metrics_files(pipeline), source.path / _PARAMETERS]

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read the project's folder, or a JSON."""
        if path.is_dir():
            files = [one for one in _metrics_files(path / _PIPELINE) if one.is_file()]
            parameters = path / _PARAMETERS
            metrics = {one.relative_to(path).as_posix(): _document(one) for one in files}
            return {"": _entry(metrics, {_PARAMETERS: read_yaml(parameters)} if parameters.is_file() else {})}
        shown = read_document(path)
        found = dict(_experiments(shown) if isinstance(shown, list) else _revisions(mapping_of(shown)))
        if not found:
            raise DataError("holds no revision with metrics", where=str(path), remedy="write or copy it again")
        return found


def _metrics_files(pipeline: Path) -> list[Path]:
    """Return the files that a pipeline declares as metrics, at its top and in its stages."""
    data = read_yaml(pipeline)
    stages = mapping_of(data.get("stages")).values()
    declared = [data.get("metrics"), *(mapping_of(stage).get("metrics") for stage in stages)]
    names = [name for some in declared if isinstance(some, list) for one in some for name in _names(one)]
    files = (pipeline.parent / name for name in dict.fromkeys(names))
    return [path for path in files if lies_in(path, pipeline.parent)]


def _names(one: Any) -> list[str]:
    """Return the names in an entry, which is a name, or a name with its options."""
    return [one] if isinstance(one, str) else [str(name) for name in mapping_of(one)]


def _document(path: Path) -> Any:
    if path.suffix in (".yaml", ".yml"):
        return read_yaml(path)
    if path.suffix == ".toml":
        import tomllib  # late: its patterns take longer to compile than all formats to import

        try:
            return tomllib.loads(content_of(path, _MAX_BYTES).decode("utf-8"))
        except ValueError as error:
            raise DataError(f"not valid TOML ({error})", where=str(path), remedy="write or copy it again") from None
    return read_document(path)


def _experiments(shown: Sequence[Any]) -> Iterator[tuple[str, Entry]]:
    """Yield the revisions that hold metrics, each with the experiments that grew from it."""
    for state in map(mapping_of, shown):
        name = str(state.get("name") or state.get("rev") or "")[:40]
        yield from _state(name, state, None)
        for experiment in state.get("experiments") or ():
            states = [mapping_of(one) for one in mapping_of(experiment).get("revs") or ()]
            for one in states[:1]:  # the last of its checkpoints stands first
                called = str(mapping_of(experiment).get("name") or one.get("name") or one.get("rev"))
                yield from _state(called[:40], one, name)


def _state(name: str, state: Mapping[str, Any], parent: str | None) -> Iterator[tuple[str, Entry]]:
    data = mapping_of(state.get("data"))
    metrics = _held(data.get("metrics"))
    if metrics:
        entry = _entry(metrics, _held(data.get("params")))
        if parent is not None:
            entry.trial, entry.group = name, parent
        if data.get("rev") and data["rev"] != "workspace":
            entry.attributes["git_hash_of_experiment"] = str(data["rev"])
        yield name, entry


def _revisions(shown: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    for revision, content in shown.items():
        metrics = _held(mapping_of(content).get("data"))
        if metrics:
            yield str(revision) or "workspace", _entry(metrics, {})


def _held(files: Any) -> dict[str, Any]:
    """Return file → its content, of those that DVC could read."""
    return {str(name): one["data"] for name, one in mapping_of(files).items() if mapping_of(one).get("data")}


def _entry(metrics: Mapping[str, Any], parameters: Mapping[str, Any]) -> Entry:
    """Return a run; of several files the names of metrics begin with the file's."""
    values: dict[str, Any] = {}
    for file, content in metrics.items():
        before = f"{Path(file).stem}." if len(metrics) > 1 else ""
        content = content if isinstance(content, Mapping) else {Path(file).stem: content}
        values.update({f"{before}{key}": value for key, value in leaves(content).items()})
    config = {
        key: plain(value) for content in parameters.values() for key, value in leaves(mapping_of(content)).items()
    }
    return Entry(metrics=values, config=config)


_OWN = "dvclive"
_TABLES = ("plots/metrics", "plots/scalars", "scalars", ".")
"""Where its versions keep a table a metric; the oldest beside the metrics."""


class DvcliveFormat(ToolFile):
    """Reads a run a folder; nested metrics have their folders' names before them."""

    name = "dvclive"
    files = ("metrics.json", "dvclive/metrics.json", "dvclive.json", "logs.json")
    sign = re.compile(rb"\A\s*\{")
    configs = ("params.yaml",)
    step = "step"

    def file_of(self, place: Path) -> Path | None:
        """Return the metrics of a folder that has tables beside them, or is called so: any tool writes such files."""
        found = super().file_of(place)
        return found if found is not None and (found.resolve().parent.name == _OWN or _tables(found)) else None

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row for each logged value, in order of metrics and steps; without tables one of the last values."""
        tables = _tables(path)
        if not tables:
            last = read_object(path, keep_nan=True, warnings=warnings)
            yield {key.replace(".", "/"): value for key, value in leaves(last).items()}
        for name, table in tables.items():
            for row in csv_rows(table, warnings):
                value = row.get(table.stem, next((row[key] for key in row if key not in ("step", "timestamp")), None))
                yield {"step": row.get("step"), name: value}

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the parameters, DVCLive's own, else those of the project around it."""
        found = super().config(path, warnings)
        return found or super().config(path.parent / "x" if path.parent.name != _OWN else path.parent, warnings)

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the metrics, the parameters and the tables."""
        path = self.file_of(source.path)
        if path is None:
            return None
        around = (path.parent.parent / name for name in (*self.configs, *BESIDE))
        return [*(super().inputs(source) or ()), *around, *_tables(path).values()]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: what its metrics file says in the end, whatever the tables' last rows are."""
        run = super().read(source, name)
        path = self.file_of(source.path)
        said = read_object(path) if path is not None else {}
        numbers, _ = numbers_of({key.replace(".", "/"): value for key, value in leaves(said).items()})
        final = {
            key: value
            for key, value in numbers.items()
            if key not in ("step", *run.attributes.get("beside_metrics", ()))
        }
        if self.settings.metric_value != "last":
            final = {key: value for key, value in final.items() if key not in run.metrics}
        return replace(run, metrics=dict(sorted({**run.metrics, **final}.items())))


def _tables(metrics: Path) -> dict[str, Path]:
    """Return metric → its table; of the oldest layout the tables of a folder that is called as the metrics are."""
    for name in _TABLES:
        top = metrics.parent / name if name != "." else metrics.with_suffix("")
        tables = sorted(top.rglob("*.tsv")) if top.is_dir() else []
        if tables:
            return {table.relative_to(top).with_suffix("").as_posix(): table for table in tables}
    return {}

"""Tools that leave a folder a run, in which each metric has values of its own.

DVCLive's `dvclive/` has `metrics.json`, `params.yaml` and a table a metric; Sacred's FileStorageObserver writes
`run.json`, `config.json` and `metrics.json`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.config.base import leaves
from exaid_evals.errors import DataError
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.summary import numbers_of
from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile

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
        return [path, path.parent / "params.yaml", path.parent.parent / "params.yaml", *_tables(path).values()]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: what its metrics file says in the end, whatever the tables' last rows are."""
        run = super().read(source, name)
        path = self.file_of(source.path)
        said = read_object(path) if path is not None else {}
        numbers, _ = numbers_of({key.replace(".", "/"): value for key, value in leaves(said).items()})
        final = {key: value for key, value in numbers.items() if key not in ("step", *_beside(run))}
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


def _beside(run: Run) -> set[str]:
    return set(run.attributes.get("beside_metrics", ()))


class SacredFormat(ToolFile):
    """Reads a run a numbered folder; one that logged no metric has what it returned."""

    name = "sacred"
    files = ("run.json",)
    sign = re.compile(rb'"(?:experiment|heartbeat|artifacts|captured_out)"')
    configs = ("config.json", "metrics.json")
    step = "step"

    def claims(self, place: Path) -> bool:
        """Return whether a run, or a folder of them, lies here; any tool may write a `run.json`."""
        first = next(self._runs(place), None)
        return first is not None and (first / "config.json").is_file()

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row for each logged value, in order of metrics and steps."""
        metrics = path.parent / "metrics.json"
        found = read_object(metrics, keep_nan=True, warnings=warnings) if metrics.is_file() else {}
        for name, one in found.items():
            if isinstance(one, dict) and isinstance(one.get("values"), list):
                steps = one.get("steps") or range(len(one["values"]))
                for step, value in zip(steps, one["values"], strict=False):
                    yield {"step": step, name: value.get("value") if isinstance(value, dict) else value}
        result = read_object(path, keep_nan=True).get("result")
        values = result if isinstance(result, dict) else {"result": result}
        numbers = {key: value for key, value in values.items() if isinstance(value, int | float)}
        if numbers and not found:
            yield {"step": 0, **numbers}

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the configuration."""
        try:
            return read_object(path.parent / "config.json")
        except DataError as error:
            warnings.append(f"config.json: {error.what}, so that the run's settings are not known")
            return {}

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the run's three files."""
        return [source.path / name for name in ("run.json", "config.json", "metrics.json")]

    def read(self, source: Source, name: str) -> Run:
        """Read a run, and whether it ended."""
        run = super().read(source, name)
        said = read_object(source.path / "run.json")
        experiment = said.get("experiment")
        of = experiment.get("name") if isinstance(experiment, dict) else None
        repositories = experiment.get("repositories") if isinstance(experiment, dict) else None
        first = repositories[0] if isinstance(repositories, list) and repositories else {}
        status = str(said.get("status") or "unknown")
        odd = [] if status == "COMPLETED" else [f"{name}: the run's status is {status}: its numbers may not be final"]
        return replace(
            run,
            git_hash=str(first["commit"]) if isinstance(first, dict) and first.get("commit") else None,
            git_dirty=first.get("dirty") if isinstance(first, dict) and isinstance(first.get("dirty"), bool) else None,
            attributes={**run.attributes, "sacred_status": status, **({"experiment": str(of)} if of else {})},
            warnings=(*run.warnings, *odd),
        )

"""DVCLive: `dvclive/` with `metrics.json`, `params.yaml` and a table a metric below `plots/metrics/`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.summary import flat_settings
from exaid_evals.runs.files.tracked import numbers_of
from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile

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
        """Return the metrics of a folder that has tables beside them: any tool may write a `metrics.json`."""
        found = super().file_of(place)
        return found if found is not None and _tables(found) else None

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row for each logged value, in order of metrics and steps."""
        for name, table in _tables(path).items():
            for row in csv_rows(table, warnings):
                value = row.get(table.stem, next((row[key] for key in row if key not in ("step", "timestamp")), None))
                yield {"step": row.get("step"), name: value}

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the parameters, DVCLive's own, else those of the project around it."""
        found = super().config(path, warnings)
        return found or super().config(path.parent / "x" if path.parent.name != "dvclive" else path.parent, warnings)

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
        numbers, _ = numbers_of({key.replace(".", "/"): value for key, value in flat_settings(said).items()})
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

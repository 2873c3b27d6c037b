"""Ray Tune: a folder a trial, with `result.json` (a result a line), `params.json` and `progress.csv`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.json_lines import objects
from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile

_TRIAL = re.compile(r"_(?P<id>[0-9a-f]{4,}_\d{4,})(?:_|$)")


class RayTuneFormat(ToolFile):
    """Reads a trial; a folder of trials is the experiment that they belong to."""

    name = "ray_tune"
    files = ("result.json", "progress.csv")
    sign = re.compile(rb"\btraining_iteration\b")
    left_out = (
        *("config*", "trial_id", "trial_name", "experiment_*", "hostname", "node_ip", "pid", "date", "timestamp"),
        *("time_*", "timesteps_*", "iterations_since_restore", "done", "checkpoint*", "should_checkpoint", "hist_*"),
    )
    step = "training_iteration"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the results."""
        return csv_rows(path, warnings) if path.suffix == ".csv" else objects(path, warnings)

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the trial's parameters: of their own file, else of its last result."""
        params = path.parent / "params.json"
        if params.is_file():
            try:
                return read_object(params)
            except DataError as error:
                warnings.append(f"{params.name}: {error.what}, so that the last result's are taken")
        last = self._last(path)
        config = last.get("config")
        return config if isinstance(config, dict) else {}

    def read(self, source: Source, name: str) -> Run:
        """Read a trial."""
        run = super().read(source, name)
        path = self.file_of(source.path)
        said = self._last(path).get("trial_id") if path is not None else None
        found = _TRIAL.search(source.path.name)
        trial = str(said) if said else found["id"] if found else run.trial or source.path.name
        folder = source.path if source.path.is_dir() else source.path.parent
        return replace(run, trial=trial, group=folder.parent.name or None)

    def inputs(self, source: Source) -> list[Path]:
        """Return the results and the parameters."""
        folder = source.path if source.path.is_dir() else source.path.parent
        return [folder / name for name in ("result.json", "progress.csv", "params.json")]

    @staticmethod
    def _last(path: Path) -> dict[str, Any]:
        last: dict[str, Any] = {}
        for row in csv_rows(path, []) if path.suffix == ".csv" else objects(path, []):
            last = dict(row)
        flat = {key.removeprefix("config/"): value for key, value in last.items() if key.startswith("config/")}
        return {"config": {key: value for key, value in flat.items() if value is not None}, **last} if flat else last

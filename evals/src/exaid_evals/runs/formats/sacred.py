"""Sacred's FileStorageObserver: a numbered folder a run, with `run.json`, `config.json` and `metrics.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


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

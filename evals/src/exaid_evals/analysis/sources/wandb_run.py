"""W&B: offline runs from their folders, with neither network nor wandb. Runs on a server: see wandb_online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from exaid_evals.analysis.history import History
from exaid_evals.analysis.sources.rows import Row, history_of
from exaid_evals.analysis.sources.tabular import batch_rows, pick
from exaid_evals.analysis.sources.wandb_rows import STEP, logged, system_series
from exaid_evals.errors import DataError
from exaid_evals.export.readers.wandb import WandbReader
from exaid_evals.export.readers.wandb_log import each_row, read_log


class WandbSource:
    """Reads `run-<id>.wandb`: history, system metrics, configuration."""

    name = "wandb"

    def claims(self, place: Path) -> bool:
        """Tell whether an offline run, or a folder of them, lies here."""
        return place.is_dir() and bool(_runs(place))

    def run_names(self, place: Path) -> Sequence[str]:
        """Return the runs' display names, or their ids where a name is missing or stands twice."""
        return sorted(_runs(place))

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run.

        Raises:
            DataError: there is no such run, or its log cannot be read.
        """
        name, path = pick(_runs(place), place, run_name)
        log = read_log(path)
        rows: list[Row] = []
        events: list[Row] = []
        for kind, row in each_row(path):
            (rows if kind == "history" else events).append(row)
        if not rows:
            raise DataError("holds no step of history", where=str(path), remedy="did the run log anything?")
        config = {key: value for key, value in log.config.items() if key.split(".")[0] != "_wandb"}
        warnings = list(log.warnings)
        metrics = logged(rows, warnings)
        further = system_series(events, rows, warnings)
        history = history_of(name, self.name, metrics, config=config, warnings=warnings, step_name=STEP)
        told = len(warnings)
        batches = batch_rows(path.parent, warnings)
        return replace(
            history,
            system={**history.system, **further},
            batches=history.batches + batches,
            warnings=(*history.warnings, *warnings[told:]),
        )


def _runs(place: Path) -> dict[str, Path]:
    reader = WandbReader()
    if not reader.claims(place):
        return {}
    found: dict[str, list[tuple[str, Path]]] = {}
    for source in reader.sources(place):
        logs = sorted(source.path.glob("run-*.wandb"))
        if logs:
            run_id = logs[0].stem.removeprefix("run-")
            try:
                name = read_log(logs[0]).run.get("display_name") or run_id
            except DataError:
                name = run_id  # reading the run tells what is wrong
            found.setdefault(name, []).append((run_id, logs[0]))
    return {
        name if len(runs) == 1 else f"{name}-{run_id}": path for name, runs in found.items() for run_id, path in runs
    }

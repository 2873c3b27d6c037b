"""MLflow's local store, files (`mlruns/`) or a database (`mlflow.db`): every logged point; MLflow is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exaid_evals.analysis.history import History, Point, Series
from exaid_evals.analysis.sources.rows import split_system
from exaid_evals.analysis.sources.tabular import batch_rows, pick
from exaid_evals.errors import DataError
from exaid_evals.export.base import Source as Part
from exaid_evals.export.readers import mlflow_database, mlflow_files
from exaid_evals.export.readers.mlflow import MlflowReader


class MlflowSource:
    """Reads a run's metrics with all their steps, and its parameters."""

    name = "mlflow"

    def claims(self, place: Path) -> bool:
        """Tell whether a run, an experiment or a store lies here."""
        return MlflowReader().claims(place)

    def run_names(self, place: Path) -> Sequence[str]:
        """Return the runs by name where a name stands once, else by experiment, name and id."""
        return sorted(_runs(place))

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run.

        Raises:
            DataError: there is no such run, or it has no metric.
        """
        name, part = pick(_runs(place), place, run_name)
        store, run_id = part.path, part.part
        reader = MlflowReader()
        folder = reader.run_of(part)
        warnings: list[str] = []
        if isinstance(folder, Path):
            run = mlflow_files.read_run(folder)
            points = list(mlflow_files.metric_points(folder, warnings))
            batches = batch_rows(folder / "artifacts", warnings)
        else:
            run = mlflow_database.read_run(store, folder)
            points, batches = mlflow_database.metric_points(store, folder), ()
        if not points:
            raise DataError("the run has no metric", where=str(store), remedy=f"did {run_id or name} log anything?")
        by_metric: dict[str, list[Point]] = {}
        for metric, step, value in points:
            by_metric.setdefault(metric, []).append(Point(float(step), value))
        every = {metric: Series(metric, tuple(by_metric[metric])) for metric in sorted(by_metric)}
        series, system = split_system(every)
        config: dict[str, Any] = dict(sorted(run.params.items()))
        told = [*run.warnings, *(warning for warning in warnings if warning not in run.warnings)]
        return History(name, self.name, series, system, batches, config, (), tuple(told))


def _runs(place: Path) -> dict[str, Part]:
    """Return name → run: by the run's own name where only one has it."""
    reader = MlflowReader()
    if not reader.claims(place):
        return {}
    parts = {(part.part or mlflow_files.label_of(part.path)[1]): part for part in reader.sources(place)}
    own = [label.rpartition("/")[2] for label in parts]
    return {
        short if own.count(short) == 1 else label: part for short, (label, part) in zip(own, parts.items(), strict=True)
    }

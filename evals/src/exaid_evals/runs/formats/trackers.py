"""MLflow's store, as files or as a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.redaction import printable
from exaid_evals.errors import DataError
from exaid_evals.files import folders_in
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files import mlflow_store
from exaid_evals.runs.files.summary import seed_in, settings_of
from exaid_evals.runs.files.values import undefined_warning
from exaid_evals.runs.history import History, series_of_points
from exaid_evals.runs.history_files import batch_rows, leading_metric, parted, value_of
from exaid_evals.runs.rows import split_system
from exaid_evals.runs.run_names import distinct

_DATABASES = ("mlflow.db", "mlruns.db")


class MlflowFormat(Format):
    """Reads a run each; runs that were deleted are left out, as MLflow's own page leaves them out."""

    name = "mlflow"
    has_history = True

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        # Store → label → the run's folder, or its id in the database: else each run would search the store again.
        self._stores: dict[Path, dict[str, Path | str]] = {}

    def claims(self, folder: Path) -> bool:
        """Return whether a run, an experiment, a store or a folder with one lies here, or is a store's database."""
        if folder.is_file():
            return mlflow_store.is_store(folder)
        return folder.is_dir() and (_is_file_store(folder) or _database(folder) is not None)

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the runs by experiment and name; runs of one name are distinguished by their ids."""
        if mlflow_store.is_run(folder):
            return [Source(folder)]
        # A folder may hold a store, or be one; where there are files and a database, both are read.
        places = [folder, *([] if folder.is_file() else [folder / "mlruns", _database(folder)])]
        found = [Source(place, label) for place in places if place for label in self._runs_in(place)]
        if not found:
            remedy = "wait for its end, or leave it out"
            raise DataError("a store of MLflow without runs", where=str(folder), remedy=remedy)
        return found

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the run's files, or the database."""
        run = self.run_of(source)
        return mlflow_store.files_of(run) if isinstance(run, Path) else [source.path]

    def read(self, source: Source, name: str) -> Run:
        """Read a run."""
        place = self.run_of(source)
        run = mlflow_store.read_folder(place) if isinstance(place, Path) else mlflow_store.read_row(source.path, place)
        warnings = [*run.warnings, *undefined_warning([key for key, value in run.metrics.items() if value is None])]
        if self.settings.metric_value != "last":
            run.metrics = self._other_values(source, name)
        if run.status and run.status != mlflow_store.FINISHED:
            warnings.append(f"the run's status is {run.status}: its numbers may not be final")
        metrics, beside = parted(run.metrics)
        metrics = dict(sorted(metrics.items()))
        if not metrics:
            warnings.append("it has no metric")
        return self.completed(
            source,
            Run(
                name,
                self.name,
                metrics,
                config=settings_of(run.params),
                seed=seed_in(run.params),
                trial=(run.name or run.run_id[:8]) if run.parent else None,
                group=self._name_of(source, run.parent) if run.parent else None,
                git_hash=run.commit,
                git_dirty=run.dirty,
                attributes={
                    "mlflow_experiment": run.experiment,
                    "mlflow_run_id": run.run_id,
                    "mlflow_run_name": run.name,
                    "mlflow_status": run.status,
                    **beside,
                },
                default_primary=leading_metric(metrics, {}),
                warnings=tuple(warnings),
            ),
        )

    def _other_values(self, source: Source, name: str) -> dict[str, float | None]:
        """Return the best, least or greatest value of each metric, as the user asks for."""
        history = self.history(source, name)
        return {
            metric: value_of(series, self.settings.metric_value, history) for metric, series in history.series.items()
        }

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs by their own names where a name stands once, else by experiment, name and id."""
        if not self.claims(place):
            return {}
        found = {(source.part or mlflow_store.label_of(source.path)[1]): source for source in self.sources(place)}
        own = [label.rpartition("/")[2] for label in found]
        return {
            short if own.count(short) == 1 else label: source
            for short, (label, source) in zip(own, found.items(), strict=True)
        }

    def history(self, source: Source, name: str) -> History:
        """Read every logged point of a run."""
        folder = self.run_of(source)
        warnings: list[str] = []
        if isinstance(folder, Path):
            run = mlflow_store.read_folder(folder)
            logged = series_of_points(mlflow_store.points_of_folder(folder, warnings))
            batches = batch_rows(folder / "artifacts", warnings)
        else:
            run = mlflow_store.read_row(source.path, folder)
            logged, batches = series_of_points(mlflow_store.points_of_row(source.path, folder)), ()
        if not logged:
            what = f"the run {source.part or name} has no metric"
            raise DataError(what, where=str(source.path), remedy="look at what the run logged")
        series, system = split_system(logged)
        config: dict[str, Any] = dict(sorted(run.params.items()))
        all_warnings = [*run.warnings, *(warning for warning in warnings if warning not in run.warnings)]
        return History(name, self.name, series, system, batches, config, (), tuple(all_warnings))

    def run_of(self, source: Source) -> Path | str:
        """Return a run's folder, or its id in the database.

        Raises:
            DataError: the run is gone.
        """
        if not source.part:
            return source.path
        run = self._runs_in(source.path).get(source.part)
        if run is None:
            remedy = "check the path; something may have removed it meanwhile"
            raise DataError(f"the run {source.part!r} is gone", where=str(source.path), remedy=remedy)
        return run

    def _name_of(self, source: Source, run_id: str) -> str:
        """Return what the run of an id is called, as far as the store still has it."""
        for label, run in self._runs_in(source.path).items() if source.part else ():
            if (run.name if isinstance(run, Path) else run) == run_id:
                return label.rpartition("/")[2]
        return run_id[:8]

    def _runs_in(self, place: Path) -> dict[str, Path | str]:
        """Return label → run of a store."""
        if place not in self._stores:
            found: list[tuple[str, str, str, Path | str]] = (
                [(*row, row[2]) for row in mlflow_store.labelled_runs(place)]
                if place.is_file()
                else [(*mlflow_store.label_of(run), run.name, run) for run in mlflow_store.runs_below(place)]
            )
            self._stores[place] = distinct(
                [
                    (printable(f"{experiment}/{name or run_id}".strip("/")), run_id[:8], run)
                    for experiment, name, run_id, run in found
                ]
            )
        return self._stores[place]


def _is_file_store(folder: Path) -> bool:
    """Look for a run as deep as each of the places may have one, and stop at the first."""
    if mlflow_store.is_run(folder):
        return True
    for store in (folder, folder / "mlruns"):
        meta = mlflow_store.META
        levels = [store] if (store / meta).is_file() else [one for one in folders_in(store) if (one / meta).is_file()]
        if any(mlflow_store.is_run(run) for experiment in levels for run in folders_in(experiment)):
            return True
    return False


def _database(folder: Path) -> Path | None:
    return next((folder / name for name in _DATABASES if mlflow_store.is_store(folder / name)), None)

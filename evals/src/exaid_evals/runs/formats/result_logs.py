"""JSON in which a program collects its results: Ray Tune, KerasTuner, FLAML, CatBoost, Hugging Face, Sacred.

Ray Tune has a folder a trial, with `result.json` (a result a line), `params.json` and `progress.csv`; the Trainer has
`trainer_state.json` with a row an event, and `all_results.json` with what came out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.document import objects, read_object
from exaid_evals.runs.files.values import mapping_of, mappings_of, numbers_of
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import Row, below
from exaid_evals.runs.tool_files import Entry, ManyRuns, ToolFile, file_in, head

_FLAML = re.compile(rb'\A\s*\{"record_id": \d+, [^\n]*"validation_loss": ')


class FlamlFormat(ManyRuns):
    """Reads the log of a search by FLAML: a run a configuration that it tried, with its learner."""

    name = "flaml"

    def file_of(self, place: Path) -> Path | None:
        """Return the log."""
        return file_in(place, (".log", ".json", ".jsonl", ".txt"), lambda path: bool(_FLAML.match(head(path))))

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read the records; what says which is best so far is none.

        Searches that were logged to one file begin to count anew: of a number that is there already, the second is
        called `0-2`.
        """
        warnings: list[str] = []
        found: dict[str, Entry] = {}
        times: Counter[str] = Counter()
        for record in objects(path, warnings):
            if "validation_loss" in record:
                number = str(record.get("record_id"))
                times[number] += 1
                number += f"-{times[number]}" if times[number] > 1 else ""
                beside = {key: record[key] for key in ("trial_time", "wall_clock_time", "sample_size") if key in record}
                found[number] = Entry(
                    metrics={"validation_loss": record["validation_loss"]},
                    config={**mapping_of(record.get("config")), "learner": record.get("learner")},
                    trial=number,
                    group=path.stem,
                    attributes={"beside_metrics": beside},
                    lower=("validation_loss",),
                    warnings=[] if found else warnings,
                )
        return found


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
        return replace(run, trial=trial, group=source.folder.parent.name or None)

    @staticmethod
    def _last(path: Path) -> dict[str, Any]:
        last: dict[str, Any] = {}
        for row in csv_rows(path, []) if path.suffix == ".csv" else objects(path, []):
            last = dict(row)
        settings = below("config/", last)
        return {"config": settings, **last} if settings else last


class KerasTunerFormat(ToolFile):
    """Keras Tuner, a folder `trial_…` a run: of each metric the value at the best epoch, as the tuner wrote it."""

    name = "keras_tuner"
    files = ("trial.json",)
    sign = re.compile(rb'"hyperparameters"\s*:[^\n]*"(?:score|metrics)"\s*:', re.S)
    below = 2
    step = "step"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the values; the mean where a trial was executed several times."""
        for name, one in mapping_of(mapping_of(read_object(path).get("metrics")).get("metrics")).items():
            for seen in mapping_of(one).get("observations") or ():
                values = [value for value in mapping_of(seen).get("value") or () if isinstance(value, int | float)]
                if values:
                    yield {"step": mapping_of(seen).get("step"), name: sum(values) / len(values)}

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the hyper-parameters."""
        return mapping_of(mapping_of(read_object(path).get("hyperparameters")).get("values"))

    def read(self, source: Source, name: str) -> Run:
        """Read a trial; one that did not end says so."""
        run = super().read(source, name)
        folder = source.folder
        said = read_object(folder / self.files[0])
        status = str(said.get("status") or "unknown")
        odd = (
            () if status == "COMPLETED" else (f"{name}: the trial's status is {status}: its numbers may not be final",)
        )
        trial = str(said.get("trial_id") or run.trial or folder.name)
        return replace(run, trial=trial, group=folder.resolve().parent.name, warnings=(*run.warnings, *odd))


class CatBoostFormat(ToolFile):
    """CatBoost's folder `catboost_info`, of the folder around it too; a metric is `set/name`."""

    name = "catboost"
    files = ("catboost_training.json", "catboost_info/catboost_training.json")
    sign = re.compile(rb'"(?:learn_metrics|test_metrics)"\s*:')
    step = "iteration"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row a tree."""
        said = read_object(path, keep_nan=True, warnings=warnings)
        meta = mapping_of(said.get("meta"))
        for row in map(mapping_of, said.get("iterations") or ()):
            found = {"iteration": row.get("iteration")}
            for kind in ("learn", "test"):
                names = [mapping_of(one).get("name") for one in meta.get(f"{kind}_metrics") or ()]
                for of in meta.get(f"{kind}_sets") or ():
                    found |= {f"{of}/{one}": value for one, value in zip(names, row.get(of) or (), strict=False)}
            yield found


_STATE = "trainer_state.json"
_RESULTS = ("all_results.json", "eval_results.json", "train_results.json", "predict_results.json", "test_results.json")
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


class HfTrainerFormat(ToolFile):
    """Reads a run a folder; where only checkpoints hold the state, the last one's. Nothing pickled is opened."""

    name = "hf_trainer"
    files = (_STATE, "checkpoint-*/trainer_state.json")
    sign = re.compile(rb'"(?:log_history|best_model_checkpoint|global_step|best_metric)"')
    left_out = (
        *("*_runtime", "*_samples_per_second", "*_steps_per_second", "*_tokens_per_second", "total_flos", "*_samples"),
    )
    step = "step"
    finals = False  # they go before what was logged

    def file_of(self, place: Path) -> Path | None:
        """Return the state: the run's own, else that of its last checkpoint."""
        found = super().file_of(place)
        if found is None or found == place or found.parent == place:
            return found
        states = [path for path in place.glob("checkpoint-*/trainer_state.json") if path.is_file()]
        return max(states, key=_number_of, default=None)

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return what was logged."""
        state = read_object(path, keep_nan=True, warnings=warnings)
        rows = state.get("log_history")
        if not isinstance(rows, list):
            raise DataError("has no log_history", where=str(path), remedy="name the right file")
        return mappings_of(rows)

    def config(self, path: Path, warnings: list[str]) -> dict[str, Any]:
        """Return the settings of the training that the state itself has; the others are pickled."""
        state = read_object(path, keep_nan=True)
        names = ("num_train_epochs", "train_batch_size", "max_steps", "trial_params")
        return {name: state[name] for name in names if state.get(name) not in (None, {})}

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the state, what may lie beside it, and the results."""
        return [*(super().inputs(source) or ()), *(source.folder / name for name in _RESULTS)]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: its last values, and over them what its results files say came out."""
        run = super().read(source, name)
        folder = source.folder
        written: dict[str, Any] = {}
        warnings: list[str] = []
        for file in _RESULTS:
            if (folder / file).is_file():
                try:
                    written = {**read_object(folder / file), **written}
                except DataError as error:
                    warnings.append(f"{name}: {file}: {error.what}, so that it is left out")
        numbers, _ = numbers_of(written)
        results = {key: value for key, value in numbers.items() if not self._measures_nothing(key)}
        state = self.file_of(source.path)
        best = read_object(state).get("best_model_checkpoint") if state else None
        attributes = dict(run.attributes) | ({"best_checkpoint": Path(str(best)).name} if best else {})
        metrics = dict(sorted({**run.metrics, **results}.items()))
        return replace(run, metrics=metrics, attributes=attributes, warnings=(*run.warnings, *warnings))

    def _measures_nothing(self, name: str) -> bool:
        return self._is_left_out(name.lower()) or role_of_column(name) in ("counter", "system", "schedule")


def _number_of(path: Path) -> int:
    found = _CHECKPOINT.fullmatch(path.parent.name)
    return int(found[1]) if found else -1

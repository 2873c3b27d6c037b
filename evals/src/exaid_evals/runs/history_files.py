"""What formats of single files share: where a run lies, its configuration, the batches beside it; and the run itself.

A finished run comes of the history that it left: the value of each metric, its settings, how its training went.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.config.mapping_file import leaves
from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Source, Training
from exaid_evals.runs.files.delimited import cell_of, numbers, without_spread
from exaid_evals.runs.files.document import objects, read_document, read_yaml
from exaid_evals.runs.files.reported import is_no_metric
from exaid_evals.runs.files.summary import is_incidental, seed_in
from exaid_evals.runs.files.training_history import divergence_of, training_of
from exaid_evals.runs.files.values import numbers_of, plain, undefined_warning
from exaid_evals.runs.following import FollowedRows
from exaid_evals.runs.history import BatchRow, Column, History, Series
from exaid_evals.runs.metric_names import direction_of, is_validation, role_of_column
from exaid_evals.runs.rows import Row, Table, batch_of, counts_phases, history_of, simple
from exaid_evals.runs.run_names import position_of

HISTORY_NAMES = ("train_history", "history", "metrics", "log", "progress", "trainer_log", "training_statistics")
"""Stems of the files that hold a run's history in a folder of its own, the usual first."""
BATCHES = "batch_metrics.jsonl"
"""What `log_batch_metrics` writes, beside whatever else the run logs."""
_NO_HISTORIES = (BATCHES, "exported_metrics.csv")
_CONFIGS = (
    *("config.json", "summary.json", "hparams.json", "args.json", "params.json", "config.yaml", "config.yml"),
    *("hparams.yaml", "args.yaml", "params.yaml", ".hydra/config.yaml"),
)


RESULTS = tuple(
    f"{stem}.json"
    for stem in (
        *("results", "result", "final_results", "test_results", "eval_results", "val_results"),
        *("final_metrics", "test_metrics", "val_metrics", "eval_metrics", "scores", "metrics"),
        *("all_results", "train_results", "test_statistics"),
    )
)
"""What training scripts write at their end beside the history: an object with the metrics that came out."""
BESIDE = (*_CONFIGS, BATCHES, *RESULTS)
"""What is read with a history where it lies in the same folder."""
_LARGEST_RESULTS = 1 << 20
_AS_LOGGED = 1e-6


class HistoryFile(Format):
    """Base of a format whose runs are files of their own, with a row a step.

    Attributes:
        suffixes: of such files, in lower case.
        line_follower: reads such a file while it grows, a line at a time; None where it has no lines.
    """

    suffixes: tuple[str, ...]
    line_follower: ClassVar[type[FollowedRows] | None] = None
    has_history = True
    generic = True

    def claims(self, place: Path) -> bool:
        """Return whether such a file is named, or lies under a usual name in a folder; others may be anything."""
        if place.is_file():
            return suffix_of(place) in self.suffixes
        return self.file_in(place) is not None

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs by the stems of files, or the names of folders with a history."""
        return {name: Source(path) for name, path in history_files(place, self.suffixes).items()}

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file, and those that may lie beside it."""
        path = self._file(source)
        return [path, *(path.parent / name for name in BESIDE)]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: the last value of each metric, and how its training went."""
        path = self._file(source)
        # Files of names of their own may be several runs, and what lies beside them is not said to be of one.
        finals = path if path == usual_file(path.parent, self.suffixes) else None
        return run_of(self.history(source, source.path.stem), self, name, source, finals)

    def history(self, source: Source, name: str) -> History:
        """Read a history."""
        path = self._file(source)
        warnings: list[str] = []
        table = self.table(path, warnings)
        if not table.n_rows and not table.batches:
            raise DataError("holds no step", where=str(path), remedy="name the right file")
        batches = batch_rows(path.parent, warnings) if path.name != BATCHES else ()
        config = config_beside(path, warnings)
        return history_of(name, self.name, table, config=config, warnings=warnings, batches=batches)

    def may_become(self, place: Path) -> bool:
        """Recognise it by the suffix, of files that grow by lines."""
        return self.line_follower is not None and place.suffix.lower() in self.suffixes

    def follow(self, source: Source) -> FollowedRows | None:
        """Read lines as they come."""
        return self.line_follower(source.path) if self.line_follower else None

    def table(self, path: Path, warnings: list[str]) -> Table:
        """Return the columns of a file; a format that has them without making rows first gives those."""
        return Table.of_rows(self.rows(path, warnings))

    @abstractmethod
    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows of a file in order of logging; what is left out is reported in `warnings`.

        Raises:
            DataError: the file is missing, too large, or not of the format at all.
            MissingDependencyError: the package that reads such files is not installed, or cannot load.
        """

    def _file(self, source: Source) -> Path:
        return (self.file_in(source.path) if source.path.is_dir() else None) or source.path

    def file_in(self, folder: Path) -> Path | None:
        """Return the file of a usual name, else the only one of the format's that measures something; None without."""
        usual = usual_file(folder, self.suffixes)
        if usual is not None or not folder.is_dir():
            return usual
        others = [path for path in folder.iterdir() if suffix_of(path) in self.suffixes and path.name not in _CONFIGS]
        try:
            return others[0] if len(others) == 1 and others[0].is_file() and self.measures(others[0]) else None
        except DataError:
            return None

    def measures(self, path: Path) -> bool:
        """Return whether a file of no usual name counts steps and holds a known metric."""
        return False


def history_files(place: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Return run name → file of its history.

    A file is the run of its stem. In a folder, each file of a fitting suffix is a run, and so is each subfolder that
    holds a file of a usual name; where the folder itself holds one of these, it is the run of the folder's name.
    """
    if place.is_file():
        return {_stem(place): place} if suffix_of(place) in suffixes else {}
    if not place.is_dir():
        return {}
    own = usual_file(place, suffixes)
    if own is not None:
        return {place.resolve().name: own}
    found = {
        _stem(path): path
        for path in sorted(place.iterdir())
        if path.is_file() and suffix_of(path) in suffixes and path.name not in _NO_HISTORIES
    }
    for folder in sorted(path for path in place.iterdir() if path.is_dir()):
        inside = usual_file(folder, suffixes)
        if inside is not None:
            found[folder.name] = inside
    return found


def usual_file(folder: Path, suffixes: Sequence[str]) -> Path | None:
    """Return the file of a usual name in a folder; None without one."""
    candidates = (
        folder / f"{stem}{suffix}{packed}" for stem in HISTORY_NAMES for suffix in suffixes for packed in ("", ".gz")
    )
    return next((path for path in candidates if path.is_file()), None)


def suffix_of(path: Path) -> str:
    """Return a file's suffix in lower case, that of what is packed where it ends in .gz."""
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def config_beside(history: Path, warnings: list[str]) -> dict[str, Any]:
    """Return the configuration that lies beside a history in JSON or YAML; empty where there is none.

    One that is damaged is reported in `warnings` and left out: the history can be read without it.
    """
    for name in _CONFIGS:
        path = history.parent / name
        if path.is_file():
            try:
                found = read_document(path) if path.suffix == ".json" else read_yaml(path)
            except DataError as error:
                warnings.append(str(error))
                continue
            if isinstance(found, dict):
                return found
    return {}


def batch_rows(folder: Path, warnings: list[str]) -> tuple[BatchRow, ...]:
    """Return the batches that were logged into a folder; rows that are none are reported and left out."""
    path = folder / BATCHES
    if not path.is_file():
        return ()
    rows = list(objects(path, warnings))
    batches = [row for row in rows if isinstance(row.get("metrics"), Mapping) and "batch_idx" in row]
    if len(batches) < len(rows):
        warnings.append(f"{BATCHES}: {len(rows) - len(batches)} rows have no batch_idx and metrics; they are left out")
    return tuple(batch_of(row) for row in batches)


_EPOCHS = ("epoch", "epochs")


def run_of(history: History, form: Format, name: str, source: Source, finals: Path | None = None) -> Run:
    """Return the run that a history is of.

    Args:
        history: of the run.
        form: its format.
        name: of the run.
        source: where it lies.
        finals: the history's file, beside which final results are looked for; None where nothing says that they are
            this run's.

    Raises:
        DataError: neither has a metric.
    """
    values = {
        metric: value_of(series, form.settings.metric_value, history)
        for metric, series in history.series.items()
        if not counts_phases(metric)
    }
    metrics, beside = parted(values)
    flat = leaves(history.config)
    config = {key: plain(value) for key, value in sorted(flat.items()) if not is_incidental(key)}
    columns = _columns(history)
    training = _training(history, columns, config)
    warnings = [*history.warnings, *undefined_warning([metric for metric, value in metrics.items() if value is None])]
    if training is None and (divergence := divergence_of(columns)):
        warnings.append(f"training diverged: {divergence}; look at the learning rate and at the history")
    position = position_of(source.folder)
    n_steps = len({point.step for series in history.series.values() for point in series.points})
    run = form.completed(
        source,
        Run(
            name,
            form.name,
            metrics,
            config=config,
            seed=seed_in(flat),
            fold=position.fold,
            trial=position.trial,
            group=position.group,
            training=training,
            attributes={"steps": n_steps, **beside},
            default_primary=leading_metric(metrics, history.directions),
            lower_is_better=frozenset(one for one, way in history.directions.items() if way == "lower"),
            higher_is_better=frozenset(one for one, way in history.directions.items() if way == "higher"),
            warnings=tuple(warnings),
        ),
    )
    run = run if finals is None else _with_results(run, finals)
    if not run.metrics:
        named = first_few(list(beside.get("beside_metrics", {})), 5, " …")
        what = f"holds no metric{f', but {named}' if named else ''}"
        raise DataError(what, where=str(source.path), remedy="look at what the run logged")
    return run


def _with_results(run: Run, history: Path) -> Run:
    """Return a run with the metrics that lie beside its history as final results, under names that it has not logged.

    Where it has logged one of the name, and no such value ends it, that is reported: the history's stands.
    """
    metrics, warnings = dict(run.metrics), list(run.warnings)
    for path in (history.with_name(name) for name in RESULTS):
        if path == history or not path.is_file() or path.stat().st_size > _LARGEST_RESULTS:
            continue
        try:
            held = read_document(path)
        except DataError as error:
            if path.name not in ("metrics.json", "result.json"):  # which may be logs
                warnings.append(f"{run.name}: {path.name}: {error.what}, so that it is left out")
            continue
        found = numbers_of(leaves(held))[0] if isinstance(held, dict) else {}
        found = {name: one for name, one in found.items() if role_of_column(name) == "metric" and not is_beside(name)}
        undefined = [name for name, one in found.items() if one is None and name not in metrics]
        warnings += [f"{run.name}: {path.name}: {line}" for line in undefined_warning(undefined)]
        for name, value in found.items():
            logged = metrics.setdefault(name, value)
            if None not in (logged, value) and not math.isclose(logged or 0, value or 0, rel_tol=_AS_LOGGED):
                warnings.append(
                    f"{run.name}: {path.name} has {name} {value:g}, and the history ends with {logged:g}, which "
                    "stands: look which is meant; --metric-value best takes the history's best"
                )
    primary = run.default_primary or leading_metric(metrics, {})
    return replace(run, metrics=metrics, warnings=tuple(warnings), default_primary=primary)


def leading_metric(metrics: Mapping[str, float | None], known: Mapping[str, Any]) -> str | None:
    """Return the metric by which such runs are ranked unless a user says another; None where nothing tells.

    A validation score goes before a validation loss, and both before what was measured on training data.
    """
    ranked = [
        (not is_validation(name), way != "higher", "loss" in name.lower(), at, name)
        for at, name in enumerate(metrics)
        if metrics[name] is not None and (way := direction_of(name, known)) is not None
    ]
    return min(ranked)[-1] if ranked else None


def is_beside(name: str) -> bool:
    """Return whether a column counts, times or sets the training rather than measuring what came of it."""
    return is_no_metric(name) or role_of_column(name) in ("counter", "schedule", "system")


def parted(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the metrics among values, and as an attribute of the run what stands beside them."""
    beside = {name: value for name, value in values.items() if is_beside(name)}
    metrics = {name: value for name, value in values.items() if name not in beside}
    return metrics, {"beside_metrics": beside} if beside else {}


def value_of(series: Series, which: str, history: History) -> float | None:
    """Return the value of a metric that counts: `last`, `best`, `min` or `max`; None where it is not a finite number.

    The best of a metric whose direction nothing tells is its last.
    """
    logged = [point.value for point in series.points if isinstance(point.value, float | int)]
    finite = [float(value) for value in logged if math.isfinite(value)]
    if not finite:
        return None
    way = direction_of(series.metric, history.directions)
    if which == "max" or (which == "best" and way == "higher"):
        return max(finite)
    if which == "min" or (which == "best" and way is not None):
        return min(finite)
    return float(logged[-1]) if math.isfinite(logged[-1]) else None


def _columns(history: History) -> dict[str, Sequence[float | None]]:
    return {
        metric: [float(point.value) if isinstance(point.value, float | int) else None for point in series.points]
        for metric, series in history.series.items()
    }


def _training(
    history: History, columns: Mapping[str, Sequence[float | None]], config: Mapping[str, Any]
) -> Training | None:
    """Return how training went, where epochs count the steps."""
    if history.step_name is None or simple(history.step_name) not in _EPOCHS:
        return None
    longest = max(history.series.values(), key=lambda series: len(series.points), default=None)
    if longest is None:
        return None
    return training_of({"epoch": [point.step for point in longest.points], **columns}, config)


def add_cells(column: Column, cells: Sequence[str]) -> int:
    """Append cells, at once where they are numbers as JSON has them, which most are; return how many hold a spread.

    A value is appended without its spread.
    """
    if not any(cells):
        column.add_missing(len(cells))
        return 0
    try:
        if "" not in cells:
            column.add_numbers(numbers(cells))
            return 0
    except ValueError:
        pass
    spreads = 0
    for cell in cells:
        value = cell_of(cell) if cell else None
        if isinstance(value, str):
            value = without_spread(value)
            spreads += not isinstance(value, str)
        column.add(value)
    return spreads

"""Long tables: a column names the run of each row, and the others are steps, settings or metrics."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError, MissingDependencyError
from exaid_evals.files import files_in
from exaid_evals.runs.files.summary import is_incidental
from exaid_evals.runs.files.values import uniform
from exaid_evals.runs.formats.row_files import JsonFormat, JsonlFormat, ParquetFormat, csv_rows
from exaid_evals.runs.formats.table_dialects import (
    REPETITIONS,
    VALUES,
    has_dialect,
    is_setting_of_long,
    settings_of_rows,
    standard,
    without_summaries,
)
from exaid_evals.runs.history_files import HISTORY_NAMES, HistoryFile, parted
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import ROW_NAMES, RUN_NAMES, Row, below, simple, step_column
from exaid_evals.runs.tool_files import HEAD_BYTES, Entry, ManyRuns, file_in, head

_OF_WANDB = {"name", "state", "created"}
"""Columns of the table of runs that W&B's page writes."""
_SETTINGS = ("seed", "model", "arch", "optimizer", "dataset", "lr", "batch_size", "fold", "trial", "resample", "group")
_NO_SETTINGS = ("metric", "state", "status", "notes", "tags", "created")
_OF_METRIC, _OF_VALUE = ("metric", "metric_name"), VALUES
_FOLD = re.compile(r"(?:cv|fold|split)?[\s_.-]*(\d+)", re.IGNORECASE)
_ROLES = ("metrics.", "params.", "tags.")
"""How the columns of MLflow's `search_runs` begin."""
_OF_CONFIG = ("config/", "config.")
"""How the columns of settings begin in the data frame of Ray Tune's results."""
_OF_AIM = "metric.name"
_CHART = re.compile(r"(?P<run>.+) - (?P<metric>.+?)(?P<bound>__MIN|__MAX)?")


class LongCsvFormat(ManyRuns):
    """Reads a run for each name in the column `run`; long tables have a row a metric (`metric`, `value`).

    So are tables of results with a row a run, in JSON, JSON Lines and Parquet too, and what W&B's charts write, with a
    column a run.
    """

    name = "long_csv"

    def file_of(self, place: Path) -> Path | None:
        """Return the file that has such a column; in a folder only a file that is named as holding runs."""
        if place.is_file():
            return file_in(place, (".csv", ".tsv"), _is_long) or file_in(place, [*_OTHERS], _tells_runs_apart)
        named = file_in(place, ("runs.csv", "results.csv", "all_runs.csv", "experiments.csv"), _is_long)
        usual = named or file_in(place, tuple(f"{stem}.csv" for stem in HISTORY_NAMES), _is_long_of_values)
        tables = [] if usual else files_in(place, lambda name: name.lower().endswith((".csv", ".tsv")))
        # What measures something, alone in its folder, would be taken for a history.
        return usual or (tables[0] if len(tables) == 1 and _is_in_dialect(tables[0]) and _is_long(tables[0]) else None)

    def files_of(self, place: Path) -> list[Path]:
        """Return that file alone."""
        found = self.file_of(place)
        return [found] if found else []

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read the file."""
        warnings: list[str] = []
        form = _other(path)
        rows = standard([*csv_rows(path, warnings)] if form is None else [*uniform(form.rows(path, warnings))])
        columns = _run_columns(rows, {simple(name): name for name in rows[0]}) if rows else []
        if not columns and rows and _is_of_values(rows[0]):
            entry = _entry(rows, "")
            entry.warnings += warnings
            return {path.stem: entry}
        if not columns:
            return _of_chart(rows, warnings)
        rows = without_summaries(_measured(rows, path, warnings), columns, warnings)
        columns = _run_columns(rows, {simple(name): name for name in rows[0]}) or columns
        groups: dict[str, list[Row]] = {}
        again = 0
        numbers: dict[str, Iterator[int]] = {}
        column = columns[0]
        # Where no column is called a run's, each row is one, and names may be the same.
        each = simple(column) not in RUN_NAMES and not _is_of_values(rows[0])
        for row in rows:
            name = text_of(row.get(column))
            if name:
                name = "-".join(_called(one, row.get(one)) for one in columns)
            if each and name and name in groups:
                counted = numbers.setdefault(name, itertools.count(2))
                name = next(other for n in counted if (other := f"{name} ({n})") not in groups)
                again += 1
            groups.setdefault(name, []).append(row)
        if again and column.lower() != "name":
            warnings.append(
                f"{again} further rows with the {column} of another, and no seed, fold or step: each is taken for a run"
            )
        # A column that repeats or tunes a run is a setting.
        own = "" if simple(column) in (*REPETITIONS, *map(simple, settings_of_rows([*rows[0]]))) else column
        found = {name: _entry(members, own) for name, members in groups.items() if name}
        for entry in list(found.values())[:1]:
            entry.warnings += warnings
            if "" in groups:
                entry.warnings.append(f"{len(groups[''])} rows beside it name no run, and are left out")
        return found


_OTHERS = {suffix: form for form in (JsonlFormat, JsonFormat, ParquetFormat) for suffix in form.suffixes}
_ROWS_AT_FIRST = 4096


def _other(path: Path) -> HistoryFile | None:
    """Return the reader of a table that is no CSV."""
    form = _OTHERS.get(path.suffix.lower())
    return form() if form else None


def _tells_runs_apart(path: Path) -> bool:
    """Return whether the first rows of a table that is no CSV are of several runs."""
    form = _other(path)
    if form is None or not form.claims(path):
        return False
    rows: list[Row] = []
    with contextlib.suppress(DataError, MissingDependencyError):  # reading tells what is wrong
        rows += standard([*uniform(itertools.islice(form.rows(path, []), _ROWS_AT_FIRST))])
    columns = _run_columns(rows, {simple(name): name for name in rows[0]}) if rows else []
    return _n_apart(rows, columns) > 1


def _run_columns(rows: Sequence[Row], columns: Mapping[str, str]) -> list[str]:
    """Return the columns that tell runs apart, first the one that names them; none where rows are no runs.

    Args:
        rows: some of the table.
        columns: simple name → name.
    """
    found = next((columns[one] for one in RUN_NAMES if one in columns), None)
    if found is None and columns.keys() >= _OF_WANDB:
        return [columns["name"]]
    steps = step_column(columns.values())
    if found is not None:
        # One step twice under one name, with another seed, is that of another run.
        if steps is not None and _n_apart(rows, [found, steps]) == len(rows):
            return [found]
        further = [columns[one] for one in REPETITIONS if one in columns]
        given = {one: [row for row in rows if row.get(one) is not None] for one in further}
        return [found, *(one for one in further if _n_apart(given[one], [found, one]) > _n_apart(given[one], [found]))]
    long = _is_of_values(columns)
    known = long or any(role_of_column(one) == "metric" for one in columns.values())
    if steps is not None or len(rows) < 2 or not known:
        return []
    names = [columns[one] for one in ROW_NAMES if one in columns] or settings_of_rows([*columns.values()])
    repeated = [columns[one] for one in REPETITIONS if one in columns]
    if not names and not long and _n_apart(rows, repeated) == len(rows):
        return repeated
    alone = [[name] for name in names if not long and _n_apart(rows, [name]) == len(rows)]
    together = names[:1]
    for one in [*names[1:], *(columns[one] for one in ("dataset", *REPETITIONS) if one in columns)]:
        if together and _n_apart(rows, [*together, one]) > _n_apart(rows, together):
            together.append(one)
    # Of rows with one name alone nothing says whether they are runs or steps.
    return alone[0] if alone else together if _n_apart(rows, together) > 1 else []


_AS_MODELS = frozenset(ROW_NAMES) - {"model", "model_name", "experiment", "experiment_name"}
"""Columns whose names are other models' too, of which no mean is taken; those of experiments may be repetitions."""
_NAMES = frozenset((*RUN_NAMES, *ROW_NAMES, *REPETITIONS, *_OF_WANDB, "dataset"))
_NOT_GIVEN = frozenset({"k.a.", "k._a.", "n.a.", "n._a.", "n.v.", "n._v."})


def _measured(rows: list[Row], path: Path, warnings: list[str]) -> list[Row]:
    """Return rows without the words in columns of metrics, which hold numbers elsewhere: `k.A.` is no setting."""
    words: dict[str, list[str]] = {}
    for name in rows[0]:
        texts = [value for row in rows if isinstance(value := row.get(name), str)]
        measured = role_of_column(name) == "metric" or _NOT_GIVEN.issuperset(map(simple, texts))
        if texts and measured and any(isinstance(row.get(name), int | float) for row in rows):
            words[name] = texts
    warnings += [
        f"{path.name}: {name}: cells that are not numbers are left out ({len(texts)}: {texts[0][:40]!r})"
        for name, texts in words.items()
    ]
    if not words:
        return rows
    return [
        {name: None if name in words and isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]


def _called(column: str, value: object) -> str:
    """Return a part of a run's name; what is counted is called so, unless it says so itself."""
    text, counted = text_of(value), simple(column)
    if counted in REPETITIONS and text.isdecimal():
        return f"{counted}{text}"
    return text if counted in _NAMES else f"{column}={text}"


def _is_of_values(names: Iterable[str]) -> bool:
    """Return whether a table has a row a metric."""
    simply = {*map(simple, names)}
    return not simply.isdisjoint(_OF_METRIC) and not simply.isdisjoint(_OF_VALUE)


def _is_named(rows: Sequence[Row], columns: Mapping[str, str]) -> bool:
    """Return whether the column of metrics holds names of some, of a table with a row a metric of a single run."""
    metric = next(columns[one] for one in _OF_METRIC if one in columns)
    return any(role_of_column(text_of(row.get(metric))) == "metric" for row in rows)


def _n_apart(rows: Sequence[Row], columns: Sequence[str]) -> int:
    """Return how many combinations of values some columns have."""
    return len({tuple(text_of(row.get(one)) for one in columns) for row in rows})


def _settings(constant: Row, lowered: Mapping[str, str], *, long: bool) -> dict[str, Any]:
    """Return the settings among what is constant in a run's rows."""
    tuned = settings_of_rows([*lowered])
    return {
        name: value
        for name, value in constant.items()
        if value is not None
        and name
        and (
            lowered[name] in _SETTINGS
            or name in tuned
            or isinstance(value, str)
            or role_of_column(name) == "schedule"
            or (long and is_setting_of_long(name))
        )
        and lowered[name] not in _NO_SETTINGS
        and (lowered[name] in _SETTINGS or not is_incidental(name))
        and not name.startswith(_OF_CONFIG)
    }


def _entry(rows: list[Row], column: str) -> Entry:
    lowered = {name: simple(name) for name in rows[0]}
    metric = next((name for name, low in lowered.items() if low in _OF_METRIC), None)
    value = next((name for name, low in lowered.items() if low in _OF_VALUE), None)
    constant = {
        name: rows[0].get(name)
        for name in rows[0]
        if name != column and all(row.get(name) == rows[0].get(name) for row in rows)
    }
    settings = _settings(constant, lowered, long=metric is not None)
    steps = step_column(lowered)
    if any(name.startswith(_ROLES[0]) for name in lowered):
        return _of_mlflow(rows[-1])
    if _OF_AIM in rows[0]:
        return _of_aim(rows)
    own = {name: rows[-1].get(name) for name in rows[0] if name.startswith(_OF_CONFIG)}
    config = {lowered[name]: one for name, one in settings.items()} | {
        lowered[name]: row for name, row in rows[0].items() if name == column and lowered[name] in ROW_NAMES
    }
    config |= {name[len(_OF_CONFIG[0]) :]: one for name, one in own.items() if one is not None}
    trial = config.pop("trial", None)
    fold = _FOLD.fullmatch(text_of(config.pop("fold", config.pop("resample", None))))
    entry = Entry(
        config=config,
        fold=int(fold[1]) if fold else None,
        trial=None if trial is None else text_of(trial),
        attributes={"model": text_of(config[low])} if (low := lowered.get(column)) in _AS_MODELS else {},
    )
    left = {column, "", *settings, *own, *(name for name, value in constant.items() if isinstance(value, str))} - {
        metric
    }
    if len(rows) == 1 and steps is None and metric is None:
        named = {name: one for name, one in rows[0].items() if name not in left and one is not None}
        entry.metrics, beside = parted(named)
        entry.attributes |= beside
        return entry
    entry.step = "epoch" if steps is not None and lowered[steps] == "epoch" and metric is None else "step"
    logged: Counter[str] = Counter()
    for at, row in enumerate(rows):
        step = row.get(steps) if steps else at
        if metric is not None and value is not None:
            measured = str(row.get(metric))
            entry.rows.append({"step": step if steps else logged[measured], measured: row.get(value)})
            logged[measured] += 1
        else:
            kept = {name: one for name, one in row.items() if name not in {*left, steps} and one is not None}
            entry.rows.append({**kept, entry.step: step})
    return entry


def _of_aim(rows: Sequence[Row]) -> Entry:
    """Return a run of a table that Aim's `query_metrics().dataframe()` returned; what its system logged is left out."""
    logged: list[Row] = []
    for row in rows:
        name = str(row.get(_OF_AIM))
        of = map(text_of, below("metric.context.", row).values())
        if not name.startswith("__system__"):
            logged.append({"step": row.get("step"), "/".join((*of, name)): row.get("value")})
    return Entry(rows=logged, step="step", config=below("run.hparams.", rows[0]))


def _of_mlflow(row: Row) -> Entry:
    """Return a run of a table that MLflow's `search_runs` returned."""
    metrics, params, tags = (below(role, row) for role in _ROLES)
    known = {"mlflow_run_name": tags.get("mlflow.runName"), "mlflow_status": row.get("status")}
    parent = tags.get("mlflow.parentRunId")
    return Entry(
        metrics=metrics,
        config=params,
        trial=str(known["mlflow_run_name"] or row.get("run_id")) if parent else None,
        group=str(parent)[:8] if parent else None,
        attributes={"mlflow_experiment": text_of(row.get("experiment_id"))}
        | {key: one for key, one in known.items() if one is not None},
    )


def _of_chart(rows: Sequence[Row], warnings: list[str]) -> dict[str, Entry]:
    """Return the runs of a chart, whose columns are called `run - metric`, with bounds that are not read."""
    found: dict[str, Entry] = {}
    steps = step_column(rows[0]) if rows else None
    for row in rows:
        of_run: dict[str, dict[str, Any]] = {}
        for name, value in row.items():
            match = _CHART.fullmatch(name)
            if match and not match["bound"] and value is not None and not match["metric"].endswith("_step"):
                of_run.setdefault(match["run"], {})[match["metric"]] = value
        for run, values in of_run.items():
            entry = found.setdefault(run, Entry(step="step", warnings=[] if found else list(warnings)))
            entry.rows.append({**values, "step": row.get(steps) if steps else None})
    return found


def _is_long_of_values(path: Path) -> bool:
    """Return whether it has a row a metric, whatever it is called."""
    return _is_of_values(
        re.split(r"[,;\t]", head(path).decode("utf-8-sig", "replace").partition("\n")[0])
    ) and _is_long(path)


def _is_in_dialect(path: Path) -> bool:
    opening = head(path).decode("utf-8-sig", "replace").partition("\n")[0]
    return has_dialect(cell.strip(' "\r') for cell in re.split(r"[,;\t]", opening))


def _is_long(path: Path) -> bool:
    """Recognise it by the beginning, of which a last line that may be cut is left out."""
    try:
        lines = head(path).decode("utf-8-sig", "replace").splitlines()
        lines = lines[: -1 if len(lines) > 2 and path.stat().st_size > HEAD_BYTES else None]
    except OSError:
        return False
    opening = lines[0] if lines else ""
    delimiter = max((",", ";", "\t", "|"), key=opening.count)
    try:
        cells = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return False
    names = [cell.strip() for cell in cells[0]] if cells else []
    if len(names) < 2:
        return False
    charted = [_CHART.fullmatch(name) for name in names[1:]]
    if any(match and match["bound"] for match in charted):
        return step_column(names[:1]) is not None and all(charted)
    rows = standard([dict(zip(names, row, strict=False)) for row in cells[1:] if row])
    names = [*rows[0]] if rows else names
    found = {simple(name): name for name in names}
    return bool(_run_columns(rows, found)) or (_is_of_values(names) and _is_named(rows, found))


def text_of(value: object) -> str:
    """Return a cell as text, a whole number without its point; empty where it is missing."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()

"""From rows of logged values to a history: which column is the step, what belongs to the system, what is a batch."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from exaid_evals.runs.history import LARGEST, BatchRow, Column, History, Point, Points, Series
from exaid_evals.runs.metric_names import names_phase

STEP_NAMES = (
    *("step", "global_step", "_step", "trainer/global_step", "num_updates", "time/total_timesteps", "total_timesteps"),
    *("current_steps", "iteration", "iter", "epoch", "epochs"),
)
"""Columns that count steps, the finest first."""
RUN_NAMES = ("run", "run_id", "run_name", "runid", "exp", "exp_id", "experiment_id", "run.hash", "trial_id")
"""Columns that name the run of each row, in a table of several."""
ROW_NAMES = (
    *("model", "model_name", "model_id", "method", "algorithm", "experiment", "experiment_name", "variant"),
    *("learner", "learner_id", "classifier", "app_version"),
)
"""Columns that do so where nothing counts steps: a table of results."""
SYSTEM_PREFIXES = ("system/", "system.", "sys/", "_system/")
_ABOVE_EPOCH = frozenset(
    {
        *("training_exp", "experience", "task", "task_id", "stage", "phase", "cycle", "round", "session"),
        *("fold", "fold_id", "fold_idx", "kfold", "cv_fold"),
    }
)
"""Columns that count what an epoch may be one of: where epochs begin again with each, they count no steps alone."""
_EVENTS = ("event", "events", "restart", "resumed")
"""Columns that say what happened (`restart`, `resumed from step 200`) rather than how large something is."""
_CLOCKS = frozenset({"_timestamp", "timestamp", "wall_time"})
PAUSE = "pause"
"""How an event of a time without rows begins."""
_LONG_PAUSE, _TIMES_USUAL, _MOST_PAUSES = 30.0, 20.0, 3
"""Seconds; times the longest of nearly all intervals; pauses, of which more are a habit."""
_NO_METRICS = frozenset({"_timestamp", "_runtime", "timestamp", "wall_time", "time", "date", "datetime"})
_NO_METRICS |= {"total_steps", "percentage", "elapsed_time", "remaining_time"}  # how far LLaMA-Factory is
_NO_METRICS |= {"", "unnamed:_0"}  # the numbers of rows that pandas writes before them

_WITHIN_EPOCH = frozenset({"batch", "batch_idx", "batch_index", "batch_number", "minibatch"})

Row = Mapping[str, Any]


def simple(name: str) -> str:
    """Return a column's name in lower case, with underscores for blanks: `Global Step` is `global_step`."""
    return name.strip().lower().replace(" ", "_")


def below(prefix: str, row: Row) -> dict[str, Any]:
    """Return what a row holds under names that begin so, without that beginning; what is missing is left out.

    >>> below("params_", {"params_lr": 0.1, "params_depth": None, "value": 1})
    {'lr': 0.1}
    """
    return {
        name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix) and value is not None
    }


def step_column(names: Iterable[str], own: str | None = None) -> str | None:
    """Return the finest column that counts steps, however it is written; None without one.

    Args:
        names: of columns.
        own: the column of a source that has one of its own; it counts if it is there.
    """
    found = {simple(name): name for name in reversed([*names])}
    counted = next((name for name in ((own or "step"), *STEP_NAMES) if name in found), None)
    if counted == "epoch" and not _WITHIN_EPOCH.isdisjoint(found):
        return None  # a row a batch: rows are numbered
    return None if counted is None else found[counted]


@dataclass
class Table:
    """What a run logged, as columns.

    Attributes:
        columns: name → values; what is nested has the names of all levels, with dots between.
        n_rows: without those of batches.
        batches: among the rows.
        lists: name → rows that hold several values (histograms, media), which are not metrics.
        names: of the rows' own level.
    """

    columns: dict[str, Column] = field(default_factory=dict)
    n_rows: int = 0
    batches: list[BatchRow] = field(default_factory=list)
    lists: dict[str, array[int]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    @classmethod
    def of_rows(cls, rows: Iterable[Row]) -> Table:
        """Return the table of rows in order of logging."""
        table = cls()
        for row in rows:
            if isinstance(row.get("metrics"), Mapping) and "batch_idx" in row:
                table.batches.append(batch_of(row))
                continue
            table.names.update(row)
            for name, value in _flat(row).items():
                if isinstance(value, list | tuple):
                    table.lists.setdefault(name, array("q")).append(table.n_rows)
                    continue
                column = table.columns.get(name)
                if column is None:
                    column = table.columns[name] = Column(array("q"))
                column.rows.append(table.n_rows)  # type: ignore[union-attr]
                column.add(value)
            table.n_rows += 1
        return table


def history_of(
    run_name: str,
    source: str,
    rows: Iterable[Row] | Table,
    *,
    config: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    step_name: str | None = None,
    batches: Sequence[BatchRow] = (),
) -> History:
    """Build a history from rows in order of logging.

    A row with `batch_idx` and a mapping `metrics` is a batch (as `log_batch_metrics` writes it). Of the others the
    first step column that any row has counts the steps; where no row has one, rows are counted from 0. A row without
    a step that is a number is left out and reported.

    Args:
        run_name: of the run.
        source: the format's name.
        rows: column → value, or a table of them; what is not a number stays as text in its series.
        config: hyper-parameters.
        warnings: of the reader so far.
        step_name: the column that counts the steps, of a source that has one of its own; it counts if any row has it.
        batches: that were logged elsewhere.
    """
    table = rows if isinstance(rows, Table) else Table.of_rows(rows)
    step_name = step_column(sorted(table.names), step_name)
    notes = list(warnings)
    counters: set[str] = set()
    if step_name is not None and (above := _above(table, step_name)) is not None:
        counters, step_name = {simple(step_name)} | (set() if names_phase(above) else {simple(above)}), None
    steps = _steps(table, step_name, notes)
    # Where an epoch's batches number the rows, neither column measures anything.
    counters |= {"epoch", *_WITHIN_EPOCH} if step_name is None else set()
    by_metric = {
        name: Series(name, _points(table.columns[name], steps))
        for name in sorted(table.columns)
        if name != step_name and simple(name) not in _NO_METRICS | counters
    }
    by_metric = {name: one for name, one in by_metric.items() if len(one.points)}
    metrics, system = split_system(by_metric)
    series = {name: one for name, one in metrics.items() if name not in _EVENTS and one.has_numbers}
    events = tuple((point.step, f"{name}: {point.value}") for name in _EVENTS for point in _texts(metrics.get(name)))
    events += _pauses(table, steps)
    texts = [name for name in metrics if name not in series and name not in _EVENTS]
    notes += [f"{name}: no value is a number; it is left out" for name in texts]
    for name, at in table.lists.items():
        count = sum(not math.isnan(steps[row]) for row in at)
        if count and name != step_name and simple(name) not in _NO_METRICS:
            notes.append(f"{name}: {count} rows hold lists, which are not metrics; they are left out")
    return History(
        run_name,
        source,
        series,
        system,
        (*table.batches, *batches),
        dict(config or {}),
        events,
        tuple(notes),
        step_name=step_name,
    )


def split_system(series: Mapping[str, Series]) -> tuple[dict[str, Series], dict[str, Series]]:
    """Return the metrics, and the system's metrics without their prefix."""
    system = {_bare(name): Series(_bare(name), one.points) for name, one in series.items() if _bare(name) != name}
    return {name: one for name, one in series.items() if _bare(name) == name}, system


def _pauses(table: Table, steps: array[float]) -> tuple[tuple[float, str], ...]:
    """Return an event for each time without rows that is far longer than nearly all others, by a clock in seconds."""
    clock = next((table.columns[name] for name in sorted(table.columns) if simple(name) in _CLOCKS), None)
    if clock is None:
        return ()
    rows = clock.rows or range(table.n_rows)
    logged = [(steps[row], at) for row, at in zip(rows, clock.numbers, strict=True) if math.isfinite(at + steps[row])]
    gaps = sorted(later[1] - earlier[1] for earlier, later in pairwise(logged))
    usual = gaps[int(0.95 * len(gaps))] if len(gaps) >= 10 else math.inf
    least = max(_LONG_PAUSE, _TIMES_USUAL * usual)
    found = [(later[0], later[1] - earlier[1]) for earlier, later in pairwise(logged) if later[1] - earlier[1] >= least]
    if len(found) > _MOST_PAUSES:
        return ()
    return tuple((step, f"{PAUSE}: nothing was logged for {gap:.0f} s, mostly {usual:.3g} s") for step, gap in found)


def counts_phases(name: str) -> bool:
    """Return whether a column says what an epoch is one of: part of the history, and no result."""
    return simple(name) in _ABOVE_EPOCH and names_phase(name)


def _above(table: Table, step_name: str) -> str | None:
    """Return the column with each of whose values epochs begin again; None where they simply go on."""
    above = next((name for name in sorted(table.columns) if simple(name) in _ABOVE_EPOCH), None)
    if above is None or simple(step_name) not in ("epoch", "epochs"):
        return None
    epochs, held = table.columns[step_name], table.columns[above]
    if any(any(one.kinds) or (one.rows is not None and len(one.rows) < table.n_rows) for one in (epochs, held)):
        return None
    begun = [at for at, (one, next_) in enumerate(pairwise(epochs.numbers), 1) if next_ <= one]
    return (
        above
        if begun == [at for at, (one, next_) in enumerate(pairwise(held.numbers), 1) if next_ != one] != []
        else None
    )


def _texts(series: Series | None) -> list[Point]:
    """Return the points of a column of events that say something."""
    return [point for point in series.points if point.value not in (None, 0.0, "", "False")] if series else []


def _steps(table: Table, step_name: str | None, warnings: list[str]) -> array[float]:
    """Return the step of each row; NaN where it has none that is a number."""
    if step_name is None:
        return array("d", range(table.n_rows))
    column = table.columns.get(step_name)
    if column is not None and column.rows is None and max(column.kinds, default=0) == 0:
        steps = column.numbers
    else:
        steps = array("d", [math.nan]) * table.n_rows
        if column is not None:
            for row, number in zip(column.rows or range(table.n_rows), column.numbers, strict=True):
                steps[row] = number
    lost = sum(not abs(step) <= LARGEST for step in steps)
    if lost:
        steps = array("d", [step if abs(step) <= LARGEST else math.nan for step in steps])
        warnings.append(f"{lost} rows whose {step_name} is not a number are left out")
    return steps


def _points(column: Column, steps: array[float]) -> Points:
    """Return the points of a column at rows that have a step."""
    if column.rows is not None and len(column.rows) < len(steps):
        steps = array("d", map(steps.__getitem__, column.rows))
    if not any(map(math.isnan, steps)):
        return Points(steps, column)
    made = Points()
    for point in Points(steps, column):
        if not math.isnan(point.step):
            made.add(point.step, point.value)
    return made


def _flat(row: Row, prefix: str = "") -> Row:
    if not any(isinstance(value, Mapping) for value in row.values()):
        return {f"{prefix}{name}": value for name, value in row.items()} if prefix else row
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def batch_of(row: Row) -> BatchRow:
    """Return a row that `log_batch_metrics` wrote as a batch; a value that is not a finite number is None."""
    items = row.get("items")
    profile = row.get("profile")
    return BatchRow(
        step=_number(row.get("step")) or 0.0,
        batch_idx=int(_number(row.get("batch_idx")) or 0),
        metrics=_numbers(row["metrics"]),
        items=tuple(str(item) for item in items) if isinstance(items, list | tuple) else (),
        profile=_numbers(profile) if isinstance(profile, Mapping) else {},
        phase="eval" if row.get("phase") == "eval" else "train",
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, float | None]:
    return {str(name): _number(value) for name, value in values.items()}


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) <= LARGEST else None


def _bare(name: str) -> str:
    """Return a system metric's name without its prefix; any other name as it is."""
    return next((name.removeprefix(prefix) for prefix in SYSTEM_PREFIXES if name.startswith(prefix)), name)

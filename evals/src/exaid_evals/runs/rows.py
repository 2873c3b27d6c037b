"""From rows of logged values to a history: which column is the step, what belongs to the system, what is a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.runs.history import LARGEST, BatchRow, History, Point, Series, series_of

STEP_NAMES = ("step", "global_step", "_step", "trainer/global_step", "iteration", "iter", "epoch", "epochs")
"""Columns that count steps, the finest first."""
SYSTEM_PREFIXES = ("system/", "system.", "sys/", "_system/")
_EVENTS = ("event", "events", "restart", "resumed")
"""Columns that say what happened (`restart`, `resumed from step 200`) rather than how large something is."""
_NO_METRICS = frozenset({"_timestamp", "_runtime", "timestamp", "wall_time", "time", "date", "datetime"})

Row = Mapping[str, Any]


def history_of(
    run_name: str,
    source: str,
    rows: Iterable[Row],
    *,
    config: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    step_name: str | None = None,
    batches: Sequence[BatchRow] = (),
) -> History:
    """Build a history from rows in order of logging.

    A row with `batch_idx` and a mapping `metrics` is a batch (as `log_batch_metrics` writes it). Of the others the
    first step column that any row has counts the steps; where no row has one, rows are counted from 0. A row without
    a step that is a number is left out and told of.

    Args:
        run_name: of the run.
        source: the format's name.
        rows: column → value; what is not a number stays as text in its series.
        config: hyper-parameters.
        warnings: of the reader so far.
        step_name: the column that counts the steps, of a source that has one of its own; it counts if any row has it.
        batches: that were logged elsewhere.
    """
    among: list[BatchRow] = []
    steps: list[Row] = []
    for row in rows:
        if isinstance(row.get("metrics"), Mapping) and "batch_idx" in row:
            among.append(batch_of(row))
        else:
            steps.append(row)
    names = STEP_NAMES if step_name is None else (step_name, *STEP_NAMES)
    step_name = next((name for name in names if any(name in row for row in steps)), None)
    told = list(warnings)
    numbered = _numbered(steps, step_name, told)
    others: Counter[str] = Counter()
    by_metric = series_of([(step, _metrics(row, step_name, others)) for step, row in numbered])
    metrics, system = split_system(by_metric)
    series = {name: one for name, one in metrics.items() if name not in _EVENTS and _has_numbers(one)}
    events = tuple((point.step, f"{name}: {point.value}") for name in _EVENTS for point in _texts(metrics.get(name)))
    texts = [name for name in metrics if name not in series and name not in _EVENTS]
    told += [f"{name}: no value is a number; it is left out" for name in texts]
    told += [
        f"{name}: {count} rows hold lists, which are not metrics; they are left out" for name, count in others.items()
    ]
    return History(
        run_name,
        source,
        series,
        system,
        (*among, *batches),
        dict(config or {}),
        events,
        tuple(told),
        step_name=step_name,
    )


def split_system(series: Mapping[str, Series]) -> tuple[dict[str, Series], dict[str, Series]]:
    """Return the metrics, and the system's metrics without their prefix."""
    system = {_bare(name): Series(_bare(name), one.points) for name, one in series.items() if _bare(name) != name}
    return {name: one for name, one in series.items() if _bare(name) == name}, system


def _texts(series: Series | None) -> list[Point]:
    """Return the points of a column of events that say something."""
    return [point for point in series.points if point.value not in (None, 0.0, "")] if series else []


def _numbered(rows: Sequence[Row], step_name: str | None, warnings: list[str]) -> list[tuple[float, Row]]:
    if step_name is None:
        return [(float(number), row) for number, row in enumerate(rows)]
    numbered, lost = [], 0
    for row in rows:
        step = _number(row.get(step_name))
        if step is None:
            lost += 1
        else:
            numbered.append((step, row))
    if lost:
        warnings.append(f"{lost} rows whose {step_name} is not a number are left out")
    return numbered


def _metrics(row: Row, step_name: str | None, others: Counter[str]) -> dict[str, Any]:
    """Return the metrics of a row; what holds several values (histograms, media) is counted in `others`."""
    metrics = {}
    for name, value in _flat(row).items():
        if name == step_name or name in _NO_METRICS:
            continue
        if isinstance(value, list | tuple):
            others[name] += 1
        else:
            metrics[name] = value
    return metrics


def _flat(row: Row, prefix: str = "") -> dict[str, Any]:
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


def _has_numbers(series: Series) -> bool:
    return any(not isinstance(point.value, str) and point.value is not None for point in series.points)


def _bare(name: str) -> str:
    """Return a system metric's name without its prefix; any other name as it is."""
    return next((name.removeprefix(prefix) for prefix in SYSTEM_PREFIXES if name.startswith(prefix)), name)

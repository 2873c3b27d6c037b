"""Tables that hold several runs.

In one long CSV a column names the run of each row, and the others are steps, settings or metrics. scikit-learn's
`cv_results_` has a row a candidate, what `cross_validate` returns a row a fold; as CSV (of a data frame) or JSON (a
list for each name).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import STEP_NAMES, Row
from exaid_evals.runs.tool_files import Entry, ManyRuns, file_in, head

_RUN_COLUMNS = ("run", "run_id", "run_name", "runid", "experiment_id", "exp", "exp_id")
_SETTINGS = ("seed", "model", "arch", "optimizer", "dataset", "lr", "batch_size", "fold", "trial", "group")
_HEADER = re.compile(rb"\A(?:\xef\xbb\xbf)?([^\n]*[,;\t|][^\n]*)\r?\n")


class LongCsvFormat(ManyRuns):
    """Reads a run for each name in the column `run`; long tables have a row a metric (`metric`, `value`)."""

    name = "long_csv"

    def file_of(self, place: Path) -> Path | None:
        """Return the file that has such a column; in a folder only a file that is named as holding runs."""
        if place.is_file():
            return file_in(place, (".csv", ".tsv"), _is_long)
        return file_in(place, ("runs.csv", "results.csv", "all_runs.csv", "experiments.csv"), _is_long)

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read the file."""
        warnings: list[str] = []
        rows = list(csv_rows(path, warnings))
        column = next(name for name in rows[0] if name.strip().lower() in _RUN_COLUMNS) if rows else ""
        groups: dict[str, list[Row]] = {}
        for row in rows:
            groups.setdefault(_text(row.get(column)), []).append(row)
        found = {name: _entry(members, column) for name, members in groups.items() if name}
        for entry in list(found.values())[:1]:
            entry.warnings += warnings
            if "" in groups:
                entry.warnings.append(f"{len(groups[''])} rows beside it name no run, and are left out")
        return found


def _entry(rows: list[Row], column: str) -> Entry:
    lowered = {name: name.strip().lower() for name in rows[0]}
    constant = {
        name: rows[0].get(name)
        for name in rows[0]
        if name != column and all(row.get(name) == rows[0].get(name) for row in rows)
    }
    settings = {
        name: value
        for name, value in constant.items()
        if lowered[name] in _SETTINGS or isinstance(value, str) or role_of_column(name) == "schedule"
    }
    settings = {name: value for name, value in settings.items() if value is not None and lowered[name] != "metric"}
    metric = next((name for name, low in lowered.items() if low in ("metric", "metric_name")), None)
    value = next((name for name, low in lowered.items() if low in ("value", "metric_value", "score")), None)
    steps = next((name for step in STEP_NAMES for name, low in lowered.items() if low == step), None)
    left = {column, *settings}
    found: list[Row] = []
    for at, row in enumerate(rows):
        step = row.get(steps) if steps else (0 if metric else at)
        if metric is not None and value is not None:
            found.append({"step": step, str(row.get(metric)): row.get(value)})
        else:
            kept = {name: one for name, one in row.items() if name not in left and one is not None}
            found.append({**kept, "step": step})
    config = {lowered[name]: one for name, one in settings.items()}
    fold, trial = config.pop("fold", None), config.pop("trial", None)
    return Entry(
        config=config,
        rows=found,
        step="epoch" if steps is not None and lowered[steps] == "epoch" and metric is None else "step",
        fold=int(fold) if isinstance(fold, float) and fold.is_integer() else None,
        trial=None if trial is None else _text(trial),
    )


def _is_long(path: Path) -> bool:
    found = _HEADER.match(head(path))
    if found is None:
        return False
    columns = [cell.strip().strip('"').lower() for cell in re.split(r"[,;\t|]", found[1].decode("utf-8", "replace"))]
    return len(columns) > 1 and any(name in _RUN_COLUMNS for name in columns)


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


_CSV = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\"?\"?,)?[^\n]*\b(?:mean_)?fit_time\b[^\n]*\b(?:mean_test_\w+|test_\w+)")
_JSON = re.compile(rb'\A\s*\{\s*"(?:mean_)?fit_time"\s*:\s*\[')


class SklearnFormat(ManyRuns):
    """Reads a run a candidate, with the mean over its folds, or a run a fold."""

    name = "sklearn"

    def file_of(self, place: Path) -> Path | None:
        """Return the table; of one result in both forms the JSON, which is written in full."""
        return file_in(place, (".json",), lambda path: bool(_JSON.match(head(path))), ("cv_results.json",)) or file_in(
            place, (".csv",), lambda path: bool(_CSV.match(head(path))), ("cv_results.csv",)
        )

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read the table."""
        warnings: list[str] = []
        rows = _of_lists(path) if path.suffix == ".json" else list(csv_rows(path, warnings))
        group = path.resolve().parent.name
        searched = any(key.startswith("mean_test_") for key in rows[0]) if rows else False
        found = {
            str(at): _candidate(row, at, group) if searched else _fold(row, at, group) for at, row in enumerate(rows)
        }
        if found:
            found["0"].warnings += warnings
        return found


def _candidate(row: Row, at: int, group: str) -> Entry:
    # Scores that were negated to be maximised improve upwards too: all scores of scikit-learn do.
    metrics = {key: value for key, value in row.items() if re.match(r"mean_(?:test|train)_", key)}
    spread = {key: value for key, value in row.items() if key.startswith("std_")}
    splits = {key: value for key, value in row.items() if key.startswith("split")}
    config = {key.removeprefix("param_"): value for key, value in row.items() if key.startswith("param_")}
    if not config and (params := _mapping(row.get("params"))):
        config = params
    times = {key: value for key, value in row.items() if key in ("mean_fit_time", "mean_score_time")}
    attributes = {"std": spread, "splits": splits, "beside_metrics": times}
    return Entry(
        metrics=metrics,
        config={key: value for key, value in config.items() if value not in (None, "")},
        trial=str(at),
        group=group,
        attributes={key: value for key, value in attributes.items() if value},
        higher=tuple(sorted(metrics)),
    )


def _fold(row: Row, at: int, group: str) -> Entry:
    metrics = {key: value for key, value in row.items() if key.startswith(("test_", "train_"))}
    times = {key: value for key, value in row.items() if key in ("fit_time", "score_time")}
    return Entry(
        metrics=metrics, fold=at, group=group, attributes={"beside_metrics": times}, higher=tuple(sorted(metrics))
    )


def _of_lists(path: Path) -> list[Row]:
    data = {key: value for key, value in read_object(path).items() if isinstance(value, list)}
    lengths = {len(column) for column in data.values()}
    if len(lengths) != 1:
        raise DataError("holds lists of different lengths", where=str(path), remedy="write or copy it again")
    return [{key: column[at] for key, column in data.items()} for at in range(lengths.pop())]


def _mapping(value: Any) -> dict[str, Any]:
    """Return parameters, which a CSV holds as Python writes a mapping."""
    if isinstance(value, dict):
        return value
    try:
        found = json.loads(str(value).replace("'", '"').replace("True", "true").replace("False", "false"))
    except ValueError:
        return {"params": value} if value else {}
    return found if isinstance(found, dict) else {"params": value}

"""scikit-learn's searches and cross-validations as tables.

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
from exaid_evals.runs.files.document import lists_of, read_document
from exaid_evals.runs.files.values import mappings_of
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.formats.run_tables import text_of
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import Entry, ManyRuns, file_in, head

_CSV = re.compile(
    # The first column of times does: without `?>` each of many would be tried.
    rb"\A(?:\xef\xbb\xbf)?(?:\"?\"?,)?(?>[^\n]*?\b(?:mean_)?fit_time\b)[^\n]*\b(?:mean_test_\w+|test_\w+)"
)
_JSON = re.compile(rb'\A\s*(?:\{|\[\s*\{|\{\s*"0"\s*:\s*\{)\s*(?:"[^"]*"\s*:\s*\d+\s*,\s*)?"(?:mean_)?fit_time"\s*:')
_TURNED = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\"\")?,0(?:,\d+)*\r?\n(?:mean_)?fit_time,")
"""A table whose rows are the columns of `cv_results_`, a column a candidate."""


class SklearnFormat(ManyRuns):
    """Reads a run a candidate, with the mean over its folds, or a run a fold."""

    name = "sklearn"

    def file_of(self, place: Path) -> Path | None:
        """Return the table; of one result in both forms the JSON, which is written in full."""
        return file_in(place, (".json",), lambda path: bool(_JSON.match(head(path))), ("cv_results.json",)) or file_in(
            place, (".csv",), lambda path: any(sign.match(head(path)) for sign in (_CSV, _TURNED)), ("cv_results.csv",)
        )

    def entries(self, path: Path) -> Mapping[str, Entry]:
        """Read the table."""
        warnings: list[str] = []
        rows = _of_lists(path) if path.suffix == ".json" else list(csv_rows(path, warnings))
        if path.suffix != ".json" and _TURNED.match(head(path)):
            rows = [{str(row[""]): row[at] for row in rows} for at in [*rows[0]][1:]] if rows else []
        group = path.resolve().parent.name if path.stem.startswith("cv") else path.stem
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
    rounds = {key: row[key] for key in ("iter", "n_resources") if key in row}  # of a search by halving
    attributes = {"std": spread, "splits": splits, "beside_metrics": times, "halving": rounds}
    return Entry(
        metrics=metrics,
        config={key: value for key, value in config.items() if value not in (None, "")},
        # A table that was sorted keeps the candidates' numbers where pandas wrote them.
        trial=text_of(row.get("", row.get("Unnamed: 0", at))) or str(at),
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
    data = read_document(path)
    if isinstance(data, list):
        return list(mappings_of(data))
    if data and all(key.isdecimal() and isinstance(row, dict) for key, row in data.items()):
        return [{"": key, **row} for key, row in data.items()]
    columns = lists_of(data)
    if len({len(column) for column in columns.values()}) != 1:
        raise DataError("holds lists of different lengths", where=str(path), remedy="write or copy it again")
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _mapping(value: Any) -> dict[str, Any]:
    """Return parameters, which a CSV holds as Python writes a mapping."""
    if isinstance(value, dict):
        return value
    try:
        found = json.loads(str(value).replace("'", '"').replace("True", "true").replace("False", "false"))
    except ValueError:
        return {"params": value} if value else {}
    return found if isinstance(found, dict) else {"params": value}

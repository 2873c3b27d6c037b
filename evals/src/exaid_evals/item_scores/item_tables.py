"""Tables with a row an item: what MLflow writes, and predictions with their true labels.

MLflow: the table that `mlflow.evaluate` logs, `eval_results_table.json`, or one saved as CSV; `val_predictions.csv`: as
`exaid-evals run-eval` and training scripts write it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.files import first_bytes
from exaid_evals.item_scores.base import Item, Log, LogFormat, digest, excerpt, made_id, number, numbered_epochs
from exaid_evals.runs.files.delimited import open_delimited
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.predictions import Layout

_BEGINNING = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{\s*"(?:columns|index|data)"\s*:\s*\[')
_SCORE = re.compile(r"^(?P<metric>[^/]+)(?:/v\d+)?/(?:score|value)$")
_HEADER = re.compile(rb'(?:^|,)"?(?:inputs?|request|question)"?(?:,|\r?\n)')
_INPUTS = ("inputs", "input", "request", "question", "prompt", "query")
_TARGETS = ("ground_truth", "targets", "target", "expectations", "expected_response", "label")
_OUTPUTS = ("outputs", "output", "response", "prediction", "predictions")
_IDS = ("id", "item_id", "example_id", "question_id", "request_id", "row_id")
# What MLflow counts of every answer beside its quality.
_COUNTED = {"token_count", "latency", "execution_duration", "timestamp_ms", "index"}
_OUTER = re.compile(r"/(?:justification|rationale|error_message|error_code|metadata)$")


class MlflowTable(LogFormat):
    """Reads a table: its numbers per row, items distinguished by an id, else by their inputs."""

    name = "mlflow"

    def claims(self, path: Path) -> bool:
        """Return whether a JSON file begins as a data frame, or a CSV has a column of inputs."""
        beginning = first_bytes(path, 4096)
        if path.suffix == ".csv":
            return _HEADER.search(beginning.split(b"\n")[0] + b"\n") is not None
        return path.suffix == ".json" and _BEGINNING.match(beginning) is not None

    def read(self, path: Path) -> Sequence[Log]:
        """Read a table."""
        if path.suffix == ".csv":
            file = open_delimited(path)
            rows: list[dict[str, Any]] = [dict(zip(file.columns, row, strict=True)) for _, row in file.rows()]
        else:
            rows = _frame(path)
        if not rows:
            raise DataError("holds no row", where=str(path), remedy="wait for its end, or leave it out")
        columns = list(rows[0])
        asked, target, output = (_first(columns, names) for names in (_INPUTS, _TARGETS, _OUTPUTS))
        key = _unique(rows, columns)
        texts = {asked, target, output, key}
        metrics = {column: name for column in columns if (name := _metric(column, rows, texts)) is not None}
        if not metrics:
            raise DataError("has no column of scores", where=str(path), remedy=f"there are {', '.join(columns)[:120]}")
        if asked is None and key is None:
            raise DataError(
                "has nothing that distinguishes items", where=str(path), remedy=f"add a column {_INPUTS[0]} or id"
            )
        ids = [str(row[key]) if key else made_id(row.get(asked or "")) for row in rows]
        items = [
            Item(
                id=id_,
                epoch=epoch,
                scores={name: number(row[column]) for column, name in metrics.items()},
                content=digest(row[asked], row.get(target or "")) if asked else None,
                facts={column: row[column] for column in columns if column not in metrics},
                question=excerpt(row.get(asked or "")),
                target=excerpt(row.get(target or "")),
                answer=excerpt(row.get(output or "")),
            )
            for row, id_, epoch in zip(rows, ids, numbered_epochs(ids), strict=True)
        ]
        return [Log(task="", system="", format=self.name, file=path.name, items=items)]


def _metric(column: str, rows: Sequence[Mapping[str, Any]], texts: set[str | None]) -> str | None:
    """Return the name of a column of scores; None where it is none."""
    values = [row[column] for row in rows if row[column] not in (None, "")]
    if column in texts or column in _COUNTED or _OUTER.search(column) or not values:
        return None
    if any(number(value) is None for value in values):
        return None
    found = _SCORE.match(column)
    return found["metric"] if found else column


def _unique(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str | None:
    """Return the column of ids; a request's own id is of this run alone, and serves no comparison."""
    names = [name for name in _IDS if name in columns and name != "request_id"]
    return next((name for name in names if all(row[name] not in (None, "") for row in rows)), None)


def _frame(path: Path) -> list[dict[str, Any]]:
    data = read_object(path)
    columns, values = data.get("columns"), data.get("data")
    if not isinstance(columns, list) or not isinstance(values, list):
        raise DataError("is not a table", where=str(path), remedy="it must hold `columns` and `data`")
    names = [str(column) for column in columns]
    for number_, row in enumerate(values):
        if not isinstance(row, list) or len(row) != len(names):
            raise DataError(
                f"does not have {len(names)} cells", where=f"{path}: data[{number_}]", remedy="write or copy it again"
            )
    return [dict(zip(names, row, strict=True)) for row in values]


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


_PREDICTION_WORDS = (b"predict", b"pred", b"y_pred")


class RunEvalPredictions(LogFormat):
    """Reads predictions with their true labels; the system is the folder's name."""

    name = "run_eval"

    def claims(self, path: Path) -> bool:
        """Return whether a CSV file names predictions in its header."""
        if path.suffix != ".csv":
            return False
        header = first_bytes(path, 4096).split(b"\n")[0].lower()
        return any(word in header for word in _PREDICTION_WORDS)

    def read(self, path: Path) -> Sequence[Log]:
        """Read predictions."""
        file = open_delimited(path)
        layout = Layout.of(file)
        rows = [row for _, row in file.rows()]
        if not rows:
            raise DataError("holds no prediction", where=str(path), remedy="write or copy it again")
        warnings = list(file.warnings)
        if layout.item is None:
            ids = [str(place) for place in range(1, len(rows) + 1)]
            warnings.append("has no ids: rows are matched by their order")
        else:
            ids = [row[layout.item].strip() for row in rows]
        kept = [index for index in range(len(file.columns)) if index not in layout.scores]
        items = []
        for row, id_, epoch in zip(rows, ids, numbered_epochs(ids), strict=True):
            true, guess = row[layout.true].strip(), row[layout.predicted].strip()
            items.append(_item(id_, epoch, true, guess, {file.columns[index]: row[index] for index in kept}))
        system = path.resolve().parent.name
        return [Log("", system, self.name, path.name, items, warnings=tuple(warnings))]


def _item(id_: str, epoch: int, true: str, guess: str, facts: Mapping[str, Any]) -> Item:
    missing = not true or not guess
    return Item(
        id=id_,
        epoch=epoch,
        scores={} if missing else {"correct": float(_label(true) == _label(guess))},
        content=digest(_label(true)),
        facts=facts,
        target=excerpt(true),
        answer=excerpt(guess),
        failure="has no label" if missing else None,
    )


def _label(text: str) -> str | float:
    """Return a label such that `1` and the `1.0` of data frames are one."""
    value = number(text) if text[:1].isdigit() or text[:1] in "+-" else None
    return text if value is None else value

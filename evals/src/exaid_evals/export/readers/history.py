"""`train_history.csv|json`: how training went, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.export.base import History
from exaid_evals.export.readers.delimited import number, open_delimited
from exaid_evals.export.readers.document import read_document

Columns = Mapping[str, Sequence[float | None]]

_TRAIN_LOSS = ("train_loss", "training_loss", "loss", "loss_train", "train/loss")
_VAL_LOSS = ("val_loss", "validation_loss", "valid_loss", "loss_val", "val/loss", "eval_loss")
_EPOCHS = ("epochs", "n_epochs", "num_epochs", "max_epochs", "num_train_epochs")
_EARLY = ("early_stopping", "patience", "early_stopping_patience", "early_stop", "early_stopping_rounds")
GROWN = 2.0
"""A validation loss that ends above its least value times this has diverged."""


def read_history(path: Path, config: Mapping[str, Any]) -> tuple[History, list[str]]:
    """Read a history, and what is odd about its file.

    Args:
        path: the CSV or JSON file.
        config: of the run, for the number of epochs that was asked for.

    Raises:
        DataError: the file is damaged, or has no epoch.
    """
    warnings: list[str] = []
    if path.suffix == ".json":
        columns = _columns_of(read_document(path, keep_nan=True), path)
    else:
        columns, warnings = _columns_of_csv(path)
    n_epochs = max((len(column) for column in columns.values()), default=0)
    if not n_epochs:
        raise DataError("holds no epoch", where=str(path), remedy="write it again")
    val_loss = next((columns[name] for name in _VAL_LOSS if name in columns), None)
    finite = [
        (value, index) for index, value in enumerate(val_loss or ()) if value is not None and math.isfinite(value)
    ]
    final = {
        name: defined[-1]
        for name, column in columns.items()
        if (defined := [value for value in column if value is not None and math.isfinite(value)])
    }
    history = History(
        n_epochs=n_epochs,
        expected_epochs=_setting(config, _EPOCHS),
        may_stop_early=any(_truthy(config, name) for name in _EARLY),
        divergence=_divergence(columns),
        best_epoch=_epoch(columns, min(finite)[1]) if finite else None,
        final=dict(sorted(final.items())),
    )
    return history, warnings


def _divergence(columns: Columns) -> str | None:
    for name in (*_TRAIN_LOSS, *_VAL_LOSS):
        column = columns.get(name, ())
        for index, value in enumerate(column):
            if value is not None and not math.isfinite(value):
                return f"{name} is {value} in epoch {_epoch(columns, index)}"
    train = next((columns[name] for name in _TRAIN_LOSS if name in columns), ())
    losses = [value for value in train if value is not None]
    if len(losses) > 1 and losses[-1] > losses[0]:
        return f"the training loss ends at {losses[-1]:.4g}, above the {losses[0]:.4g} with which it began"
    val = next((columns[name] for name in _VAL_LOSS if name in columns), ())
    losses = [value for value in val if value is not None]
    if len(losses) > 1 and min(losses) > 0 and losses[-1] > GROWN * min(losses):
        return f"the validation loss ends at {losses[-1]:.4g}, over {GROWN:g} times its least value {min(losses):.4g}"
    return None


def _epoch(columns: Columns, index: int) -> int:
    """Return the epoch's own number where the history has one, else its place counted from 1."""
    epochs = columns.get("epoch", ())
    value = epochs[index] if index < len(epochs) else None
    return int(value) if value is not None and math.isfinite(value) else index + 1


def _columns_of_csv(path: Path) -> tuple[Columns, list[str]]:
    file = open_delimited(path)
    names = [name.lower() for name in file.columns]
    cells = list(zip(*(row for _, row in file.rows()), strict=True)) or [()] * len(names)
    columns: dict[str, list[float | None]] = {}
    for name, column in zip(names, cells, strict=True):
        if name not in columns:  # of a name that stands twice the first is meant
            columns[name] = _numbers(column)
    return {
        name: column for name, column in columns.items() if any(value is not None for value in column)
    }, file.warnings


def _columns_of(data: Any, path: Path) -> Columns:
    """Return the columns of a JSON history: a list of epochs, or names with a list each (as Keras writes)."""
    if isinstance(data, dict) and isinstance(nested := data.get("history", data.get("epochs")), list | dict):
        data = nested
    columns: dict[str, list[float | None]] = {}
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        for index, row in enumerate(data):
            for name, value in row.items():
                column = columns.setdefault(str(name).lower(), [None] * index)
                column.append(_value(value))
            for column in columns.values():
                column += [None] * (index + 1 - len(column))
    elif isinstance(data, dict):
        columns = {
            str(name).lower(): [_value(value) for value in values]
            for name, values in data.items()
            if isinstance(values, list)
        }
    else:
        raise DataError("is no history", where=str(path), remedy="write a list of epochs, or a list for each name")
    return columns


def _numbers(cells: Sequence[str]) -> list[float | None]:
    try:
        return list(map(float, cells))
    except ValueError:  # a gap, a decimal comma or a word
        return [_value(cell) for cell in cells]


def _value(value: object) -> float | None:
    """Return a number as it stands; a cell that is undefined or text is None, but for NaN and infinity themselves."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    try:
        value = number(text)
    except ValueError:
        return None
    # `NA` is a gap; `nan` is what a loss has become.
    return value if math.isfinite(value) or text.lower().strip("+-") in ("nan", "inf", "infinity") else None


def _setting(config: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for key, value in config.items():
        if key.rpartition(".")[2].lower() in names and isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _truthy(config: Mapping[str, Any], name: str) -> bool:
    return any(key.rpartition(".")[2].lower() == name and bool(value) for key, value in config.items())

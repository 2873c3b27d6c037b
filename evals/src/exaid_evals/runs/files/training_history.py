"""`train_history.csv|json`: how training went, epoch by epoch."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Training
from exaid_evals.runs.files.delimited import number, numbers, open_delimited
from exaid_evals.runs.files.document import read_document
from exaid_evals.runs.files.history_signs import divergence_of, epoch_of, gaps_in, loss_in, role_of

_EPOCH = "epoch"
_EPOCHS = ("epochs", "n_epochs", "num_epochs", "max_epochs", "num_train_epochs")
_EARLY = ("early_stopping", "early_stopping_patience", "early_stop", "early_stopping_rounds", "earlystopping")
_SWITCHES = ("enabled", "enable", "use", "active")
_UNDEFINED = ("nan", "inf", "infinity")
_GAPS = ("", "na", "n/a", "none", "null", "-", "–")


def read_history(path: Path, config: Mapping[str, Any]) -> tuple[Training, list[str]]:
    """Read a history, and what is odd about its file.

    Args:
        path: the CSV or JSON file.
        config: of the run, for the number of epochs that was asked for.

    Raises:
        DataError: the file is damaged, or has no epoch.
    """
    warnings: list[str] = []
    if path.suffix == ".json":
        written = _columns_of(read_document(path, keep_nan=True, warnings=warnings), path)
    else:
        written, warnings = _columns_of_csv(path)
    n_epochs = max((len(column) for column in written.values()), default=0)
    if not n_epochs:
        raise DataError("holds no epoch", where=str(path), remedy="write it again")
    columns = {name: _numbers(column) for name, column in written.items()}
    for name, column in columns.items():
        if role_of(name) is not None:
            warnings += _odd(name, written[name], column)
    return training_of(columns, config), warnings


def training_of(columns: Mapping[str, Sequence[float | None]], config: Mapping[str, Any]) -> Training:
    """Return what the columns of a history amount to, a value an epoch."""
    val_loss = loss_in(columns, "val")
    finite = [
        (value, index)
        for index, value in enumerate(columns[val_loss] if val_loss is not None else ())
        if value is not None and math.isfinite(value)
    ]
    final = {name: last for name, column in columns.items() if (last := _last(column)) is not None}
    return Training(
        n_epochs=max((len(column) for column in columns.values()), default=0),
        expected_epochs=_setting(config, _EPOCHS),
        may_stop_early=may_stop_early(config),
        divergence=divergence_of(columns),
        best_epoch=epoch_of(columns, min(finite)[1]) if finite else None,
        final=dict(sorted(final.items())),
    )


def may_stop_early(config: Mapping[str, Any]) -> bool:
    """Tell whether a configuration names a rule that ends training early.

    The patience of a learning-rate scheduler is none.

    >>> may_stop_early({"patience": 5}), may_stop_early({"scheduler.patience": 3})
    (True, False)
    >>> may_stop_early({"early_stopping.patience": 5, "early_stopping.enabled": False})
    False
    """
    for key, value in config.items():
        *above, last = key.lower().split(".")
        is_rule = any(part in _EARLY for part in (*above, last)) or (last == "patience" and not _of_scheduler(above))
        if is_rule and value not in (None, False, 0, "", "false", "no", "none") and last not in _SWITCHES:
            prefix = key[: -len(last)]
            if not any(config.get(f"{prefix}{switch}") is False for switch in _SWITCHES):
                return True
        elif is_rule and last in _SWITCHES and value is True:
            return True
    return False


def _of_scheduler(above: Sequence[str]) -> bool:
    return any("sched" in part or "plateau" in part or part in ("lr", "lr_decay", "annealing") for part in above)


def _odd(name: str, written: Sequence[object], column: Sequence[float | None]) -> list[str]:
    """Return what is odd about a loss: text among its numbers, and gaps that look like what NaN leaves."""
    if None not in column:
        return []
    texts = [
        (index, cell)
        for index, (cell, value) in enumerate(zip(written, column, strict=True))
        if value is None and cell is not None and str(cell).strip().lower() not in _GAPS
    ]
    if texts:
        index, cell = texts[0]
        shown = f"{name} is {str(cell)[:30]!r} in row {index + 1}"
        more = f", and {len(texts) - 1} further cells are not numbers either" if len(texts) > 1 else ""
        return [f"{shown}, which is not a number{more}: look at what was logged there"]
    gap = gaps_in(name, column)
    return [gap] if gap else []


def _columns_of_csv(path: Path) -> tuple[dict[str, Sequence[object]], list[str]]:
    file = open_delimited(path)
    columns: dict[str, Sequence[object]] = {}
    for name, column in zip(file.columns, file.cells(), strict=True):
        columns.setdefault(_EPOCH if name.lower() == _EPOCH else name, column)  # of two of a name the first is meant
    return columns, file.warnings


def _columns_of(data: Any, path: Path) -> dict[str, Sequence[object]]:
    """Return the columns of a JSON history: a list of epochs, or names with a list each (as Keras writes)."""
    if isinstance(data, dict) and isinstance(nested := data.get("history", data.get("epochs")), list | dict):
        data = nested
    columns: dict[str, list[object]] = {}
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        for index, row in enumerate(data):
            for name, value in row.items():
                columns.setdefault(str(name), [None] * index).append(value)
            for column in columns.values():
                column += [None] * (index + 1 - len(column))
    elif isinstance(data, dict):
        columns = {str(name): values for name, values in data.items() if isinstance(values, list)}
    else:
        raise DataError("is not a history", where=str(path), remedy="write a list of epochs, or a list for each name")
    return {_EPOCH if name.lower() == _EPOCH else name: column for name, column in columns.items()}


def _numbers(cells: Sequence[object]) -> list[float | None]:
    if cells and isinstance(cells[0], str):
        with contextlib.suppress(TypeError, ValueError):  # a gap, a decimal comma or a word
            return [*numbers(cells)]  # type: ignore[arg-type]
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
    return value if math.isfinite(value) or text.lower().strip("+-") in _UNDEFINED else None


def _last(column: Sequence[float | None]) -> float | None:
    """Return the last value that is a finite number."""
    return next((one for one in reversed(column) if one is not None and math.isfinite(one)), None)


def _setting(config: Mapping[str, Any], names: Sequence[str]) -> int | None:
    for key, value in config.items():
        if key.rpartition(".")[2].lower() in names and isinstance(value, int) and not isinstance(value, bool):
            return value
    return None

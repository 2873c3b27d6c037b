"""`train_history.csv|json`: how training went, epoch by epoch."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Training
from exaid_evals.runs.files.delimited import number, numbers, open_delimited
from exaid_evals.runs.files.document import read_document
from exaid_evals.runs.metric_names import direction_of_name, role_of_column, words_of

_EPOCH = "epoch"
_EPOCHS = ("epochs", "n_epochs", "num_epochs", "max_epochs", "num_train_epochs")
_EARLY = ("early_stopping", "early_stopping_patience", "early_stop", "early_stopping_rounds", "earlystopping")
_SWITCHES = ("enabled", "enable", "use", "active")
_UNDEFINED = ("nan", "inf", "infinity")
_GAPS = ("", "na", "n/a", "none", "null", "-", "–")


def read_history(path: Path, config: Mapping[str, Any]) -> tuple[Training, list[str]]:
    """Read a history, and what is odd about its file.

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
        raise DataError("holds no epoch", where=str(path), remedy="write or copy it again")
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
    """Return whether a configuration names a rule that ends training early.

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


Columns = Mapping[str, Sequence[float | None]]

GROWN = 2.0
"""A validation loss that ends above its least value times this has diverged; a share under its best through this."""

_TRAIN = frozenset({"train", "training", "tr"})
_VALIDATION = frozenset({"val", "valid", "validation", "eval", "dev"})
# What says how a loss was taken, and not of what.
_PASSED_OVER = frozenset({"epoch", "mean", "avg", "average", "total", "running"})


@lru_cache(maxsize=4096)
def role_of(name: str) -> str | None:
    """Return `train` or `val` for the loss of training or validation, `part` for any other loss; None for no loss.

    >>> role_of("Train Loss"), role_of("Loss/train"), role_of("loss"), role_of("valLoss"), role_of("train/box_loss")
    ('train', 'train', 'train', 'val', 'part')
    >>> role_of("val_accuracy") is None
    True
    """
    words = [word for word in words_of(name) if word not in _PASSED_OVER]
    if "loss" not in words:
        return None
    others = set(words) - {"loss"}
    if not others or (len(others) == 1 and others <= _TRAIN):
        return "train"
    return "val" if len(others) == 1 and others <= _VALIDATION else "part"


def loss_in(columns: Columns, role: str) -> str | None:
    """Return the first column that is the loss of training or of validation; None without one.

    Of `loss` and `train_loss` the latter is meant.
    """
    names = [name for name in columns if role_of(name) == role]
    return max(names, key=lambda name: len(words_of(name)) > 1, default=None)


def divergence_of(columns: Columns) -> str | None:
    """Return what shows that training diverged, as a clause; None where nothing does."""
    for name, column in columns.items():
        if role_of(name) is not None and not _all_finite(column):
            for index, value in enumerate(column):
                if value is not None and not math.isfinite(value):
                    return f"{name} is {value} in epoch {epoch_of(columns, index)}"
    if any(role_of_column(name) == "contested" and "loss" in words_of(name) for name in columns):
        return None  # a sum of what its method does not minimise: of adversaries, of a policy and its critic
    return _of_train(columns) or _of_validation(columns) or _of_shares(columns)


def _of_train(columns: Columns) -> str | None:
    losses = _defined(columns, loss_in(columns, "train"))
    some = max(1, len(losses) // 10)  # of steps, whose losses are noisy, many are logged
    if len(losses) < 2:
        return None
    began, ends = (sorted(part)[(len(part) - 1) // 2] for part in (losses[:some], losses[-some:]))
    if ends > began:
        return f"the training loss ends at {ends:.4g}, above the {began:.4g} with which it began"
    return None


def _of_validation(columns: Columns) -> str | None:
    losses = _defined(columns, loss_in(columns, "val"))
    if len(losses) < 2:
        return None
    least, last = min(losses), losses[-1]
    if least > 0:
        if last > GROWN * least:
            return f"the validation loss ends at {last:.4g}, over {GROWN:g} times its least value {least:.4g}"
    elif last > losses[0] + (losses[0] - least):  # no multiple of what is not above 0
        return f"the validation loss ends at {last:.4g}, further above its beginning than it ever fell below"
    return None


def _of_shares(columns: Columns) -> str | None:
    """Look at accuracies and the like, whose fall shows where no loss was written."""
    for name, column in columns.items():
        if role_of(name) is None and direction_of_name(name) == "higher":
            values = [value for value in column if value is not None and math.isfinite(value)]
            if len(values) > 1 and 0 < max(values) <= 1 and values[-1] < max(values) / GROWN:
                return f"{name} ends at {values[-1]:.4g}, under its best value {max(values):.4g} through {GROWN:g}"
    return None


def gaps_in(name: str, column: Sequence[float | None]) -> str | None:
    """Return what is odd about the empty cells of a loss; None where they come at intervals, or there are none.

    Losses are often written every few epochs, which leaves gaps of one length. Some loggers write nothing where a loss
    is NaN: then it ends early.
    """
    defined = [index for index, value in enumerate(column) if value is not None]
    if not defined:
        return f"{name} is empty in all {len(column)} epochs: look whether it was NaN, which some loggers leave out"
    trailing = len(column) - 1 - defined[-1]
    usual = max([defined[0], *(after - before - 1 for before, after in itertools.pairwise(defined))])
    if trailing > usual:
        return (
            f"{name} is empty in the last {trailing} of {len(column)} epochs: look whether it became NaN, which some "
            "loggers leave out"
        )
    return None


def epoch_of(columns: Columns, index: int) -> int:
    """Return the epoch's own number where the history has one, else its place counted from 1."""
    epochs = columns.get("epoch", ())
    value = epochs[index] if index < len(epochs) else None
    return int(value) if value is not None and math.isfinite(value) else index + 1


def _all_finite(column: Sequence[float | None]) -> bool:
    """Return whether all are finite, by one sum; one that overflows gives no."""
    return None not in column and math.isfinite(sum(column))  # type: ignore[arg-type]


def _defined(columns: Columns, name: str | None) -> list[float]:
    return [value for value in columns[name] if value is not None] if name is not None else []

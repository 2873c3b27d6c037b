"""What a history shows: which columns are losses, whether training diverged, and which cells say nothing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from exaid_evals.runs.metric_names import direction_of_name, words_of

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
    return _of_train(columns) or _of_validation(columns) or _of_shares(columns)


def _of_train(columns: Columns) -> str | None:
    losses = _defined(columns, loss_in(columns, "train"))
    if len(losses) > 1 and losses[-1] > losses[0]:
        return f"the training loss ends at {losses[-1]:.4g}, above the {losses[0]:.4g} with which it began"
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
    """Tell fast; a sum that overflows says no."""
    return None not in column and math.isfinite(sum(column))  # type: ignore[arg-type]


def _defined(columns: Columns, name: str | None) -> list[float]:
    return [value for value in columns[name] if value is not None] if name is not None else []

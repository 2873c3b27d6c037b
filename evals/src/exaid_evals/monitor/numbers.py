"""What training loops log: numbers of any kind, and what they say about the batch of a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from exaid_evals.anomalies.base import Anomaly

Row = dict[str, float]
_TEXT = (str, bytes, bytearray, memoryview)


def row_of(metrics: Mapping[Any, Any], problem: Callable[[str], None]) -> Row:
    """Return the numbers among metrics, by name.

    Args:
        metrics: name → value, of any kind.
        problem: is told of each that is left out.
    """
    row: Row = {}
    for given, value in metrics.items():
        try:
            name = given if type(given) is str else str(given)
        except Exception:  # an object of the user's
            problem("a metric's name is not text")
            continue
        number = number_of(value)
        if number is None:
            problem(f"not a number: {name:.100}")
        else:
            row[name] = number
    return row


def number_of(value: Any) -> float | None:
    """Return a logged value as a float; None for what is not a number: text, None, a list, a tensor of elements.

    NaN and infinities are numbers here.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if value is None or isinstance(value, _TEXT):
        return None
    try:
        # A tensor that needs its gradient must be asked by item(): float() of it warns.
        item = getattr(value, "item", None)
        if item is None:
            return float(value)
        if getattr(value, "mask", False) is not False and bool(value.mask):
            return None  # NumPy's masked arrays give the number under the mask
        plain = item()
        return None if isinstance(plain, _TEXT) else float(plain)
    except Exception:  # whatever a foreign object raises, it is not a number
        return None


_MOST_ITEMS = 20


def evidence_with(batch_info: Mapping[str, Any], one: Anomaly) -> Anomaly:
    """Return an anomaly whose evidence names the batch, and its first twenty items.

    Raises:
        Exception: whatever an item raises that cannot be written out.
    """
    more: dict[str, Any] = {}
    number = number_of(batch_info.get("batch_idx"))
    if number is not None and math.isfinite(number):
        more["batch_idx"] = int(number)
    items = batch_info.get("items")
    if isinstance(items, list | tuple):
        more["items"] = [str(item) for item in items[:_MOST_ITEMS]]
        more["n_items"] = len(items)
    return replace(one, evidence={**one.evidence, **more})


def log_batch(folder: Path, step: float, row: Mapping[str, float], batch_info: Mapping[str, Any]) -> None:
    """Write the batch into the batch log beside the history, if it has a `batch_idx`.

    Raises:
        OSError: the file cannot be written.
        TypeError, ValueError: the batch is of another form than `log_batch_metrics` takes.
    """
    from exaid_evals.analysis.batches.log import log_batch_metrics

    if "batch_idx" not in batch_info:
        return
    phase: Literal["train", "eval"] = "eval" if batch_info.get("phase") == "eval" else "train"
    log_batch_metrics(
        int(batch_info["batch_idx"]), step, row, batch_info.get("items") or (),
        profile=batch_info.get("profile"), phase=phase, folder=folder,
    )  # fmt: skip

"""What a training loop says about the batch of a step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.monitor.numbers import number_of

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

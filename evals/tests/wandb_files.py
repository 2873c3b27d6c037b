"""Reads what W&B's offline client has written, with W&B's own reader."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest


def history_of(path: Path) -> list[dict[str, Any]]:
    """Return the logged rows of an offline file, once W&B's other process has written its end."""
    give_up = time.monotonic() + 60
    while True:
        records = _records(path)
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            break
        assert time.monotonic() < give_up, f"{path} has no end"
        time.sleep(0.1)
    return [
        {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]


def _records(path: Path) -> list[Any]:
    from wandb.proto import wandb_internal_pb2

    reader = pytest.importorskip("wandb.sdk.internal.datastore", reason="this wandb cannot read what it writes")
    store = reader.DataStore()
    store.open_for_scan(str(path))
    records = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(record)
    return records

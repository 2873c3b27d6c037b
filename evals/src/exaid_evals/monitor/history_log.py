"""The history that a monitor writes, so that `analyze` can read the run afterwards."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

HISTORY = "history.jsonl"


class HistoryLog:
    """Appends a row a step to `history.jsonl`, whole lines only.

    Numbers are not rounded as in records: a learning rate of 3e-7 has to stay one. NaN and infinities, which JSON
    lacks, are written as text that every reader of numbers knows ("NaN"): a null would say that nothing was logged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / HISTORY
        self._stream: IO[bytes] | None = None

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._path

    def write(self, step: float, metrics: Mapping[str, float]) -> None:
        """Write a row.

        Raises:
            OSError: the file cannot be written.
        """
        if self._stream is None:
            self._stream = self._opened()
        row: dict[str, float | str] = {name: _plain(value) for name, value in metrics.items()}
        row["step"] = int(step) if step.is_integer() else step
        line = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        # A lone surrogate, which only a damaged name can hold, has no UTF-8.
        self._stream.write(line.encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _opened(self) -> IO[bytes]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        stream = self._path.open("a+b", buffering=0)
        # A killed process may have left half a line, to which nothing must be joined.
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        return stream


def _plain(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

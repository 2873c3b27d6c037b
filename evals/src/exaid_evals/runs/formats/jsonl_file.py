"""Histories in JSON Lines: an object a step, as most hand-written training loops and `log_batch_metrics` write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from exaid_evals.runs.base import Source
from exaid_evals.runs.files.json_lines import objects
from exaid_evals.runs.following import FollowedRows
from exaid_evals.runs.history_files import HistoryFile
from exaid_evals.runs.rows import Row


class JsonlFormat(HistoryFile):
    """Reads JSON Lines, NaN and infinities as Python writes them included."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the objects; a line that is none is left out and told of."""
        return objects(path, warnings)

    def may_become(self, place: Path) -> bool:
        """Tell by the suffix."""
        return place.suffix.lower() in self.suffixes

    def follow(self, source: Source) -> FollowedRows:
        """Read lines as they come."""
        return FollowedJsonl(source.path)


class FollowedJsonl(FollowedRows):
    """JSON Lines that grow."""

    source = "jsonl"

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the object of a line."""
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.odd("lines that are not JSON objects")
            return None
        return value

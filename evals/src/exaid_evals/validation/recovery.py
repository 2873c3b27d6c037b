"""Journals of recoveries: actions are numbered in order, and what became of one is said once, after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from exaid_evals.validation.base import FileCheck, Finding, Record, Surroundings


class RecoveryCheck(FileCheck):
    """Holds outcomes against the actions before them."""

    schema = "exaid.recovery"
    remedy = "the journal is not as the training wrote it; restore it"

    def __init__(self, path: Path, surroundings: Surroundings, add: Callable[[Finding], None]) -> None:
        super().__init__(path, surroundings, add)
        self._next = 0
        self._open: set[int] = set()

    def record(self, line: int, record: Record) -> None:
        """Take the next record; a checkpoint's manifest stands alone in its file."""
        if record["record_type"] == "checkpoint":
            if line > 1:
                self.found(line, "a manifest of a checkpoint among other records")
            return
        if record["index"] != self._next:
            self.found(line, f"index is {record['index']}, and {self._next} comes next")
        self._next = record["index"] + 1
        if record["record_type"] == "action":
            if record["done"] and record["counted"]:
                self._open.add(record["index"])
            return
        if record["action"] not in self._open:
            self.found(line, f"the outcome is of action {record['action']}, which is not waiting for one")
        self._open.discard(record["action"])
        if record["outcome"] != "open" and not record["n_values"] and record["outcome"] != "superseded":
            self.found(line, f"the outcome is {record['outcome']}, and no value was measured since the action")

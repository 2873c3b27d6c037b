"""The journal of what was done: a line for each action, and one for what became of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.schemas import header
from exaid_evals.errors import DataError

JOURNAL = "recovery.jsonl"


class Journal:
    """Appends records `exaid.recovery` to `recovery.jsonl`; whole lines, one write each."""

    def __init__(self, folder: Path) -> None:
        """Open the journal of a folder; what is there is counted.

        Raises:
            DataError: a line of it is no record.
        """
        self._path = folder / JOURNAL
        self.n_records = self.n_counted = 0
        self.counted_so_far(self._path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def counted_so_far(self, path: Path) -> None:
        """Count the records, and the actions that use up the configured number."""
        if not path.is_file():
            return
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                record = json.loads(line)
                self.n_counted += record["record_type"] == "action" and bool(record["counted"])
            except (ValueError, KeyError, TypeError):
                remedy = "remove the line, or name another checkpoint_dir"
                raise DataError("is no record of a recovery", where=f"{path}:{number}", remedy=remedy) from None
            self.n_records += 1

    def write(self, record_type: str, **fields: Any) -> None:
        """Append a record.

        Raises:
            OSError: the file cannot be written.
        """
        record = {**header("exaid.recovery"), "record_type": record_type, "index": self.n_records, **fields}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as stream:
            stream.write(canonical_bytes(record) + b"\n")
        self.n_records += 1

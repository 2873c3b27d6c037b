"""What the recovery says about itself: a line for each action and each outcome, the log, problems for the monitor."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.atomic import append_whole
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.redaction import printable
from exaid_evals.artifacts.schemas import header
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import append_descriptor, open_regular
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.strategies import ActionOutcome

JOURNAL = "recovery.jsonl"


class Journal:
    """Appends records `exaid.recovery` to `recovery.jsonl`; whole lines, one write each.

    Attributes:
        n_records: index of the next record. One that could not be written has had its index all the same.
        n_counted: actions in the file that use up the configured number.
        torn: bytes of a last line that a killed process left unfinished; the first record takes their place.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        """Open the journal of a folder; what is there is counted.

        Raises:
            ConfigError: there are records, and `resume` is not given.
            DataError: a line of it is not a record; it is a link or a pipe.
        """
        self._path = folder / JOURNAL
        self.n_records = self.n_counted = self.torn = 0
        if not os.path.lexists(self._path):
            return
        with open_regular(self._path, follow=False, remedy="move it away, or name another checkpoint_dir") as stream:
            data = stream.read()
        whole, end, rest = data.rpartition(b"\n")
        self._count(whole + end)
        self.torn = len(rest)
        if self.n_records and not resume:
            remedy = "name another folder, remove the journal, or set resume: true if this is the same training"
            raise ConfigError("holds the journal of another training", where=str(self._path), remedy=remedy)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def _count(self, data: bytes) -> None:
        for number, line in enumerate(data.splitlines(), start=1):
            try:
                record = json.loads(line)
                self.n_counted += record["record_type"] == "action" and bool(record["counted"])
                self.n_records = max(self.n_records, int(record["index"]) + 1)
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                remedy = "remove the line, or name another checkpoint_dir"
                raise DataError(
                    "is not a record of a recovery", where=f"{self._path}:{number}", remedy=remedy
                ) from None

    def write(self, record_type: str, **fields: Any) -> None:
        """Append a record.

        Raises:
            OSError: the file cannot be written.
        """
        record = {**header("exaid.recovery"), "record_type": record_type, "index": self.n_records, **fields}
        self.n_records += 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(append_descriptor(self._path, follow=False), "ab", buffering=0) as stream:
            if self.torn:
                os.ftruncate(stream.fileno(), os.fstat(stream.fileno()).st_size - self.torn)
                self.torn = 0
            append_whole(stream, canonical_bytes(record) + b"\n")


_log = logging.getLogger("exaid_evals.monitor")
_REMEMBERED = 100


class Records:
    """The journal of a folder, and what could not be written into it: a full disk ends no training."""

    def __init__(self, folder: Path, store: CheckpointStore, *, resume: bool) -> None:
        """Open the journal.

        Raises:
            ConfigError: it is another training's.
            DataError: it is damaged.
        """
        self.journal = Journal(folder, resume=resume)
        self._store, self._n_refused = store, 0
        self._problems: deque[str] = deque(maxlen=_REMEMBERED)
        if self.journal.torn:
            self.problem(f"{self.journal.path}: the last line is not whole, and is left out")
        self.refused()

    def new_problems(self) -> list[str]:
        """Return what went wrong since the last call."""
        found = list(self._problems)
        self._problems.clear()
        return found

    def problem(self, what: str) -> None:
        """Write it to the log, and remember it for the monitor."""
        _log.error("recovery: %s", printable(what))
        self._problems.append(what)

    def refused(self) -> None:
        """Report which checkpoints were not believed since the last call."""
        for what in self._store.refused[self._n_refused :]:
            self.problem(what)
        self._n_refused = len(self._store.refused)

    def write(self, record_type: str, **fields: Any) -> None:
        """Append a record to the journal."""
        try:
            self.journal.write(record_type, **fields)
        except OSError as error:
            self.problem(f"{self.journal.path}: {record_type} not written ({error.strerror})")

    def outcome(
        self, trial: ActionOutcome, outcome: str, step: float, metric: str | None, levels: list[float | None]
    ) -> None:
        """Append what became of an action; `levels` are the metric's before and after."""
        before, after = levels
        self.write(
            "outcome", step=step, action=trial.index, outcome=outcome, metric=metric or "none",
            level_before=before, level_after=after, n_values=len(trial.after),
        )  # fmt: skip

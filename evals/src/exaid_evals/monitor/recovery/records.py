"""What the recovery says about itself: records in the journal, lines in the log, problems for the monitor."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.printable import printable
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.journal import Journal
from exaid_evals.monitor.recovery.judgement import ActionOutcome

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
        """Tell the log, and remember it for the monitor."""
        _log.error("recovery: %s", printable(what))
        self._problems.append(what)

    def refused(self) -> None:
        """Tell which checkpoints were not believed since the last call."""
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

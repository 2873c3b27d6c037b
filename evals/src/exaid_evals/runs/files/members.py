"""Folders that hold training runs one or two levels down."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.formats.training_run import TrainingRunFormat

_RESULTS = "results"


class MembersFormat(Format):
    """Base of readers whose runs are training runs in folders of certain names."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._of_run = TrainingRunFormat()

    @abstractmethod
    def is_member(self, name: str) -> bool:
        """Tell whether a folder's name is that of a member."""

    def claims(self, folder: Path) -> bool:
        """Tell whether the folder has a member."""
        return next(self._members(folder), None) is not None

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the members' runs, by number where their names end in one.

        A member without a run counts as one that cannot be read: it is told, and not passed over.
        """
        members = sorted(self._members(folder), key=lambda path: (_number(path.name), path.name))
        return [Source(run) for member in members for run in self._runs_in(member)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files of the member's run."""
        return self._of_run.inputs(source)

    def read(self, source: Source, name: str) -> Run:
        """Read a member's run."""
        return self._of_run.read(source, name)

    def _members(self, folder: Path) -> Iterator[Path]:
        try:
            with os.scandir(folder) as entries:
                found = [entry.name for entry in entries if self.is_member(entry.name) and entry.is_dir()]
        except OSError:
            return
        yield from (folder / name for name in found)

    def _runs_in(self, member: Path) -> list[Path]:
        """Return `fold_k/results` or `fold_k/results_*` where they are, else the member itself."""
        if self._of_run.claims(member):
            return [member]
        try:
            names = sorted(entry.name for entry in os.scandir(member) if entry.name.startswith(_RESULTS))
        except OSError:
            names = []
        return [member / name for name in names if (member / name).is_dir()] or [member]


def _number(name: str) -> int:
    digits = name[len(name.rstrip("0123456789")) :]
    return int(digits) if digits else -1

"""Folders of training runs that differ in their seeds: `results_1`, `results_2`, each a run or a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exaid_evals.runs.base import Settings, Source
from exaid_evals.runs.files.members import MembersFormat
from exaid_evals.runs.formats.folds import FoldsFormat

_RESULTS = "results"


class ResultsFoldersFormat(MembersFormat):
    """Reads every run of such a folder."""

    name = "results_folders"

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings)
        self._folds = FoldsFormat(settings)

    def is_member(self, name: str) -> bool:
        """Tell whether a folder's name is that of a run."""
        return name.startswith(_RESULTS)

    def claims(self, place: Path) -> bool:
        """Tell whether any such folder holds a run: others may be called so too."""
        return any(self._of_run.claims(member) or self._folds.claims(member) for member in self._members(place))

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs, those of cross-validations by their folds."""
        found: list[Source] = []
        for source in super().sources(place):
            folds = not self._of_run.claims(source.path) and self._folds.claims(source.path)
            found += self._folds.sources(source.path) if folds else [source]
        return found

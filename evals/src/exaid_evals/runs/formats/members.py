"""Folders that hold training runs one or two levels down: folds, trials of a search, runs over seeds."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files.position import is_fold, is_trial
from exaid_evals.runs.formats.training_run import TrainingRunFormat

_RESULTS = "results"
_SEARCH = ("hpo", "optuna", "ray_results", "sweep")


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


class FoldsFormat(MembersFormat):
    """Reads every fold of a cross-validation: `…/fold_k/results`, each a training run."""

    name = "folds"

    def is_member(self, name: str) -> bool:
        """Tell whether a folder's name is that of a fold."""
        return is_fold(name)


class TrialsFormat(MembersFormat):
    """Reads every trial of a search: `trial_*` anywhere, `results`, `results_1`, … in a folder named as a search."""

    name = "trials"

    def is_member(self, name: str) -> bool:
        """Tell whether a folder's name is that of a trial."""
        return is_trial(name)

    def _members(self, folder: Path) -> Iterator[Path]:
        yield from super()._members(folder)
        if folder.name.lower().startswith(_SEARCH):
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if _is_results(entry.name) and entry.is_dir()]
            except OSError:
                return
            yield from (folder / name for name in names)

    def read(self, source: Source, name: str) -> Run:
        """Read a trial; one that nothing numbers is called by the number behind `results`, the first one 0."""
        run = super().read(source, name)
        if run.trial is not None:
            return run
        number = source.path.name.removeprefix("results").strip("_") or "0"
        return replace(run, trial=number, group=run.group or source.path.parent.name or None)


class ResultsFoldersFormat(MembersFormat):
    """Reads runs that differ in their seeds: `results_1`, `results_2`, each a run or a cross-validation."""

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


def _number(name: str) -> int:
    digits = name[len(name.rstrip("0123456789")) :]
    return int(digits) if digits else -1


def _is_results(name: str) -> bool:
    """Tell whether a trial's folder is called so: the first one is `results`, and later ones have a number."""
    return name == "results" or name.startswith("results_")

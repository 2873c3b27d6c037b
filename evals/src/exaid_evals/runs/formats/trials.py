"""Searches over hyper-parameters: `hpo_runs/` with a training run a trial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from exaid_evals.runs.base import Run, Source
from exaid_evals.runs.files.members import MembersFormat
from exaid_evals.runs.files.position import is_trial

_SEARCH = ("hpo", "optuna", "ray_results", "sweep")


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


def _is_results(name: str) -> bool:
    """Tell whether a trial's folder is called so: the first one is `results`, and later ones have a number."""
    return name == "results" or name.startswith("results_")

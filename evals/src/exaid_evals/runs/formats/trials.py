"""Searches over hyper-parameters: `hpo_runs/` with a training run a trial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from exaid_evals.runs.files.members import MembersFormat
from exaid_evals.runs.files.position import is_trial

_SEARCH = ("hpo", "optuna", "ray_results", "sweep")


class TrialsFormat(MembersFormat):
    """Reads every trial of a search: `trial_*` anywhere, `results_*` in a folder that is named as a search."""

    name = "trials"

    def is_member(self, name: str) -> bool:
        """Tell whether a folder's name is that of a trial."""
        return is_trial(name)

    def _members(self, folder: Path) -> Iterator[Path]:
        yield from super()._members(folder)
        if folder.name.lower().startswith(_SEARCH):
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries if entry.name.startswith("results_") and entry.is_dir()]
            except OSError:
                return
            yield from (folder / name for name in names)

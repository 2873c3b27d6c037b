"""Folders of folds: `…/fold_k/results`, each a training run."""

from __future__ import annotations

from exaid_evals.runs.files.members import MembersFormat
from exaid_evals.runs.files.position import is_fold


class FoldsFormat(MembersFormat):
    """Reads every fold of a cross-validation."""

    name = "folds"

    def is_member(self, name: str) -> bool:
        """Tell whether a folder's name is that of a fold."""
        return is_fold(name)

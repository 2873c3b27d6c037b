"""The two sides of a comparison: a folder with files, or what is kept of a campaign in `evals/expected`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.verification.contents import Part, read_parts
from exaid_evals.verification.origins import STAGES, Stage, stage_of

OWN_EXPORT = "campaign"
"""What the one run of a campaign's own export is called."""

LOGS = "logs"
"""Folders of what was said while something was done, with the time of day: no result."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A value of which only a hash is kept: the first digits of the sha256 of its canonical JSON."""

    digits: str


class Side(Protocol):
    """One side of a comparison.

    Attributes:
        label: how messages call what this side has: `expected`, `made again`, `here`.
    """

    label: str

    def files(self) -> Mapping[str, str]:
        """Return path → content hash; in place of the hash of a damaged file, what is wrong with it."""

    def parts(self, path: str) -> Sequence[Part]:
        """Return a file's records.

        Raises:
            DataError: the file is damaged.
        """


class FolderSide:
    """A campaign's folder.

    Args:
        root: the campaign.
        label: how messages call what it has.
        stages: whose files count.
    """

    def __init__(self, root: Path, label: str, stages: Iterable[Stage]) -> None:
        self.label = label
        self._root = root
        self._stages = tuple(stages)

    def files(self) -> Mapping[str, str]:
        """Hash every file of the stages."""
        return {path: _hash_or_problem(self._root / path) for path in files_of(self._root, self._stages)}

    def parts(self, path: str) -> Sequence[Part]:
        """Read a file's records."""
        return read_parts(self._root / path)


def files_of(root: Path, stages: Iterable[Stage]) -> list[str]:
    """Return the paths inside a campaign of what stages have made, without hidden files and folders; sorted."""
    folders = [root / folder for stage in stages for folder in stage.folders]
    found = (path for folder in folders for path in folder.rglob("*") if path.is_file() and path.parent.name != LOGS)
    names = (path.relative_to(root).as_posix() for path in found)
    return sorted(name for name in names if "/." not in name and stage_of(name) is not None)


def stages_with_files(campaign: Campaign) -> tuple[Stage, ...]:
    """Return the stages that a campaign has been through.

    An export of other runs, which may lie in the campaign's folder too, is not a result of the campaign.
    """
    return tuple(
        stage
        for stage in STAGES
        if files_of(campaign.root, [stage]) and (stage.verb != "export" or _is_own_export(campaign))
    )


def holds_export_of_others(campaign: Campaign) -> bool:
    """Tell whether an export lies in the campaign's folder that is not of this campaign alone."""
    return not _is_own_export(campaign)


def _is_own_export(campaign: Campaign) -> bool:
    try:
        summary = json.loads((campaign.exports / "exported_summary.json").read_text(encoding="utf-8"))
        return [run["run"] for run in summary["runs"]] == [OWN_EXPORT]
    except (OSError, ValueError, KeyError, TypeError):
        return True  # missing or damaged: exactly what a comparison is to find


def _hash_or_problem(path: Path) -> str:
    try:
        return sha256_file(path)
    except DataError as error:
        return f"damaged: {error.what}"

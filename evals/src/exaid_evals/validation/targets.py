"""From what a user names to the files that are meant."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from exaid_evals.artifacts.storage import INDEX, is_shard, packed
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import is_folder, lies_in, unreadable
from exaid_evals.validation.base import FileCheck, Finding

_RECORD_SUFFIXES = (".jsonl", ".jsonl.gz")
_EXPORT = "exported_summary.json"
# Folders of a campaign that hold results for readers, not records.
_PASSED_OVER = frozenset({"tables", "figures"})


class Target(NamedTuple):
    """A file to check; of a large campaign there are millions, so its path is kept as text.

    Attributes:
        name: its path, absolute, without `..`; links stay as they are named.
        obstacle: why it cannot be checked; None where nothing is known against it.
    """

    name: str
    obstacle: Finding | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.name)

    @property
    def folder(self) -> str:
        """Name of the folder in which it lies."""
        return self.name.rsplit(os.sep, 2)[-2]


def campaign_targets(campaign: Campaign) -> list[Target]:
    """Return every record file of a campaign."""
    folders = (
        campaign.manifests,
        campaign.cases,
        campaign.traces,
        campaign.runs,
        campaign.cassettes,
        campaign.metrics,
        campaign.exports,
    )
    return _in_order(target for folder in folders if os.path.lexists(folder) for target in _walk(folder))


def named_targets(arguments: Sequence[str]) -> list[Target]:
    """Return the files that the arguments name: themselves, or the record files below a folder.

    Raises:
        ConfigError: names every path that does not exist and every glob that matches nothing.
    """
    found: list[Target] = []
    problems: list[ConfigError] = []
    for argument in arguments:
        if os.path.lexists(argument):
            found += _named(Path(argument))
        elif glob.has_magic(argument):
            matches = [Path(match) for match in glob.glob(argument, recursive=True)]  # noqa: PTH207 - keeps absolute ones
            chosen = [match for match in matches if match.is_dir() or _is_record_file(match.name)]
            found += [target for match in chosen for target in _named(match)]
            if not chosen:
                remedy = "quote it and check it; record files end in .jsonl or .jsonl.gz"
                problems.append(ConfigError("matches no record file or folder", where=argument, remedy=remedy))
        else:
            problems.append(ConfigError("no such file or folder", where=argument, remedy="check the path"))
    if problems:
        raise ConfigError.of(problems)
    return _in_order(found)


def _in_order(targets: Iterable[Target]) -> list[Target]:
    """Sort and drop what is named twice; manifests come last, when the traces that they list have been read."""
    unique = {target.name: target for target in targets}
    return sorted(unique.values(), key=_place)


def _place(target: Target) -> tuple[bool, str]:
    """Return what sorts as the parts of a path do: no name holds the character that ends them here."""
    return target.folder == "manifests", target.name.replace(os.sep, "\0")


def _named(path: Path) -> Iterator[Target]:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would rename links
    if path.is_dir():
        yield from _walk(path)
    else:
        yield Target(str(path))


def _is_record_file(name: str) -> bool:
    return not name.startswith(".") and (name.endswith(_RECORD_SUFFIXES) or name == _EXPORT)


def _walk(top: Path) -> Iterator[Target]:
    """Yield the record files below a folder, and what stands in the way. Links are followed, but not in circles."""
    waiting = [top]
    seen: set[str] = set()
    while waiting:
        folder = waiting.pop()
        if _is_record_file(folder.name):
            yield Target(str(folder), Finding(0, "is a folder, where a file must stand", "move or rename it"))
            continue
        real = os.path.realpath(folder)
        if folder.is_symlink() and lies_in(folder.parent, Path(real)):
            yield Target(str(folder), Finding(0, "a link that leads back to a folder above it", "remove the link"))
            continue
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found = unreadable(folder, error)
            yield Target(str(folder), Finding(0, found.what, found.remedy or ""))
            continue
        in_shards: set[str] = set()
        try:
            in_shards = set(packed(folder))
        except DataError as error:
            yield Target(str(folder / INDEX), Finding(0, error.what, error.remedy or FileCheck.remedy))
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if is_folder(entry):
                if entry.name not in _PASSED_OVER:
                    # Links wait until every real folder has been seen, under its own name.
                    waiting.insert(0 if entry.is_symlink() else len(waiting), folder / entry.name)
            elif _is_record_file(entry.name) and not is_shard(entry.name):
                yield Target(entry.path)
        yield from (Target(f"{folder}{os.sep}{name}") for name in sorted(in_shards - {entry.name for entry in entries}))

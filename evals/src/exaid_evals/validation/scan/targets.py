"""Which files are meant by what a user names: files, folders, globs, or a campaign."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError
from exaid_evals.validation.base import Finding

_RECORD_SUFFIXES = (".jsonl", ".jsonl.gz")
_EXPORT = "exported_summary.json"
# Folders of a campaign that hold results for readers, not records.
_PASSED_OVER = frozenset({"tables", "figures"})


class Target(NamedTuple):
    """A file to check.

    Attributes:
        path: absolute, without `..`; links stay as they are named.
        obstacle: why it cannot be checked; None where nothing is known against it.
    """

    path: Path
    obstacle: Finding | None = None


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


def _in_order(targets: Iterator[Target] | Sequence[Target]) -> list[Target]:
    """Sort and drop what is named twice; manifests come last, when the traces that they list have been read."""
    unique = {target.path: target for target in targets}
    return sorted(unique.values(), key=lambda target: (target.path.parent.name == "manifests", target.path.parts))


def _named(path: Path) -> Iterator[Target]:
    path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would rename links
    if path.is_dir():
        yield from _walk(path)
    else:
        yield Target(path)


def _is_record_file(name: str) -> bool:
    return not name.startswith(".") and (name.endswith(_RECORD_SUFFIXES) or name == _EXPORT)


def _walk(top: Path) -> Iterator[Target]:
    """Yield the record files below a folder, and what stands in the way. Links are followed, but not in circles."""
    waiting = [top]
    seen: set[str] = set()
    while waiting:
        folder = waiting.pop()
        if _is_record_file(folder.name):
            yield Target(folder, Finding(0, "is a folder, where a file must stand", "move or rename it"))
            continue
        real = os.path.realpath(folder)
        if folder.is_symlink() and folder.parent.resolve().is_relative_to(real):
            yield Target(folder, Finding(0, "a link that leads back to a folder above it", "remove the link"))
            continue
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            yield Target(folder, Finding(0, f"cannot be read ({error.strerror})", "check the folder's permissions"))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if entry.name not in _PASSED_OVER:
                    # Links wait until every real folder has been seen, under its own name.
                    waiting.insert(0 if entry.is_symlink() else len(waiting), folder / entry.name)
            elif _is_record_file(entry.name):
                yield Target(folder / entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False

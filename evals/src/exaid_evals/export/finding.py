"""Folders that a pattern matches: like glob, but no loop of links is walked twice, and no obstacle is passed over."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_MAGIC = re.compile(r"[*?\[]")


def matching_folders(pattern: str) -> tuple[list[Path], list[str]]:
    """Return the folders that a pattern matches, each once under its first name, and what could not be searched.

    Args:
        pattern: as a shell knows it, with `**` for any number of folders; `~` is the home folder. Names that begin
            with a dot match only where the pattern says the dot.
    """
    parts = Path(pattern).expanduser().parts
    top = Path(parts[0]) if Path(parts[0]).is_absolute() else Path()
    search = _Search()
    found = search.below(top, parts[1:] if Path(parts[0]).is_absolute() else parts)
    unique: dict[str, Path] = {}
    for folder in sorted(found):
        unique.setdefault(os.path.realpath(folder), folder)
    return list(unique.values()), search.obstacles


class _Search:
    def __init__(self) -> None:
        self.obstacles: list[str] = []

    def below(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        """Yield the folders below one that the parts of a pattern match."""
        if not parts:
            yield folder
            return
        part, *others = parts
        if part == "**":
            for place in self._every(folder):
                yield from self.below(place, others)
        elif not _MAGIC.search(part):
            if (folder / part).is_dir():
                yield from self.below(folder / part, others)
        else:
            for name in self._folders_in(folder):
                if fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith(".")):
                    yield from self.below(folder / name, others)

    def _every(self, top: Path) -> Iterator[Path]:
        """Yield a folder and every one below it, real folders before links to them."""
        waiting, seen = [top], set()
        while waiting:
            folder = waiting.pop(0)
            try:
                status = folder.stat()
            except OSError:
                continue
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            yield folder
            waiting += [folder / name for name in self._folders_in(folder) if not name.startswith(".")]

    def _folders_in(self, folder: Path) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entry.name for entry in entries if _is_folder(entry))
        except OSError as error:
            line = f"{folder}: cannot be searched ({error.strerror}); check its permissions"
            if line not in self.obstacles:
                self.obstacles.append(line)
            return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False

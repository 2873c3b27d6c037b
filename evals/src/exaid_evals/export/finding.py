"""Folders that runs may be in: those that a pattern matches, without loops of links; and what lies beside runs."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from exaid_evals.errors import ConfigError
from exaid_evals.files import is_folder
from exaid_evals.runs.base import Source

_MAGIC = re.compile(r"[*?\[]")
_NOTED_AT_MOST = 20
_LEFT_OUT_AT_MOST = 8
NO_RUNS = frozenset({"export", "exports", "logs", "plots", "figures", "tables", "configs", "code", "src"})
"""Folders beside runs that nobody takes for one."""


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
    real = RealPaths()
    # Folders come before links to them: a run is called by its own name.
    for linked, folder in sorted((folder.is_symlink(), folder) for folder in found):
        first = unique.setdefault(real.of(folder), folder)
        if first != folder:
            what = "is a link to" if linked else "is by way of a link the same as"
            search.note(f"{folder}: {what} {first}, which is read already; passed over")
    return sorted(unique.values()), search.notes()


class _Search:
    def __init__(self) -> None:
        self._obstacles: dict[str, None] = {}

    def note(self, line: str) -> None:
        """Keep what stood in the way, once."""
        self._obstacles[line] = None

    def notes(self) -> list[str]:
        """Return what stood in the way, the first ones where there are many."""
        lines = list(self._obstacles)
        more = len(lines) - _NOTED_AT_MOST
        return lines[:_NOTED_AT_MOST] + ([f"{more} further links and folders were passed over"] if more > 0 else [])

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
            if is_folder(folder / part):
                yield from self.below(folder / part, others)
            elif (folder / part).is_symlink():
                self._note_dead(folder / part)
        else:
            names, dead = self._folders_in(folder)
            for name in names:
                if _fits(name, part):
                    yield from self.below(folder / name, others)
            for name in dead:
                if _fits(name, part):
                    self._note_dead(folder / name)

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
                if folder.is_symlink():
                    self.note(f"{folder}: is a link to a folder that is searched already; passed over")
                continue
            seen.add((status.st_dev, status.st_ino))
            yield folder
            names, _ = self._folders_in(folder)
            below = [folder / name for name in names if not name.startswith(".")]
            waiting += sorted(below, key=lambda one: one.is_symlink())

    def _folders_in(self, folder: Path) -> tuple[list[str], list[str]]:
        """Return the names of a folder's folders, and of its links that lead nowhere."""
        folders, dead = [], []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if is_folder(entry):
                        folders.append(entry.name)
                    elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110 - of many
                        dead.append(entry.name)
        except OSError as error:
            self.note(f"{folder}: cannot be searched ({error.strerror}); check its permissions")
        return sorted(folders), sorted(dead)

    def _note_dead(self, link: Path) -> None:
        target = link.readlink()
        to_itself = os.path.normpath(link.parent / target) == os.path.normpath(link)
        where = "itself" if to_itself else f"{target}, where nothing is"
        self.note(f"{link}: is a link to {where}; passed over: restore what it led to, or remove it")


def _fits(name: str, part: str) -> bool:
    return fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))


class RealPaths:
    """Resolves links as `os.path.realpath` does, which would look at every part of every path again."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}

    def of(self, path: Path) -> str:
        """Return the real path."""
        head, name = os.path.split(path)
        if not head or name in ("", ".", ".."):
            return os.path.realpath(path)
        if os.path.islink(path):  # noqa: PTH114 - of many
            return os.path.realpath(path)
        parent = self._parents.get(head)
        if parent is None:
            parent = self._parents[head] = os.path.realpath(head)
        return os.path.join(parent, name)  # noqa: PTH118 - of many


def resolved(folders: Sequence[Path]) -> list[Path]:
    """Return where folders really are.

    Raises:
        ConfigError: there is none, or one is given twice.
    """
    real = RealPaths()
    places = [Path(real.of(folder)) for folder in folders]
    if not places:
        raise ConfigError("no run to export", remedy="name folders with --run")
    repeated = [str(folder) for folder, count in Counter(places).items() if count > 1]
    if repeated:
        raise ConfigError(f"given twice: {', '.join(repeated)}", where="--run", remedy="name each run once")
    return places


def beside_runs(folder: Path, sources: Sequence[Source]) -> tuple[str, ...]:
    """Return what lies in a folder beside its runs, and in those in it that hold several: folders, and files alike."""
    if sources[0].path == folder:
        return ()  # it is a run itself
    below = [source.path for source in sources if source.path.is_relative_to(folder)]
    if folder in below or not below:
        return ()  # it is a store that its format searches
    members = {path for run in below for path in (run, *run.parents)}
    holding = Counter(path.parent for path in members)
    kinds = {source.path.suffix for source in sources if source.path.is_file()}
    others: list[str] = []
    for holder in sorted({folder, *(path for path, n in holding.items() if n > 1 and path.is_relative_to(folder))}):
        with contextlib.suppress(OSError), os.scandir(holder) as entries:
            others += [
                path.relative_to(folder).as_posix()
                for one in entries
                if (path := holder / one.name) not in members
                and not one.name.startswith((".", "_"))
                and one.name not in NO_RUNS
                and (one.is_dir(follow_symlinks=False) or (kinds and path.suffix in kinds))
            ]
    more = len(others) - _LEFT_OUT_AT_MOST
    named = sorted(others)[:_LEFT_OUT_AT_MOST]
    return (*named, *([f"{more} more"] if more > 0 else []))

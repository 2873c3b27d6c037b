"""What lies in a run's folder, looked up once."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

_BELOW = "metrics"


@dataclass(slots=True)
class Listing:
    """The files of a training run.

    Attributes:
        folder: of the run.
        files: names of the files in it, those in its folder of metrics with `metrics/` before them.
    """

    folder: Path
    files: frozenset[str]
    _paths: dict[str, Path] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, folder: Path) -> Listing:
        """List a folder.

        Raises:
            OSError: it cannot be listed.
        """
        top = str(folder)
        found = set()
        with os.scandir(top) as entries:
            for entry in entries:
                if _is_file(entry):
                    found.add(entry.name)
                elif entry.name == _BELOW:
                    found |= _metrics_in(f"{top}/{_BELOW}")
        return cls(folder, frozenset(found))

    def path(self, name: str) -> Path:
        """Return the path of a file, present or not; the same object each time, whose hash is computed once."""
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = self.folder / name
        return path


def _metrics_in(folder: str) -> set[str]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return {f"{_BELOW}/{entry.name}" for entry in entries if _is_file(entry)}
    return set()


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself
        return False

"""Real paths of many folders that lie side by side: the folder that holds them is resolved once."""

from __future__ import annotations

import os
from pathlib import Path


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

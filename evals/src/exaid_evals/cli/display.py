"""How paths and foreign text are shown to a user."""

from __future__ import annotations

import os
from pathlib import Path

from exaid_evals.artifacts.printable import printable, printable_lines

__all__ = ["printable", "printable_lines", "shown"]


def shown(path: Path) -> str:
    """Return a path as it is shown: relative to the working directory where it lies below it."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - resolve() would rename links
    below = Path.cwd().as_posix().rstrip("/") + "/"
    return printable(absolute.removeprefix(below))

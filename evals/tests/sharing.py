"""What is made once in a test run, whichever of its processes asks first, and is then only read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

FOLDER = "SHARED_BY_A_TEST_RUN"
"""Environment variable that names the run's folder."""


def shared_folder(name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is made at most once; whoever changes anything in it takes a copy.

    Args:
        name: of the folder.
        make: fills it.
    """
    folder = Path(os.environ[FOLDER]) / name
    folder.mkdir(exist_ok=True)
    with (folder.parent / f"{name}.made").open("a+", encoding="utf-8") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        if not made.tell():
            make(folder)
            made.write("made")
    return folder

"""A folder of checkpoints belongs to one training at a time."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

from exaid_evals.errors import ConfigError


class Claim:
    """An advisory lock on the folder itself: nothing is left behind, and the death of a process ends it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._close: weakref.finalize[[int], Claim] | None = None

    def take(self, *, make: bool = True) -> None:
        """Take the folder, if it is not this object's already.

        Args:
            make: the folder, where there is none.

        Raises:
            ConfigError: another training has it.
            OSError: the folder cannot be made.
        """
        if self._close is not None:
            return
        if make:
            self._folder.mkdir(parents=True, exist_ok=True)
        elif not self._folder.is_dir():
            return
        try:
            import fcntl
        except ImportError:  # Windows has no such locks
            return
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            remedy = "name another folder, or end the other training first (close its monitor)"
            raise ConfigError(
                "another training keeps its checkpoints here", where=str(self._folder), remedy=remedy
            ) from None
        except OSError:
            os.close(descriptor)  # a file system without locks
            return
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Give the folder back."""
        if self._close is not None:
            self._close()
            self._close = None

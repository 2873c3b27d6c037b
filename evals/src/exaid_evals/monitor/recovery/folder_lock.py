"""A folder of checkpoints belongs to one training at a time."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.errors import ConfigError
from exaid_evals.monitor.locking import Lock


class FolderLock:
    """The lock of one training on its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: Lock | None = None

    def take(self, *, make: bool = True) -> None:
        """Take the folder, if it is not this object's already.

        Args:
            make: the folder, where there is none.

        Raises:
            ConfigError: another training has it.
            OSError: the folder cannot be made.
        """
        if self._lock is not None:
            return
        if make:
            self._folder.mkdir(parents=True, exist_ok=True)
        elif not self._folder.is_dir():
            return
        try:
            self._lock = Lock(self._folder)
        except BlockingIOError:
            remedy = "name another folder, or end the other training first (close its monitor)"
            raise ConfigError(
                "another training keeps its checkpoints here", where=str(self._folder), remedy=remedy
            ) from None

    def release(self) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

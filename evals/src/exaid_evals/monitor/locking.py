"""Files and folders that belong to one training at a time."""

from __future__ import annotations

import contextlib
import os
import weakref
from pathlib import Path

from exaid_evals.errors import ConfigError

_DESCRIPTORS: weakref.WeakKeyDictionary[Lock, int]


class Lock:
    """An advisory lock on a file or folder itself: nothing is left behind, and the death of its process ends it.

    A forked process, such as one that loads data, inherits the descriptor and with it the lock, and may live longer
    than the training. So the descriptor is closed there, which leaves the lock to the process that took it.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock, where the system and the file system have such locks.

        Raises:
            BlockingIOError: another one has it.
            OSError: the path cannot be opened.
        """
        self._close: weakref.finalize[[int, int], Lock] | None = None
        try:
            import fcntl
        except ImportError:  # Windows
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            os.close(descriptor)  # a file system without locks
            return
        self._close = weakref.finalize(self, _release, descriptor, os.getpid())
        _DESCRIPTORS[self] = descriptor

    def release(self) -> None:
        """Give it back."""
        if self._close is not None:
            self._close()
            self._close = None
        _DESCRIPTORS.pop(self, None)


def _release(descriptor: int, owner: int) -> None:
    """Unlock before closing: a process that is being forked at this moment may still hold the descriptor open."""
    if os.getpid() != owner:
        return  # it was closed after the fork, and its number may be another file's now
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _after_fork() -> None:
    for descriptor in list(_DESCRIPTORS.values()):
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _DESCRIPTORS.clear()


_DESCRIPTORS = weakref.WeakKeyDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class FolderLock:
    """The lock of one training on its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: Lock | None = None

    def take(self, *, make: bool = True) -> None:
        """Take the folder, if it is not this object's already.

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

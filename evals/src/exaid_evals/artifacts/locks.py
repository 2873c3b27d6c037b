"""A folder belongs to one command that writes it at a time; who only reads needs no lock."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from exaid_evals.artifacts.atomic import remove_leftovers, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.redaction import printable
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".state/lock"
HOLDER = ".state/lock.json"
_CANNOT_WRITE = (errno.EROFS, errno.EACCES, errno.EPERM)
_MOST_BYTES = 10_000


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold a folder while the block writes in it; the same thread may hold it several times.

    The lock is the operating system's (`flock`, by `filelock`; where a file system has none, a marker that names its
    process), so a killed command leaves none. Beside it stands who holds it; without the lock that is a leftover. It is
    replaced, and temporary files that the killed command left anywhere in the folder are removed. A folder that cannot
    be written needs no lock, since nothing can be changed in it.

    Raises:
        ConfigError: another command writes there; says which, on which host, and since when.
    """
    from filelock import FileLock, Timeout

    root = folder.resolve()
    made = [path for path in (root, *root.parents) if not path.exists()]
    lock = FileLock(root / LOCK, timeout=0, mode=0o666, is_singleton=True)  # whoever shares the folder may take it
    first = not lock.is_locked
    try:
        _take(lock, root)
    except Timeout:
        raise _held(root) from None
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        yield
        return
    try:
        if first:
            killed = (root / HOLDER).exists()
            remove_leftovers(*(_own_folders(root) if killed else [(root / HOLDER).parent]))
            write_bytes(root / HOLDER, canonical_bytes(holder()) + b"\n")
        yield
    finally:
        if first:
            with contextlib.suppress(OSError):
                (root / HOLDER).unlink(missing_ok=True)
                (root / LOCK).unlink(missing_ok=True)  # before it is given back: whoever waits looks again
        lock.release()
        for path in ((root / LOCK).parent, *made) if first else ():
            with contextlib.suppress(OSError):  # what nothing was written in is not left behind
                path.rmdir()


def _own_folders(root: Path) -> Iterator[Path]:
    """Yield a folder and those below it, but for what is locked by itself: there another command may be writing."""
    for place, names, _ in os.walk(root):
        names[:] = [name for name in names if not Path(place, name, LOCK).exists()]
        yield Path(place)


def _take(lock: BaseFileLock, root: Path) -> None:
    for again in (True, True, False):
        (root / LOCK).parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except FileNotFoundError:  # whoever had it has just taken away the empty folder
            if not again:
                raise
        else:
            return


def holder() -> dict[str, Any]:
    """Return who this process is, for whoever meets its lock."""
    # The verb alone: what follows it may hold a secret.
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": since, "command": command}


def described_holder(content: bytes) -> str:
    """Return who holds a lock, by what lies beside it; `another command` where that cannot be read."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        found = orjson.loads(content)
        named = {name: printable(str(found[name])[:100]) for name in ("command", "pid", "host", "since")}
        return "`{command}` (process {pid} on {host}, since {since})".format_map(named)
    return "another command"


def _held(root: Path) -> ConfigError:
    content = b""
    with contextlib.suppress(DataError):
        content = read_regular(root / HOLDER, _MOST_BYTES)
    remedy = "wait until it ends, or name another folder; what only reads may go on beside it"
    return ConfigError(f"{described_holder(content)} is writing here", where=str(root), remedy=remedy)

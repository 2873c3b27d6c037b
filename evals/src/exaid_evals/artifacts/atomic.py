"""Files that appear whole or not at all, or grow by whole records, in a folder that one command writes at a time."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import orjson

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.redaction import printable
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import append_descriptor, holds, read_regular

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


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path` when the block ends without an error.

    The temporary file lies in the same folder, for `os.replace` is atomic only within one file system; it is
    flushed to the disk before it takes the name, so a crash leaves the old file or the new one. A reader that
    lists the folder meanwhile sees a name that starts with a dot.

    Raises:
        OSError: the system refuses; names the file that was to be, and not the temporary one.
    """
    # Cut, so that the longest name that a file may have is not too long for its temporary one.
    temporary = path.parent / f".{path.name[:60]}.{secrets.token_hex(4)}.tmp"
    in_place = False
    try:
        with _new_file(temporary) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        in_place = True
    except OSError as error:
        # A full disk is reported without a name.
        if error.errno is None or error.filename not in (None, str(temporary), str(path.parent)):
            raise
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error
    finally:
        if not in_place:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _new_file(path: Path) -> BinaryIO:
    """Open a new file for writing, and make its folder where that is not there."""
    try:
        return path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


_RESERVE_BYTES = 128 * 1024
_LEFTOVER = re.compile(r"\..{1,60}\.[0-9a-f]{8}\.tmp", re.DOTALL)


def remove_leftovers(*folders: Path) -> None:
    """Remove the temporary files that a killed writer has left in folders, and nothing else.

    Only for the one who writes there: what another process is writing at this moment would be lost.
    """
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            if _LEFTOVER.fullmatch(path.name) and path.is_file():
                with contextlib.suppress(OSError):  # it is in nobody's way
                    path.unlink()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole; a name that ends in .gz is packed with a header that carries no name and no time."""
    with atomic_file(path) as stream:
        stream.write(gzipped(data) if path.suffix == ".gz" else data)


def write_unless_same(path: Path, data: bytes) -> None:
    """Write a file whole, unless it holds just that: what has not changed keeps its time, and may be read-only."""
    if not holds(path, data):
        write_bytes(path, data)


def gzipped(data: bytes) -> bytes:
    """Return data as one member of gzip, the same in every version of Python: `gzip.compress` leaves some to zlib."""
    made = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=made, mtime=0) as stream:
        stream.write(data)
    return made.getvalue()


def write_text(path: Path, text: str) -> None:
    r"""Write a text file whole, as UTF-8 with `\n` line ends on every system; half a character becomes a `?`."""
    write_bytes(path, text.encode("utf-8", "replace"))


class Appended:
    """A file that grows by whole records, in the hands of one writer.

    What a failed write left of a record is cut off before anything follows it; the record itself is kept, and written
    before the next. Where losing a record would be dear, `reserve` takes room for it beforehand.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        """Open nothing yet.

        Args:
            path: the file; made with the first record.
            sync: whether a record is on the disk when `append` returns.
        """
        self._path = path
        self._sync = sync
        self._good: int | None = None
        self._unwritten: list[bytes] = []
        self._reserve: Path | None = None

    def reserve(self) -> None:
        """Take room on the disk for the next records, where that is not done; a full disk gives it to them.

        Raises:
            OSError: there is none.
        """
        if self._reserve is None:
            # It is named as a temporary file, so that what a kill leaves of it is removed as one.
            path = self._path.parent / f".{self._path.name[:60]}.{secrets.token_hex(4)}.tmp"
            with contextlib.ExitStack() as on_failure:
                on_failure.callback(path.unlink, missing_ok=True)
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as stream:
                    stream.write(secrets.token_bytes(_RESERVE_BYTES))  # what no file system packs
                    stream.flush()
                    os.fsync(stream.fileno())
                on_failure.pop_all()
            self._reserve = path

    def close(self) -> None:
        """Write what could not be written before, and give back the room.

        Raises:
            OSError: it could not be written; names the file.
        """
        try:
            self.flush()
        finally:
            self._give_room()

    def _give_room(self) -> bool:
        path, self._reserve = self._reserve, None
        if path is not None:
            path.unlink(missing_ok=True)
        return path is not None

    def append(self, record: bytes) -> None:
        """Append a record, after those that could not be written before.

        Raises:
            OSError: it could not be written; names the file.
        """
        self._unwritten.append(record)
        self.flush()

    def flush(self) -> None:
        """Write what could not be written before.

        Raises:
            OSError: it could not be written; names the file.
        """
        while self._unwritten:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                with os.fdopen(append_descriptor(self._path), "ab", buffering=0) as stream:
                    self._write(stream, self._unwritten[0])
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT) and self._give_room():
                    continue
                raise OSError(error.errno, f"cannot be written: {error.strerror}", str(self._path)) from error
            del self._unwritten[0]

    def _write(self, stream: IO[bytes], record: bytes) -> None:
        size = os.fstat(stream.fileno()).st_size
        if self._good is not None and size > self._good:
            os.ftruncate(stream.fileno(), self._good)
        else:
            self._good = size
        try:
            append_whole(stream, record)
            if self._sync:
                os.fsync(stream.fileno())
        except OSError:
            with contextlib.suppress(OSError):  # else before the next record
                os.ftruncate(stream.fileno(), self._good)
            raise
        self._good = None


def append_whole(stream: IO[bytes], record: bytes) -> None:
    """Append a record; what a full disk took of it by part is cut off again, since the next would be joined to it.

    Args:
        stream: opened for appending, without a buffer.
        record: with its end.

    Raises:
        OSError: it could not be written.
    """
    written = stream.write(record)
    if written == len(record):
        return
    os.ftruncate(stream.fileno(), os.fstat(stream.fileno()).st_size - (written or 0))
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

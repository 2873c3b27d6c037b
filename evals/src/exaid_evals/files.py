"""Files and names that somebody else may have left: what is opened is a file, and no name leads out of its folder."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path

from exaid_evals.errors import DataError

CHUNK_BYTES = 1 << 20
_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def is_folder(entry: os.DirEntry[str] | Path) -> bool:
    """Return whether an entry is a folder, or a link to one; a link that leads to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a file, or a link to one; a link that leads to itself is not."""
    try:
        return entry.is_file()
    except OSError:
        return False


def folders_in(place: Path) -> list[Path]:
    """Return the folders within one, sorted, without links; none where it cannot be read."""
    try:
        with os.scandir(place) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def files_in(place: Path, fits: Callable[[str], object] = lambda _: True) -> list[Path]:
    """Return the files in a folder whose names fit, and links to such, sorted; none where it cannot be read."""
    try:
        with os.scandir(place) as entries:
            return sorted(Path(entry.path) for entry in entries if fits(entry.name) and is_file(entry))
    except OSError:
        return []


def regular_descriptor(path: Path, *, follow: bool = True) -> int:
    """Open a file for reading and return its descriptor.

    A pipe is opened at once and found to be none: without O_NONBLOCK its writer would be waited for without end. What
    was opened is looked at, not what had the name before.

    Args:
        path: the file.
        follow: whether a link may stand in its place.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be opened.
        DataError: it is a folder, pipe, socket or device.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _WITHOUT_WAITING | (0 if follow else _NO_LINK))
    except OSError:
        kind = _kind_of(path, follow=follow)  # a socket is not opened at all
        if kind is None:
            raise
        raise _not_regular(path, kind) from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise _not_regular(path, "a folder" if stat.S_ISDIR(mode) else "not an ordinary file")
    return descriptor


def open_regular(path: Path, *, follow: bool = True, remedy: str | None = None) -> BufferedReader:
    """Open a file for reading as bytes.

    Args:
        path: the file.
        follow: whether a link may stand in its place.
        remedy: what to do where it cannot be opened; None for the usual.

    Raises:
        DataError: it is missing, cannot be opened, or is a folder, pipe, socket or device.
    """
    try:
        return os.fdopen(regular_descriptor(path, follow=follow), "rb")
    except FileNotFoundError:
        raise DataError("no such file", where=str(path), remedy=remedy or "check the path") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error, remedy) from None
    except DataError as error:
        raise DataError(error.what, where=error.where, remedy=remedy or error.remedy) from None


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return a file's content as it lies there.

    Raises:
        DataError: as `open_regular`; or it is larger than that.
    """
    content = bytearray()
    try:
        with open_regular(path) as stream:
            # Not at once: reading that much would take that much memory, however small the file is.
            while len(content) <= max_bytes and (chunk := stream.read(CHUNK_BYTES)):
                content += chunk
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) > max_bytes:
        raise DataError(f"is larger than {max_bytes >> 20} MiB", where=str(path), remedy="name the right file")
    return bytes(content)


def copy_regular(source: str | Path, target: str | Path) -> None:
    """Copy a file's content, as `shutil.copytree` asks for a file.

    Raises:
        DataError: as `open_regular`.
        OSError: the copy cannot be written.
    """
    with open_regular(Path(source)) as stream, Path(target).open("wb") as copy:
        shutil.copyfileobj(stream, copy)


def first_bytes(path: Path, number: int) -> bytes:
    """Return how a file begins, for whoever asks what it is; nothing of what is not a file, or cannot be read."""
    try:
        with open_regular(path) as stream:
            return stream.read(number)
    except (DataError, OSError):
        return b""


def holds(path: Path, content: bytes) -> bool:
    """Return whether a file is there and holds exactly this; whatever cannot be read does not."""
    try:
        with open_regular(path) as stream:
            return os.fstat(stream.fileno()).st_size == len(content) and stream.read() == content
    except (DataError, OSError):
        return False


def append_descriptor(path: Path, *, follow: bool = True) -> int:
    """Open a file at its end, for reading too, make it where there is none, and return its descriptor.

    Raises:
        OSError: it cannot be written, or is a folder, pipe, socket or device.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _WITHOUT_WAITING | (0 if follow else _NO_LINK)
    descriptor = os.open(path, flags, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "is not an ordinary file", str(path))
    return descriptor


def natural_order(name: str) -> tuple[Sequence[str | int], str]:
    """Return the key by which numbers within names count as numbers: V2 comes before V10.

    >>> sorted(["V10", "V2", "base"], key=natural_order)
    ['V2', 'V10', 'base']
    """
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], name


def is_plain(name: str) -> bool:
    r"""Return whether a name is that of something in a folder: relative, with `/`, and of no other meaning anywhere.

    >>> [is_plain(name) for name in ("a", "V0/case-1", "", "/a", "../a", "a/./b", "a//b", "a/", "C:a", "a\\b", "a\0")]
    [True, True, False, False, False, False, False, False, False, False, False]
    """
    parts = name.split("/")
    return all(part not in ("", ".", "..") and part.isprintable() and not set(part) & {"\\", ":"} for part in parts)


def inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder, by a name that came out of a file.

    Names are relative, with `/`, and cannot lead out of the folder, neither by `..` nor by a link that lies in it.

    Raises:
        DataError: the name does.
    """
    if not is_plain(name):
        raise DataError(
            f"{name!r:.80} names no file in a folder", where=str(folder), remedy="restore it, or name another"
        )
    path = folder / name
    if not lies_in(path.parent, folder):
        raise DataError(f"{name!r:.80} leads out of the folder", where=str(folder), remedy="remove the link")
    return path


def lies_in(path: Path, folder: Path) -> bool:
    """Return whether a path lies in a folder when links are followed; one that leads to itself lies where it lies."""
    if "\0" in str(path):  # which no file has in its name
        return False
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))  # `resolve` raises over such a link


def _kind_of(path: Path, *, follow: bool) -> str | None:
    """Return what stands in a file's place; None for a file, or nothing."""
    try:
        mode = path.stat(follow_symlinks=follow).st_mode
    except (OSError, ValueError):
        return None
    return None if stat.S_ISREG(mode) else "a folder" if stat.S_ISDIR(mode) else "not an ordinary file"


_OF_PERMISSION = frozenset({errno.EACCES, errno.EPERM})
_OF_DISK = frozenset({errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV})


def unreadable(place: object, error: OSError | ValueError, remedy: str | None = None) -> DataError:
    """Return the error of a file or folder that the operating system does not let us read, with what to do about it."""
    reason = getattr(error, "strerror", None) or error
    number = getattr(error, "errno", None)
    if remedy is None and number in _OF_DISK:
        remedy = "the disk, or the connection to it, failed: mend that, and give the same command again"
    remedy = remedy or ("check its permissions" if number in _OF_PERMISSION else "check the path")
    return DataError(f"cannot be read ({reason})", where=str(place), remedy=remedy)


def _not_regular(path: Path, kind: str) -> DataError:
    return DataError(f"is {kind}, where a file must stand", where=str(path), remedy="move or rename it")

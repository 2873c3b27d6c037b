"""Files of a folder that somebody else may have filled: neither links to other places nor pipes that never end."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from exaid_evals.errors import DataError

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def open_plain(path: Path, remedy: str = "remove it") -> BufferedReader:
    """Open a file for reading.

    Raises:
        DataError: it is missing, cannot be read, or is a link, a pipe or a folder.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path), remedy=remedy) from None
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise DataError("is not a plain file", where=str(path), remedy=remedy)
    return stream


def append_plain(path: Path) -> BinaryIO:
    """Open a file at its end for writing, without a buffer, and make it where there is none.

    Raises:
        OSError: it cannot be written, or is a link, a pipe or a folder.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a plain file")
    return os.fdopen(descriptor, "ab", buffering=0)

"""Lines at the end of a file, whole or not at all."""

from __future__ import annotations

import errno
import os
from typing import IO


def append_whole(stream: IO[bytes], line: bytes) -> None:
    """Append a line; what a full disk took of it by part is cut off again, since the next line would be joined to it.

    Args:
        stream: opened for appending, without a buffer.
        line: with its end.

    Raises:
        OSError: it could not be written.
    """
    written = stream.write(line)
    if written == len(line):
        return
    os.ftruncate(stream.fileno(), os.fstat(stream.fileno()).st_size - (written or 0))
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

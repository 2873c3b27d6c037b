"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import gzip
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path` when the block ends without an error.

    The temporary file lies in the same folder, for `os.replace` is atomic only within one file system; it is
    flushed to the disk before it takes the name, so a crash leaves the old file or the new one. A reader that
    lists the folder meanwhile sees a name that starts with a dot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Cut, so that the longest name that a file may have is not too long for its temporary one.
    temporary = path.parent / f".{path.name[:60]}.{secrets.token_hex(4)}.tmp"
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole; a name that ends in .gz is packed with a header that carries no name and no time."""
    with atomic_file(path) as stream:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=stream, mtime=0) as packed:
                cast("BinaryIO", packed).write(data)
        else:
            stream.write(data)


def write_text(path: Path, text: str) -> None:
    r"""Write a text file whole, as UTF-8 with `\n` line ends on every system."""
    write_bytes(path, text.encode("utf-8"))

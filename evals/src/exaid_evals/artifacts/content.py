"""A file's content in bounded memory, unpacked where its name ends in .gz, whatever the file claims to be."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from exaid_evals.errors import DataError

CHUNK_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS


def content_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content in chunks of at most a mebibyte.

    zlib is used directly: the gzip module makes a line of Python out of every read, and unpacks as much as a
    chunk of input holds, which a bomb can make a thousandfold.

    Raises:
        DataError: the file is missing, no ordinary file, unreadable, truncated or damaged.
    """
    where = str(path)
    try:
        # A pipe or a device would be waited for without end, so it is refused before it is opened.
        if not path.is_file() and path.exists():
            kind = "a folder" if path.is_dir() else "not an ordinary file"
            raise DataError(f"is {kind}, where a file must stand", where=where, remedy="move or rename it")
        with path.open("rb") as stream:
            yield from _unpacked(stream) if path.suffix == ".gz" else _plain(stream)
    except FileNotFoundError:
        raise DataError("no such file", where=where, remedy="check the path") from None
    except EOFError:
        raise DataError("truncated gzip: the file ends early", where=where, remedy="copy or make it again") from None
    except zlib.error as error:
        raise DataError(f"damaged gzip ({error})", where=where, remedy="copy or make it again") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot be read ({reason})", where=where, remedy="check the file and its permissions"
        ) from None


def _plain(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _unpacked(stream: BinaryIO) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    within_member = False
    while packed := stream.read(CHUNK_BYTES):
        while packed:
            within_member = True
            chunk = unpacker.decompress(packed, CHUNK_BYTES)
            if chunk:
                yield chunk
            if unpacker.eof:
                # Members may follow one another, with padding of zeros between them and after the last.
                packed = unpacker.unused_data.lstrip(b"\0")
                unpacker = zlib.decompressobj(_GZIP)
                within_member = False
            else:
                packed = unpacker.unconsumed_tail
    if within_member:
        raise EOFError

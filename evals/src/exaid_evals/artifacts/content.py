"""A file's content in bounded memory, unpacked where its name ends in .gz, whatever the file claims to be."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from exaid_evals.artifacts.storage import open_stored
from exaid_evals.errors import DataError
from exaid_evals.files import CHUNK_BYTES, read_regular, unreadable

_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b\x08"
_STEP = 256
_MOST_SALVAGED = 2 << 30


def content_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content in chunks of at most a mebibyte.

    zlib is used directly: the gzip module makes a line of Python out of every read, and unpacks as much as a
    chunk of input holds, which a bomb can make a thousandfold.

    Raises:
        DataError: the file is missing, no ordinary file, unreadable, truncated or damaged.
    """
    where = str(path)
    with open_stored(path) as stream:
        try:
            yield from _unpacked(stream) if path.suffix == ".gz" else iter(lambda: stream.read(CHUNK_BYTES), b"")
        except EOFError:
            remedy = "write or copy it again"
            raise DataError("truncated gzip: the file ends early", where=where, remedy=remedy) from None
        except zlib.error as error:
            raise DataError(f"damaged gzip ({error})", where=where, remedy="write or copy it again") from None
        except OSError as error:
            raise unreadable(path, error) from None


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


def salvaged_chunks(path: Path) -> Iterator[bytes]:
    """Yield what can be unpacked of a file of gzip members, whatever is damaged between them; plain content as it is.

    Wherever unpacking fails, a newline ends what came of that member, so that nothing joins it to the next.

    Raises:
        DataError: the file cannot be opened, or unpacks to more than a recording can hold.
    """
    data = read_regular(path, _MOST_SALVAGED)
    if path.suffix != ".gz":
        yield data
        return
    content = memoryview(data)  # slices of it are no copies
    left, position = _MOST_SALVAGED, 0
    while (position := data.find(_MAGIC, position)) >= 0:
        unpacker, whole, at = zlib.decompressobj(_GZIP), False, position
        try:
            while at < len(content) and not whole:
                # In small steps: what comes before the damage is given out.
                chunk = unpacker.decompress(content[at : at + _STEP], CHUNK_BYTES)
                at += _STEP - len(unpacker.unconsumed_tail)
                left -= len(chunk)
                if left < 0:
                    raise DataError("unpacks to too much", where=str(path), remedy="name the right file")
                yield chunk
                whole = unpacker.eof
        except zlib.error:
            pass
        if whole:
            position = min(at, len(content)) - len(unpacker.unused_data)
        else:
            yield b"\n"
            position += 1

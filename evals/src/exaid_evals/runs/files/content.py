"""The content of files that runs consist of, and its digest while it is read: a file is opened once for both.

Runs come by the thousand, and what a small file costs is its system calls; so there is one open, one look at what was
opened, and one read where the file is small.
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError
from exaid_evals.files import CHUNK_BYTES, regular_descriptor, unreadable

_FIRST_BYTES = 1 << 16

# Digests of what has been read to its end since `digests` began, by path; None where nobody asks. It is not an
# argument, since it would have to be passed through every reader.
_digests: dict[Path, bytes] | None = None


@contextlib.contextmanager
def digests() -> Iterator[dict[Path, bytes]]:
    """Collect the digests of the files that are read in the block, each by its path."""
    global _digests
    before, _digests = _digests, {}
    try:
        yield _digests
    finally:
        _digests = before


def chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content in chunks of at most a mebibyte, unpacked where its name ends in .gz.

    Raises:
        DataError: the file is missing, no ordinary file, or unreadable.
    """
    if path.suffix == ".gz":
        yield from content_chunks(path)
        return
    try:
        file = regular_descriptor(path)
    except (OSError, ValueError):
        yield from content_chunks(path)  # says what is wrong
        return
    digest = hashlib.sha256()
    try:
        # A buffer of a mebibyte for a file of a few hundred bytes would take longer than reading it.
        size = _FIRST_BYTES
        while chunk := os.read(file, size):
            digest.update(chunk)
            yield chunk
            if len(chunk) < size == _FIRST_BYTES:
                break  # all of a small file has come at once
            size = CHUNK_BYTES
    except OSError as error:
        raise unreadable(path, error) from None
    finally:
        os.close(file)
    if _digests is not None:
        _digests[path] = digest.digest()


def as_utf8(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a text's bytes in UTF-8, where it begins as UTF-16: so PowerShell writes what is redirected."""
    first = next(pieces, b"")
    if first[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        yield first
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
    for piece in itertools.chain([first], pieces):
        yield decoder.decode(piece).encode("utf-8", "replace")


def content_of(path: Path, max_bytes: int, remedy: str = "name the right file") -> bytes:
    """Return the whole content of a file.

    Raises:
        DataError: as `chunks`; or the file is larger than that.
    """
    parts: list[bytes] = []
    size = 0
    for chunk in as_utf8(chunks(path)):
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise DataError(f"is larger than {max_bytes >> 20} MiB", where=str(path), remedy=remedy)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def lines_of(path: Path, most: int = MAX_LINE_BYTES) -> Iterator[bytes]:
    """Yield the lines of a file without their ends.

    Raises:
        DataError: as `chunks`; or a line is longer than so many bytes.
    """
    held = b""
    for chunk in as_utf8(chunks(path)):
        *lines, held = (held + chunk).split(b"\n")
        if len(held) > most:
            raise DataError("has a line without an end", where=str(path), remedy="name the right file")
        yield from lines
    if held:
        yield held


def text_lines(path: Path, warnings: list[str]) -> Iterator[str]:
    """Yield the lines of a text; bytes that are not UTF-8 are replaced, and reported.

    Raises:
        DataError: as `lines_of`.
    """
    odd = 0
    for line in lines_of(path):
        text = line.decode("utf-8", errors="replace").rstrip("\r")
        odd += "\N{REPLACEMENT CHARACTER}" in text
        yield text
    if odd:
        warnings.append(f"{path.name}: {odd} lines are not UTF-8; what could be read of them was read")

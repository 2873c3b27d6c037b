"""The lines of a file that grows, is cut, or is replaced by another of its name."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError
from exaid_evals.files import regular_descriptor

_CHUNK = 1 << 20
_MOST_AT_ONCE = 16 * _CHUNK
_TAIL = 1024


class GrowingFile:
    """Yields whole lines; half a line is held until the rest has come.

    The file stays open between two looks: one that is renamed and replaced is read to its end before the new one.

    Attributes:
        restarts: how often the file was cut or replaced, and read from its beginning again.
        drained: whether the last call came to the end of what is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None
        self._close: weakref.finalize[[], GrowingFile] | None = None
        self._offset = 0
        self._held = b""
        self._tail = b""  # of what was read: a file that is cut and has grown past it again begins with other bytes
        self.restarts = 0
        self.drained = True

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that have come, without their ends; some megabytes at once, the rest with the next call.

        Raises:
            DataError: the file cannot be read, or has a line without an end.
        """
        try:
            if self._stream is None and not self._opened():
                return  # not written yet, or being replaced at this moment
            yield from self._new_lines()
            if self.drained and self._replaced():
                if self._held:  # what took the file's place cannot end its last line
                    yield self.rest()
                self.close()
                self.drained = not self._opened()
                self.restarts += not self.drained
        except OSError as error:
            remedy = "check the path and its permissions"
            raise DataError(f"cannot be read ({error.strerror})", where=str(self._path), remedy=remedy) from None

    def rest(self) -> bytes:
        """Return what is held of a line that has no end."""
        held, self._held = self._held, b""
        return held

    def close(self) -> None:
        """Close the file."""
        if self._close is not None:
            self._close()
        self._stream = self._close = None
        self._offset, self._held, self._tail = 0, b"", b""

    def _opened(self) -> bool:
        try:
            stream = os.fdopen(regular_descriptor(self._path), "rb")
        except FileNotFoundError:
            return False
        self._stream = stream
        self._close = weakref.finalize(self, stream.close)
        return True

    def _replaced(self) -> bool:
        """Tell whether another file has the name now; one that is renamed and not replaced yet may still grow."""
        assert self._stream is not None  # noqa: S101 - callers have opened it
        mine = os.fstat(self._stream.fileno())
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        return (named.st_dev, named.st_ino) != (mine.st_dev, mine.st_ino)

    def _new_lines(self) -> Iterator[bytes]:
        file = self._stream
        assert file is not None  # noqa: S101 - callers have opened it
        if self._was_cut(file):
            self.restarts += 1
            self._offset, self._held, self._tail = 0, b"", b""
        file.seek(self._offset)
        read = 0
        self.drained = False
        while read < _MOST_AT_ONCE:
            chunk = file.read(_CHUNK)
            if not chunk:
                self.drained = True
                return
            read += len(chunk)
            self._offset += len(chunk)
            self._tail = (self._tail + chunk)[-_TAIL:]
            *lines, self._held = (self._held + chunk).split(b"\n")
            if len(self._held) > MAX_LINE_BYTES:
                raise DataError("has a line without an end", where=str(self._path), remedy="name a history")
            yield from lines

    def _was_cut(self, file: BinaryIO) -> bool:
        if os.fstat(file.fileno()).st_size < self._offset:
            return True
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) != self._tail

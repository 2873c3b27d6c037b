"""The lines of a file that grows, is cut, or is replaced by another of its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError

_CHUNK = 1 << 20
_MOST_AT_ONCE = 16 * _CHUNK


class GrowingFile:
    """Yields whole lines; half a line is held until the rest has come.

    Attributes:
        restarts: how often the file was cut or replaced, and read from its beginning again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: tuple[int, int] | None = None
        self._offset = 0
        self._held = b""
        self.restarts = 0

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that have come, without their ends; some megabytes at once, the rest with the next call.

        Raises:
            DataError: the file cannot be read, or has a line without an end.
        """
        try:
            with self._path.open("rb") as stream:
                yield from self._new_lines(stream)
        except FileNotFoundError:
            return  # not written yet, or being replaced at this moment
        except OSError as error:
            remedy = "check the path and its permissions"
            raise DataError(f"cannot be read ({error.strerror})", where=str(self._path), remedy=remedy) from None

    def rest(self) -> bytes:
        """Return what is held of a line that has no end."""
        held, self._held = self._held, b""
        return held

    def _new_lines(self, file: BinaryIO) -> Iterator[bytes]:
        status = os.fstat(file.fileno())
        identity = status.st_dev, status.st_ino
        if self._identity is not None and (identity != self._identity or status.st_size < self._offset):
            self.restarts += 1
            self._offset, self._held = 0, b""
        self._identity = identity
        file.seek(self._offset)
        read = 0
        while read < _MOST_AT_ONCE and (chunk := file.read(_CHUNK)):
            read += len(chunk)
            self._offset += len(chunk)
            *lines, self._held = (self._held + chunk).split(b"\n")
            if len(self._held) > MAX_LINE_BYTES:
                raise DataError("has a line without an end", where=str(self._path), remedy="name a history")
            yield from lines

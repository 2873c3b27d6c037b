"""Following a history that another process writes: it is asked again and again for what it has gained.

Files with a row a line are read as they grow; stores that are not lines are read whole again, for what is new in them.
"""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError
from exaid_evals.files import regular_descriptor, unreadable
from exaid_evals.runs.base import Follower, Format, Row, Source
from exaid_evals.runs.history import Series
from exaid_evals.runs.rows import history_of, step_column

__all__ = ["FollowedRows", "FollowedStore", "Follower", "Row", "merged"]

_MOST_FAILURES = 30
"""Looks in a row that may find a store which is just being written; a file of Parquet has its index at its end."""


def merged(series: Mapping[str, Series], seen: dict[str, int]) -> list[Row]:
    """Return the points beyond those that were seen, by step; of a step that comes twice, two rows.

    Args:
        series: metric → its points so far.
        seen: metric → points that were returned before; is brought up to date.
    """
    rows: dict[tuple[float, int], dict[str, float | str | None]] = {}
    for metric, one in series.items():
        at = min(seen.get(metric, 0), len(one.points))
        times: dict[float, int] = {}
        for point in one.points[at:]:
            again = times.get(point.step, 0)
            times[point.step] = again + 1
            rows.setdefault((point.step, again), {})[metric] = point.value
        seen[metric] = len(one.points)
    return [Row(step, rows[step, again]) for step, again in sorted(rows)]


class FollowedRows(ABC):
    """Base of files with a row a line."""

    source = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = GrowingFile(path)
        self._restarts = 0
        self._step_name: str | None = None
        self._n_rows = 0
        self._last_step: Any = None
        self._odd: Counter[str] = Counter()
        self._row_warnings: Counter[str] = Counter()

    @abstractmethod
    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return a line as a row; None where it is none, after counting it with `odd`."""

    def begun_again(self) -> None:  # noqa: B027 - most formats keep nothing between lines
        """Forget what the file said before it was replaced."""

    def odd(self, what: str) -> None:
        """Count a line that is left out."""
        self._odd[what] += 1

    @property
    def warnings(self) -> Sequence[str]:
        """What was left out, with counts."""
        notes = [f"{self._path.name}: {count} {what}; left out" for what, count in sorted(self._odd.items())]
        notes += [
            f"{self._path.name}: {warning} ({count} times)" for warning, count in sorted(self._row_warnings.items())
        ]
        if self._restarts:
            notes.append(f"{self._path.name}: was cut or replaced {self._restarts} times, and read from its beginning")
        return notes

    def poll(self) -> Sequence[Row]:
        """Return the steps that have come; none only where nothing more is written."""
        while True:
            rows = self._rows(self._file.lines())
            if rows or self._file.drained:
                return rows

    def finish(self) -> Sequence[Row]:
        """Return the step of a last line without an end."""
        rest = self._file.rest()
        self._file.close()
        return self._rows([rest]) if rest.strip() else []

    def _rows(self, lines: Iterable[bytes]) -> list[Row]:
        """Return rows in the order of the file: steps that begin anew are not sorted into the others.

        Each line is read for itself, so that nothing depends on how many of them come at once.
        """
        rows: list[Row] = []
        for line in lines:
            if self._file.restarts != self._restarts:
                self._restarts = self._file.restarts
                self._step_name, self._n_rows, self._last_step = None, 0, None
                self.begun_again()
            if not line.strip():
                continue
            row = self.parsed(line)
            if row is None:
                continue
            if "batch_idx" in row and isinstance(row.get("metrics"), Mapping):
                self.odd("rows of single batches")
                continue
            for one in self._read(self._stepped(row)):
                if rows and rows[-1].step == one.step and not rows[-1].metrics.keys() & one.metrics.keys():
                    rows[-1] = Row(one.step, {**rows[-1].metrics, **one.metrics})  # training and validation of a step
                else:
                    rows.append(one)
        return rows

    def _read(self, row: Mapping[str, Any]) -> list[Row]:
        # An empty cell is not a value that is not a number: nothing was logged.
        history = history_of(
            self._path.stem, self.source, [{key: it for key, it in row.items() if it not in (None, "")}]
        )
        # The reader speaks of the one row that it was given.
        self._row_warnings.update(
            one.replace("no value is a number; it is", "values that are not numbers are") for one in history.warnings
        )
        return merged(history.series, {})

    def _stepped(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row whose step stands under `step`; rows of a file without such a column are counted.

        The finest column that has come so far counts the steps, as in the analysis. A row that has but a coarser one
        belongs to the last step.
        """
        finest = step_column(row)
        if finest is not None and step_column([finest, self._step_name or finest]) == finest:
            self._step_name = finest
        name, number = self._step_name, self._n_rows
        self._n_rows += 1
        if name is None:
            step: Any = number
        elif name in row or finest is None:
            step = row.get(name)
        else:
            step = self._last_step
        if name is not None and name in row:
            self._last_step = row[name]
        others = {key: value for key, value in row.items() if key not in (name, "step")}
        return {**others, "step": step}


class FollowedStore:
    """Reads a run by its format, and returns the points that were not there before.

    A store that could be read once is given time to be whole again. One that holds less than it did is another, and is
    read from its beginning.
    """

    def __init__(self, form: Format, source: Source) -> None:
        self._format, self._source = form, source
        self._seen: dict[str, int] = {}
        self._warnings: tuple[str, ...] = ()
        self._failures = self._restarts = 0

    @property
    def warnings(self) -> Sequence[str]:
        """Of the format, when it was read last, and what became of the store."""
        notes = list(self._warnings)
        if self._restarts:
            notes.append(f"{self._source.path.name}: was replaced {self._restarts} times, and read from its beginning")
        if self._failures:
            notes.append(f"{self._source.path.name}: could not be read the last {self._failures} times")
        return notes

    def poll(self) -> Sequence[Row]:
        """Read it again.

        Raises:
            DataError: it cannot be read, and could not be the first time, or for many times.
        """
        try:
            history = self._format.history(self._source, self._source.path.name)
        except DataError:
            self._failures += 1
            if not self._seen or self._failures >= _MOST_FAILURES:
                raise
            return []
        self._failures = 0
        if any(name not in history.series or len(history.series[name].points) < n for name, n in self._seen.items()):
            self._seen.clear()
            self._restarts += 1
        self._warnings = history.warnings
        return merged(history.series, self._seen)

    def finish(self) -> Sequence[Row]:
        """Return nothing: a store holds no half steps."""
        return []


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
            raise unreadable(self._path, error) from None

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
        """Return whether another file has the name now; one that is renamed and not replaced yet may still grow."""
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
                raise DataError("has a line without an end", where=str(self._path), remedy="name the right file")
            yield from lines

    def _was_cut(self, file: BinaryIO) -> bool:
        if os.fstat(file.fileno()).st_size < self._offset:
            return True
        file.seek(self._offset - len(self._tail))
        return file.read(len(self._tail)) != self._tail

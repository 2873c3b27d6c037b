"""Histories in JSON Lines, as most hand-written loops and `log_batch_metrics` write them, in JSON, and in Parquet."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from exaid_evals.config.base import leaves
from exaid_evals.config.plugins import optional
from exaid_evals.errors import DataError
from exaid_evals.runs.base import Source
from exaid_evals.runs.files.document import lists_of, objects, read_document
from exaid_evals.runs.files.summary import mappings_of
from exaid_evals.runs.following import FollowedRows
from exaid_evals.runs.history_files import HistoryFile, suffix_of
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import head

_ROWS_AT_ONCE = 4096


class FollowedJsonl(FollowedRows):
    """JSON Lines that grow."""

    source = "jsonl"

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the object of a line."""
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            self.odd("lines that are not JSON objects")
            return None
        return value


class JsonlFormat(HistoryFile):
    """Reads JSON Lines, NaN and infinities as Python writes them included."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    line_follower = FollowedJsonl

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the objects; a line that is none is left out and told of."""
        return objects(path, warnings)


_SHAPES = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:\{\s*\"[^\"]*\"\s*:\s*(?:\[|\{\s*\"[^\"]*\"\s*:\s*[-\d\[])|\[\s*\{)")


class JsonFormat(HistoryFile):
    """Reads a list of rows, or a list of numbers for each name; pandas writes that as a mapping of row to number."""

    name = "json"
    suffixes = (".json",)

    def claims(self, place: Path) -> bool:
        """Tell by what is in the file: any tool writes JSON."""
        path = place if place.is_file() else self.file_in(place)
        return path is not None and suffix_of(path) == ".json" and self._fits(path)

    def measures(self, path: Path) -> bool:
        """Tell by the names."""
        return self._fits(path) and any(
            role_of_column(name) == "metric" for name in itertools.chain.from_iterable(self.rows(path, []))
        )

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the files that hold rows."""
        return {name: source for name, source in super().named(place).items() if self._fits(source.path)}

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows."""
        data = read_document(path, keep_nan=True, warnings=warnings)
        if isinstance(data, list):
            return mappings_of(data)
        if all(key.isdecimal() and isinstance(row, dict) for key, row in data.items()):
            return [{"epoch": int(key), **row} for key, row in data.items()]
        lists = lists_of(leaves(data) if any(map(_holds_lists, data.values())) else data)
        length = max(map(len, lists.values()), default=0)
        short = [name for name, one in lists.items() if len(one) < length]
        if short:
            warnings.append(
                f"{path.name}: {', '.join(short[:5])} hold fewer values than the others: taken as the first"
            )
        return [{name: one[at] for name, one in lists.items() if at < len(one)} for at in range(length)]

    @staticmethod
    def _fits(path: Path) -> bool:
        """Return whether there is a list of numbers, or of objects with numbers; of a large file by its beginning."""
        if not _SHAPES.match(head(path)):
            return False
        try:
            data = read_document(path)
        except DataError:
            return False
        if isinstance(data, dict) and any(map(_holds_lists, data.values())):
            data = leaves(data)
        by_epoch = isinstance(data, dict) and all(key.isdecimal() for key in data)
        first = data[0] if isinstance(data, list) else next(iter((data if by_epoch else lists_of(data)).values()), ())
        values = first.values() if isinstance(first, dict) else first
        return any(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _holds_lists(value: Any) -> bool:
    """Return whether a value of a JSON is a mapping of names to lists: `{"train": {"loss": […]}}`."""
    return isinstance(value, dict) and any(isinstance(one, list) for one in value.values())


class ParquetFormat(HistoryFile):
    """Reads Parquet files a few thousand rows at a time; all of one again while it grows."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows.

        Raises:
            DataError: the file is damaged.
            MissingDependencyError: pyarrow is not installed, or cannot load.
        """
        arrow = optional("pyarrow", "pyarrow", "reading Parquet")
        parquet = optional("pyarrow.parquet", "pyarrow", "reading Parquet")
        try:
            with parquet.ParquetFile(path) as opened:
                for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                    yield from batch.to_pylist()
        except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            what = f"is not a Parquet file that can be read ({reason})"
            raise DataError(what, where=str(path), remedy="write or copy it again") from None

"""Histories in Parquet: a row a step, a column a metric. Needs pyarrow (extra `analysis`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from exaid_evals.config.extras import optional
from exaid_evals.errors import DataError
from exaid_evals.runs.history_files import HistoryFile
from exaid_evals.runs.rows import Row

_ROWS_AT_ONCE = 4096


class ParquetFormat(HistoryFile):
    """Reads Parquet files a few thousand rows at a time; all of one again while it grows."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows.

        Raises:
            DataError: the file is damaged.
            MissingDependencyError: pyarrow is not installed, or cannot load.
        """
        return _rows(path)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    arrow = optional("pyarrow", "pyarrow", "reading Parquet")
    parquet = optional("pyarrow.parquet", "pyarrow", "reading Parquet")
    try:
        with parquet.ParquetFile(path) as opened:
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"is not a Parquet file that can be read ({reason})", where=str(path)) from None

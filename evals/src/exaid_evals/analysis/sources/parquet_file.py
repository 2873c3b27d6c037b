"""Histories in Parquet: a row a step, a column a metric. Needs pyarrow (extra `analysis`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from exaid_evals.analysis.history import History
from exaid_evals.analysis.sources.base import optional
from exaid_evals.analysis.sources.rows import history_of
from exaid_evals.analysis.sources.tabular import HistoryFiles, batch_rows, config_beside, history_files, pick
from exaid_evals.errors import DataError

_ROWS_AT_ONCE = 4096


class ParquetSource(HistoryFiles):
    """Reads Parquet files a few thousand rows at a time."""

    name = "parquet"
    suffixes = (".parquet", ".pq")

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run.

        Raises:
            DataError: there is no such run, or the file is damaged or empty.
            MissingDependencyError: pyarrow is not installed, or cannot load.
        """
        name, path = pick(history_files(place, self.suffixes), place, run_name)
        rows = list(_rows(path))
        if not rows:
            raise DataError("holds no step", where=str(path), remedy="name the file that the training wrote")
        warnings: list[str] = []
        config = config_beside(path, warnings)
        batches = batch_rows(path.parent, warnings)
        return replace(history_of(name, self.name, rows, config=config, warnings=warnings), batches=batches)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    arrow = optional("pyarrow", "pyarrow", "reading Parquet")
    parquet = optional("pyarrow.parquet", "pyarrow", "reading Parquet")
    try:
        with parquet.ParquetFile(path) as opened:
            for batch in opened.iter_batches(batch_size=_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"is no Parquet file that can be read ({reason})", where=str(path)) from None

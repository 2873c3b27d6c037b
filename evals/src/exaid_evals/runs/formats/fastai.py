"""fastai's CSVLogger: `history.csv` with a row an epoch, whose last column is the time that the epoch took."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


class FastaiFormat(ToolFile):
    """Reads a run a folder."""

    name = "fastai"
    files = ("history.csv", "*.csv")
    sign = re.compile(rb"\Aepoch,train_loss,valid_loss\b[^\n]*\btime\r?\n")
    left_out = ("time",)
    step = "epoch"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows."""
        return csv_rows(path, warnings)

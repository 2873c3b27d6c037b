"""Keras' CSVLogger: a CSV under any name, mostly `training.log`, with a row an epoch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


class KerasFormat(ToolFile):
    """Reads a run a folder with such a log."""

    name = "keras"
    files = ("training.log", "*.log")
    sign = re.compile(rb"\A(?:\xef\xbb\xbf)?epoch([,;\t])(?:[^\n]*[,;\t])?(?:val_)?loss\b")
    step = "epoch"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows."""
        return csv_rows(path, warnings)

"""Lightning's CSVLogger: `version_N/metrics.csv` with a row a call of the logger, and `hparams.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


class LightningFormat(ToolFile):
    """Reads a run a version: its rows are sparse, and what a row does not name was not logged then."""

    name = "lightning"
    files = ("metrics.csv",)
    sign = re.compile(rb"\A(?=[^\n]*(?:\A|,)epoch\b)(?=[^\n]*(?:\A|,)step\b)")
    below = 3  # lightning_logs/version_0, or logs/name/version_0
    configs = ("hparams.yaml",)
    step = "step"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows, without their empty cells."""
        for row in csv_rows(path, warnings):
            yield {name: value for name, value in row.items() if value is not None}

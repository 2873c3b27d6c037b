"""timm's training script: `summary.csv` with a row an epoch, `args.yaml` beside it; accuracies are per cent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


class TimmFormat(ToolFile):
    """Reads a run a folder; its numbers stay per cent, as it writes them."""

    name = "timm"
    files = ("summary.csv",)
    sign = re.compile(rb"\Aepoch,(?=[^\n]*\btrain_loss\b)[^\n]*\beval_")
    configs = ("args.yaml",)
    step = "epoch"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows."""
        return csv_rows(path, warnings)

"""Ultralytics YOLO: `results.csv` with a row an epoch, `args.yaml` beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


class UltralyticsFormat(ToolFile):
    """Reads a run a folder `train`, `train2`, …; columns are padded with blanks in older versions."""

    name = "ultralytics"
    files = ("results.csv",)
    sign = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*epoch\s*,[^\n]*(?:metrics/|train/\w*loss|val/\w*loss)")
    below = 2  # runs/detect/train
    configs = ("args.yaml", "opt.yaml")
    left_out = ("time",)
    leading = ("metrics/mAP50-95(B)", "metrics/mAP50-95(M)", "metrics/mAP50(B)", "metrics/accuracy_top1")
    step = "epoch"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows."""
        return csv_rows(path, warnings)

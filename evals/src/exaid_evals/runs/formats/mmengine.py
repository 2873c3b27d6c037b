"""MMEngine: `vis_data/scalars.json`, an object a line, in a folder named by the time; MMCV: `<time>.log.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exaid_evals.runs.files.json_lines import objects
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile


class MmengineFormat(ToolFile):
    """Reads a run a folder.

    Rows of training count iterations as their step, rows of validation epochs: in one file `step` means both. A row
    of validation belongs to the iteration of the training before it. MMCV counts iterations anew in each epoch; here
    they go on.
    """

    name = "mmengine"
    files = (
        *("vis_data/scalars.json", "scalars.json", "*/vis_data/scalars.json", "vis_data/[0-9]*_[0-9]*.json"),
        "*.log.json",
    )
    sign = re.compile(rb'\A\s*\{[^\n]*"step"\s*:|^\{"mode"\s*:\s*"(?:train|val)"', re.M)
    left_out = ("time", "data_time", "memory", "iter")
    step = "step"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows, each under the iteration that it belongs to."""
        last: Any = None
        before, inner = 0, 0
        for row in objects(path, warnings):
            if "mode" in row:
                kept = {key: value for key, value in row.items() if key not in ("mode", "iter", "epoch")}
                if row["mode"] == "train":
                    now = int(row["iter"]) if isinstance(row.get("iter"), int) else inner
                    before, inner = (before + inner if now < inner else before), now
                    last = before + inner
                yield {**kept, "step": last or row.get("iter")}
            elif "env_info" in row or "config" in row:
                continue
            elif "iter" in row or "loss" in row:
                last = row.get("iter", row.get("step"))
                yield {**row, "step": last}
            else:
                yield {**row, "step": row.get("step") if last is None else last}

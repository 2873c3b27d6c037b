"""Histories in JSON Lines: an object a step, as most hand-written training loops and `log_batch_metrics` write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exaid_evals.analysis.history import History
from exaid_evals.analysis.sources.rows import history_of
from exaid_evals.analysis.sources.tabular import HistoryFiles, batches_beside, config_beside, history_files, pick
from exaid_evals.artifacts.content import content_chunks
from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError


class JsonlSource(HistoryFiles):
    """Reads JSON Lines, NaN and infinities as Python writes them included."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a run; a line that is no object is left out and told of.

        Raises:
            DataError: there is no such run, or the file holds no step.
        """
        name, path = pick(history_files(place, self.suffixes), place, run_name)
        warnings: list[str] = []
        rows = [*objects(path, warnings), *batches_beside(path, objects, warnings)]
        if not rows:
            raise DataError("holds no step", where=str(path), remedy="name the file that the training wrote")
        return history_of(name, self.name, rows, config=config_beside(path, warnings), warnings=warnings)


def objects(path: Path, warnings: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file; lines that are none, or are too long, are counted in `warnings`.

    Raises:
        DataError: the file cannot be read.
    """
    wrong: list[int] = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            yield value
        else:
            wrong.append(number)
    if wrong:
        shown = ", ".join(map(str, wrong[:5]))
        warnings.append(f"{path.name}: {len(wrong)} lines are no JSON object (lines {shown}); they are left out")


def _lines(path: Path) -> Iterator[bytes]:
    held = b""
    for chunk in content_chunks(path):
        *lines, held = (held + chunk).split(b"\n")
        if len(held) > MAX_LINE_BYTES:
            raise DataError("has a line without an end", where=str(path), remedy="is it JSON Lines?")
        yield from lines
    if held:
        yield held

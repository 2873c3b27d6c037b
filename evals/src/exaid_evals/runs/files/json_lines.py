"""JSON Lines of other tools: NaN and infinities as Python writes them, and lines that are not objects told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import as_utf8, chunks


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
        warnings.append(f"{path.name}: {len(wrong)} lines are not JSON objects (lines {shown}); they are left out")


def _lines(path: Path) -> Iterator[bytes]:
    held = b""
    for chunk in as_utf8(chunks(path)):
        *lines, held = (held + chunk).split(b"\n")
        if len(held) > MAX_LINE_BYTES:
            raise DataError("has a line without an end", where=str(path), remedy="is it JSON Lines?")
        yield from lines
    if held:
        yield held

"""Lines of a text file, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import chunks


def text_lines(path: Path, warnings: list[str]) -> Iterator[str]:
    """Yield the lines of a file without their ends; bytes that are not UTF-8 are replaced, and told of.

    Raises:
        DataError: the file cannot be read, or has a line without an end.
    """
    held, odd = b"", 0
    for chunk in chunks(path):
        *lines, held = (held + chunk).split(b"\n")
        if len(held) > MAX_LINE_BYTES:
            raise DataError("has a line without an end", where=str(path), remedy="is it a log?")
        for line in lines:
            text = line.decode("utf-8", errors="replace").rstrip("\r")
            odd += "\N{REPLACEMENT CHARACTER}" in text
            yield text
    if held:
        yield held.decode("utf-8", errors="replace")
    if odd:
        warnings.append(f"{path.name}: {odd} lines are not UTF-8; what could be read of them was read")

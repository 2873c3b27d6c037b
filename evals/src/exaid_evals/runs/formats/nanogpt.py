"""nanoGPT and llm.c: logs of text, a line an event; the steps are what stands before the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from exaid_evals.artifacts.jsonl import MAX_LINE_BYTES
from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import chunks
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile

_NUMBER = r"([-+]?(?:nan|inf|\d+\.?\d*(?:e[-+]?\d+)?|\.\d+))"
_EVAL = re.compile(rf"^step (\d+): train loss {_NUMBER}, val loss {_NUMBER}", re.I)
_ITER = re.compile(rf"^iter (\d+): loss {_NUMBER}", re.I)
_LLMC = re.compile(r"^s:(\d+)((?: \w+:\S+)+)\s*$")
_TERMS = {"trl": "train/loss", "tel": "val/loss", "eval": "eval/accuracy", "norm": "grad_norm", "lr": "lr"}


class NanogptFormat(ToolFile):
    """Reads `step 250: train loss …, val loss …` and `iter 10: loss …`, and llm.c's `s:10 trl:… tel:…`."""

    name = "nanogpt"
    files = ("main.log", "train.log", "*.log", "log.txt", "*.txt", "*.out")
    sign = re.compile(rb"^(?:step \d+: train loss |iter \d+: loss |s:\d+ (?:tel|trl|eval):)", re.M)
    step = "step"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row for each line of numbers; other lines are what a program prints besides."""
        for line in text_lines(path, warnings):
            if found := _EVAL.match(line):
                yield {"step": int(found[1]), "train/loss_eval": float(found[2]), "val/loss": float(found[3])}
            elif found := _ITER.match(line):
                yield {"step": int(found[1]), "train/loss": float(found[2])}
            elif found := _LLMC.match(line):
                terms = dict(term.split(":", 1) for term in found[2].split())
                yield {"step": int(found[1]), **{_TERMS.get(name, name): value for name, value in terms.items()}}


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

"""What programs print while they train: lines that name a step, and numbers by their names."""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from exaid_evals.runs.files.content import text_lines
from exaid_evals.runs.files.delimited import number
from exaid_evals.runs.files.printed_tables import PrintedTable
from exaid_evals.runs.metric_names import role_of_column, split_of
from exaid_evals.runs.rows import Row, simple
from exaid_evals.runs.tool_files import ToolFile, head

_STEP = re.compile(
    r"\b(epoch|(?:global[_ ])?step|iter(?:ation)?)s?\b[ :=#\[(]*(\d{1,15})(?![\d.]*[.\w])"
    r"|(?:^\[|\] \[)(\d{1,15})\](?=\t| [A-Za-z_][\w/]*=)|(?<!\S)(\d{1,15})epoch\b",
    re.I,
)
_UPDATES = re.compile(r"\bnum_updates[ :=]+(\d{1,15})\b")
"""fairseq's count of steps, which stands among its metrics and goes before the epoch at the head of the line."""
_VALUE = r"[-+]?(?:nan|inf|\d{1,40}(?:\.\d{0,40})?(?:e[-+]?\d{1,9})?|\.\d{1,40})"
_PAIR = re.compile(
    # A name is bounded, since the search begins at each place of a line: what is longer is prose.
    r"([A-Za-z_][\w'@.()-]{0,60}(?:[ /][A-Za-z_][\w'@.()-]{0,60}){0,7})\s{0,40}[:=]\s{0,40}("
    + _VALUE
    + r"%?)(?=$|[\s,;|)\]])",
    re.I,
)
_FIELD = re.compile(
    r"(?:^|(?<=[|\t]))[ ]{0,9}([A-Za-z_][\w'@.-]{0,60})[ ]{1,9}(" + _VALUE + r")[ ]{0,9}"
    r"(?:\([ ]{0,9}" + _VALUE + r"\)[ ]{0,9})?(?=$|[|\t])",
    re.I,
)
"""`| loss 6.5 |`, and `Loss 6.9 (7.0)` between tabs, the running mean in brackets."""
_RANKED = re.compile(r"(?<![\w@])([A-Za-z]{1,30}@\d{1,3})[ ]{1,9}(" + _VALUE + r")(?=$|[\s,;|)])", re.I)
"""`Acc@1 54.0 Acc@5 80.1`."""
_LISTED = re.compile(
    r"(?:^|(?<=[:,] ))([A-Za-z_][\w'@.-]{0,60}(?:[ ][A-Za-z_][\w'@.-]{0,60}){0,3})[ ]("
    + _VALUE
    + r")(?=\.?$|,|[ ][A-Za-z]{1,3}(?:$|,))",
    re.I,
)
"""`Iter 10: Train loss 2.6, Learning Rate 1e-05`, and nnU-Net's `train_loss -0.8` behind the time."""
_SEVERAL = re.compile(r"([A-Za-z_]\w{0,40}(?: \w{1,40}){0,4}):? \[([^\[\]]{1,4000})\]$")
"""`Pseudo dice [0.91, 0.85]`: a value a class."""
_OF_NUMPY = re.compile(r"np\.float\d\d\(([^()]{1,40})\)")
_MAPPING = re.compile(r"\{['\"]")
_ITEM = re.compile(r"['\"]([^'\"]+)['\"]: ['\"]?(" + _VALUE + r")['\"]?(?=[,}])", re.I)
_SECTION = re.compile(r"\[([A-Za-z_]{1,20})\]")
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_MEASURES = ("metric", "contested", "schedule", "system")
_MANY = 10
"""Lines that differ, of an epoch longer than what is looked at."""
_STEPS = ("step", "global_step", "num_updates", "iter", "iteration")


class TextLogFormat(ToolFile):
    """Reads what programs print: lines that name a step, and numbers as `name: value` or `name=value`.

    A number is read where its name is that of a metric, a setting of the training or a time, and its line names a step
    or stands behind one that does so and no more (as Keras prints). XGBoost, LightGBM, torchtune and SpeechBrain print
    such lines, and most loops that people write. Numbers may also stand between bars or tabs (fairseq, Megatron,
    PyTorch's examples), behind `[train]` and `[valid]` (ESPnet), or in a mapping of JSON's or Python's at the end.
    """

    name = "text_log"
    files = ("train.log", "training.log", "*.log", "log.txt", "train_log.txt", "*.txt", "*.out")
    sign = re.compile(rb"")
    below = 2
    generic = True
    printed = True

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row a line; where lines count epochs and steps, or an epoch has several, rows are counted."""
        found = list(_printed(text_lines(path, warnings)))
        within = any(
            a.steps == b.steps and "epoch" in a.steps and a.values.keys() & b.values.keys()
            for a, b in itertools.pairwise(found)
        )
        alone = not within and {tuple(steps) for steps, _ in found} in ({("epoch",)}, {("step",)})
        if not alone:
            yield from (values for _, values in found)
            return
        for steps, of_step in itertools.groupby(found, key=lambda line: line.steps):
            # Of a step's value that is printed twice on end, as fairseq does at the end of an epoch, the last counts.
            yield {**steps, **dict(itertools.chain.from_iterable(values.items() for _, values in of_step))}

    def _begins_so(self, path: Path) -> bool:
        """Return whether two lines of the beginning, with steps of their own, or many of one epoch, hold a metric."""
        lines = _printed(head(path).decode("utf-8", "replace").splitlines())
        measured = (line for line in lines if any(role_of_column(name) == "metric" for name in line.values))
        first = list(itertools.islice(measured, 50))
        own = {str(line.steps or line.values) for line in first}
        return len(own) > 1 or len({str(line.values) for line in first}) >= _MANY


class _Line(NamedTuple):
    steps: dict[str, int]
    values: dict[str, float]


def _printed(lines: Iterable[str]) -> Iterator[_Line]:
    """Yield the steps and the numbers of each line that has both, or whose step stood alone before it."""
    alone: dict[str, int] = {}
    last: dict[str, int] = {}
    part = "validation"  # what the lines before were taken on: what they end with without a word is an evaluation's
    table = PrintedTable()
    for raw in lines:
        line = _COLOURS.sub("", raw).strip()
        if (row := table.row(line)) is not None:
            yield _Line(*row)
            continue
        if line.endswith("}") and (found := _MAPPING.search(line)):
            if (of_mapping := _of_mapping(line[found.start() :])).values:
                yield of_mapping
            continue
        pairs = _pairs(line)
        steps, start = _steps(line, pairs)
        values = _named(line, pairs, start) or _of_classes(line)
        if values and (steps or alone):
            yield _Line(steps or alone, values)
        elif last and not steps and (values := _of_last_step(line, pairs, part)):
            yield _Line(last, values)
        if steps:
            alone = {} if values else steps
            last, part = steps, "validation"
        elif pairs and (split := split_of(line[: pairs[0].start()])):
            part = split


def _of_mapping(text: str) -> _Line:
    """Return what a mapping holds, one of Python's (of Hugging Face's Trainer) or of JSON's (of fairseq)."""
    items = {name: number(value) for name, value in _ITEM.findall(text)}
    parts = {name: name.partition("_") for name in items}
    bare = {name: simple(rest if rest and split_of(split) else name) for name, (split, _, rest) in parts.items()}
    steps = [int(items[name]) for name, counted in bare.items() if counted in _STEPS and math.isfinite(items[name])]
    if not steps and not any(simple(name) == "epoch" for name in items):
        return _Line({}, {})  # of a search, or of anything else: a training's names one of them
    values = {name: value for name, value in items.items() if role_of_column(name) in _MEASURES}
    return _Line({"step": steps[0]} if steps else {}, values)


def _pairs(line: str) -> list[re.Match[str]]:
    """Return names and numbers in their order, of names that measure or set something; none overlaps another."""
    found = sorted(
        (one for form in (_PAIR, _FIELD, _RANKED, _LISTED) for one in form.finditer(line)), key=lambda one: one.start(1)
    )
    kept: list[re.Match[str]] = []
    for one in found:
        if role_of_column(one[1]) in _MEASURES and (not kept or one.start(1) >= kept[-1].end(2)):
            kept.append(one)
    return kept


def _of_classes(line: str) -> dict[str, float]:
    """Return the values of a metric that are printed as a list, by their places in it."""
    found = _SEVERAL.search(line) if line.endswith("]") else None
    if found is None or role_of_column(found[1]) != "metric":
        return {}
    try:
        values = [number(cell) for cell in _OF_NUMPY.sub(r"\1", found[2]).replace(",", " ").split()]
    except ValueError:
        return {}
    return {f"{found[1]}/{at}": value for at, value in enumerate(values)}


def _of_last_step(line: str, pairs: list[re.Match[str]], part: str) -> dict[str, float]:
    """Return what an evaluation ends with: `Test set: Average loss: 0.04`, ` * Acc@1 54.0 Acc@5 80.1`."""
    head_split = split_of(line[: pairs[0].start()]) if pairs else None
    found = {}
    for one in pairs:
        split = head_split or split_of(one[1]) or (part if "@" in one[1] else None)
        if split == "validation" and role_of_column(one[1]) == "metric":
            found[one[1] if split_of(one[1]) else f"{split}/{one[1]}"] = number(one[2])
    return found


def _steps(line: str, pairs: list[re.Match[str]]) -> tuple[dict[str, int], int]:
    """Return the steps that a line names before its first metric, else anywhere in it, and where its numbers begin."""
    found = list(_STEP.finditer(line))
    metric = next((one.start(1) for one in pairs if role_of_column(one[1]) == "metric"), len(line))
    before = [one for one in found if one.end() <= metric]
    # Behind the metrics Megatron counts "skipped iterations: 0".
    steps = {
        "epoch" if one[4] or (one[1] or "").lower() == "epoch" else "step": int(one[2] or one[3] or one[4])
        for one in before or found
    }
    if pairs and (updates := _UPDATES.search(line)):
        steps = {"step": int(updates[1])}
    return steps, before[-1].end() if before else 0


def _named(line: str, pairs: list[re.Match[str]], start: int) -> dict[str, float]:
    """Return the numbers behind a place of a line, under names that say on which part of the data they were taken."""
    rest = [one for one in pairs if one.start(1) >= start]
    sections = list(_SECTION.finditer(line, start))
    splits_of = [None, *(split_of(one[1]) for one in sections)]
    if any(splits_of):
        starts = [one.start() for one in sections]
        placed = [(one, splits_of[bisect_left(starts, one.start(1))]) for one in rest]
        return {f"{split}/{one[1]}": number(one[2]) for one, split in placed if split}
    first = _STEP.search(line) if start else None
    before_step = line[: first.start()] if first else ""
    before_values = line[start : rest[0].start(1)] if rest else ""
    splits = {split_of(before_step), split_of(before_values)} - {None}
    before = f"{splits.pop()}/" if len(splits) == 1 else ""
    return {one[1] if split_of(one[1]) else f"{before}{one[1]}": number(one[2]) for one in rest}

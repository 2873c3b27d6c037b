"""Logs of training tools with a line a step, an epoch or a call, one a run: text, objects or CSV.

nanoGPT, llm.c and their kin write text in which the steps stand before the numbers. MMEngine writes an object a line
into `vis_data/scalars.json` in a folder named by the time, MMCV before it into `<time>.log.json`, validation beside
training. Others log a CSV, and are known by how it begins and by what lies beside it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from exaid_evals.runs.files.content import text_lines
from exaid_evals.runs.files.delimited import number
from exaid_evals.runs.files.document import objects
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.metric_names import role_of_column, split_of
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile, head

_NUMBER = r"([-+]?(?:nan|inf|\d+\.?\d*(?:e[-+]?\d+)?|\.\d+))"
_LINES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (rf"step (\d{{1,15}}): train loss {_NUMBER}, val loss {_NUMBER}", ("train/loss_estimate", "val/loss")),
    (rf"iter (\d{{1,15}}): loss {_NUMBER}", ("train/loss",)),
    (  # llm.c on the screen
        rf"step:?\s*(\d{{1,15}})(?:/\d+)?\s*\|\s*(?:train )?loss:? {_NUMBER}[^|]*\| norm {_NUMBER}[^|]*\| lr {_NUMBER}",
        ("train/loss", "grad_norm", "lr"),
    ),
    (rf"step:?\s*(\d{{1,15}})(?:/\d+)?\s*\|\s*(?:train )?loss:? {_NUMBER}", ("train/loss",)),
    (rf"(\d{{1,15}}) \| loss {_NUMBER} \| lr {_NUMBER}", ("train/loss", "lr")),  # llama2.c
    (rf"(\d{{1,15}}) train {_NUMBER}$", ("train/loss",)),  # build-nanogpt
    (rf"(\d{{1,15}}) val {_NUMBER}$", ("val/loss",)),
    (rf"(\d{{1,15}}) hella {_NUMBER}$", ("hellaswag/accuracy",)),
)
"""How a line begins, its step first, and what its numbers are called."""
_PATTERNS = tuple((re.compile(pattern, re.I), names) for pattern, names in _LINES)
_OF_LAST_STEP = (
    (re.compile(rf"val loss:? {_NUMBER}\s*$"), "val/loss"),
    (re.compile(rf"HellaSwag: \d+/\d+ = {_NUMBER}"), "hellaswag/accuracy"),
)
"""Lines without a step of their own, that belong to the one before them."""
_TERMS_OF = re.compile(r"(?:s|step):(\d{1,15})(?:/\d+)?((?: \w+:\S+)+)\s*$")
"""llm.c's `s:10 trl:… tel:…`, and what grew from modded-nanogpt: `step:125/1750 val_loss:… train_time:…`."""
_TERMS = {"trl": "train/loss", "tel": "val/loss", "eval": "eval/accuracy", "norm": "grad_norm"}
_TERMS |= {"train_loss": "train/loss", "val_loss": "val/loss"}
_LEFT_OUT = ("train_time", "step_avg", "time", "dt")


class NanogptFormat(ToolFile):
    """Reads logs of text with a line an event, of nanoGPT, llm.c and what grew from them."""

    name = "nanogpt"
    files = ("main.log", "train.log", "*.log", "log.txt", "*.txt", "*.out")
    sign = re.compile(
        rb"^(?:step \d+: train loss |iter \d+: loss |s:\d+ (?:tel|trl|eval):|step:\d+/\d+ (?:train|val)_loss:|"
        rb"step\s+\d+(?:/\d+)?\s*\| (?:train )?loss:? |\d+ \| loss [\d.]+ \| lr |\d+ (?:val|train|hella) \d+\.\d+\r?$)",
        re.M,
    )
    leading = ("val/loss",)
    step = "step"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield a row for each line of numbers; other lines are what a program prints besides."""
        last = 0
        for line in text_lines(path, warnings):
            for pattern, name in _OF_LAST_STEP:
                if found := pattern.match(line):
                    yield {"step": last, name: float(found[1])}
            if found := _TERMS_OF.match(line):
                terms = [term.split(":", 1) for term in found[2].split()]
                kept = {_TERMS.get(name, name): value for name, value in terms if name not in _LEFT_OUT}
                yield {"step": int(found[1]), **kept}
                continue
            for pattern, names in _PATTERNS:
                if found := pattern.match(line):
                    last = int(found[1])
                    yield {"step": last, **dict(zip(names, map(float, found.groups()[1:]), strict=True))}
                    break


_STEP = re.compile(
    r"\b(epoch|(?:global[_ ])?step|iter(?:ation)?)s?\b[ :=#\[(]*(\d{1,15})(?![\d.]*[.\w])|^\[(\d{1,15})\](?=\t)", re.I
)
_VALUE = r"[-+]?(?:nan|inf|\d{1,40}(?:\.\d{0,40})?(?:e[-+]?\d{1,9})?|\.\d{1,40})"
_PAIR = re.compile(
    # A name is bounded, since the search begins at each place of a line: what is longer is prose.
    r"([A-Za-z_][\w'@.()-]{0,60}(?:[ /][A-Za-z_][\w'@.()-]{0,60}){0,7})\s*[:=]\s*(" + _VALUE + r"%?)(?=$|[\s,;|)\]])",
    re.I,
)
_PRINTED = re.compile(r"\{'.+\}$")
_ITEM = re.compile(r"'([^']+)': '?(" + _VALUE + r")'?(?=[,}])", re.I)
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_MEASURES = ("metric", "contested", "schedule", "system")


class TextLogFormat(ToolFile):
    """Reads what programs print: lines that name a step, and numbers as `name: value` or `name=value`.

    A number is read where its name is that of a metric, a setting of the training or a time, and its line names a step
    or stands behind one that does so and no more (as Keras prints). XGBoost, LightGBM, torchtune and SpeechBrain print
    such lines, and most loops that people write; Hugging Face's Trainer prints mappings of Python's.
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
        within = any(a[0] == b[0] and a[1].keys() & b[1].keys() for a, b in itertools.pairwise(found))
        alone = not within and {tuple(steps) for steps, _ in found} in ({("epoch",)}, {("step",)})
        for steps, values in found:
            yield {**steps, **values} if alone else values

    def _begins_so(self, path: Path) -> bool:
        """Return whether two lines of the beginning, with steps of their own, hold a metric."""
        lines = _printed(head(path).decode("utf-8", "replace").splitlines())
        measured = (line for line in lines if any(role_of_column(name) == "metric" for name in line[1]))
        return len({str(steps or values) for steps, values in itertools.islice(measured, 50)}) > 1


def _printed(lines: Iterable[str]) -> Iterator[tuple[dict[str, int], dict[str, float]]]:
    """Yield the steps and the numbers of each line that has both, or whose step stood alone before it."""
    alone: dict[str, int] = {}
    for raw in lines:
        line = _COLOURS.sub("", raw).strip()
        if found := _PRINTED.search(line):  # Hugging Face's Trainer prints what it logs as a mapping of Python's
            yield (
                {},
                {name: number(text) for name, text in _ITEM.findall(found[0]) if role_of_column(name) in _MEASURES},
            )
            continue
        matches = list(_STEP.finditer(line))
        steps = {"epoch" if (one[1] or "").lower() == "epoch" else "step": int(one[2] or one[3]) for one in matches}
        rest = line[matches[-1].end() :] if matches else line
        pairs = list(_PAIR.finditer(rest))
        before_step = line[: matches[0].start()] if matches else ""
        before_values = rest[: pairs[0].start()] if pairs else ""
        splits = {split_of(before_step), split_of(before_values)} - {None}
        before = f"{splits.pop()}/" if len(splits) == 1 else ""
        values = {
            one[1] if split_of(one[1]) else f"{before}{one[1]}": number(one[2])
            for one in pairs
            if role_of_column(one[1]) in _MEASURES
        }
        if values and (steps or alone):
            yield steps or alone, values
        if steps:
            alone = {} if values else steps


class MmengineFormat(ToolFile):
    """Reads a run a folder.

    Rows of training count iterations as their step, rows of validation epochs: in one file `step` means both. A row
    of validation belongs to the iteration of the training before it. MMCV counts iterations anew in each epoch; here
    they go on.
    """

    name = "mmengine"
    files = (*("vis_data/scalars.json", "scalars.json", "vis_data/[0-9]*_[0-9]*.json"), "*.log.json")
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


class JsonLogFormat(ToolFile):
    """Reads a log with an object a line that counts steps, under any name: of DETR, Detectron2, fairseq and others."""

    name = "json_log"
    files = ("log.txt", "metrics.json", "*.txt", "*.log")
    sign = re.compile(
        rb'\A\s*\{[^\n]*"(?:_step|step|global_step|iter|iteration|epoch|num_updates)"\s*:\s*"?\d[^\n]*\}\s*(?:\n|\Z)'
    )

    def _begins_so(self, path: Path) -> bool:
        return super()._begins_so(path) and (path.suffix != ".json" or b"}\n{" in head(path))  # a lone one is not a log

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the objects."""
        return objects(path, warnings)


_START = rb"\A(?:\xef\xbb\xbf)?[ \t\"]*"


class CsvTool(ToolFile):
    """Base of such a tool's format."""

    step = "epoch"

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows, without their empty cells: what a row does not name was not logged then."""
        for row in csv_rows(path, warnings):
            yield {name: value for name, value in row.items() if value is not None}


_OF_TEXT = (
    *("gpu_mem", "train/box_loss", "train/obj_loss", "train/cls_loss", "train/loss", "n_labels", "img_size"),
    *("metrics/precision", "metrics/recall", "metrics/mAP_0.5", "metrics/mAP_0.5:0.95"),
    *("val/box_loss", "val/obj_loss", "val/cls_loss"),
)
"""The columns of `results.txt` behind the epoch, as YOLOv5 wrote it before version 5.0, and YOLOv7 does."""


class UltralyticsFormat(CsvTool):
    """Ultralytics YOLO, a folder `train`, `train2`, … a run; YOLOv5 to v7 pad columns, and have `opt.yaml`."""

    name = "ultralytics"
    files = ("results.csv", "results.txt")
    sign = re.compile(
        _START
        + rb"(?:epoch\"?\s*,[^\n]*(?:metrics/|train/\w*loss|val/\w*loss)|\d+/\d+ +[\d.]+G(?: +[-+.\w]+){13,}\r?\n)"
    )
    configs = ("args.yaml", "opt.yaml")
    left_out = ("time", "gpu_mem", "n_labels", "img_size")
    leading = (
        *("metrics/mAP50-95(B)", "metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/mAP50(B)"),
        *("metrics/mAP_0.5:0.95", "metrics/mAP_0.5:0.95(B)", "metrics/mAP_0.5", "metrics/accuracy_top1"),
    )

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield the rows; those of `results.txt` have no header, and their columns by place."""
        if path.suffix != ".txt":
            yield from super().rows(path, warnings)
            return
        odd = 0
        for line in text_lines(path, warnings):
            epoch, *cells = line.split() or [""]
            if len(cells) < len(_OF_TEXT):
                odd += bool(epoch)
                continue
            yield {"epoch": epoch.partition("/")[0], **dict(zip(_OF_TEXT, cells, strict=False))}
        if odd:
            warnings.append(f"{path.name}: {odd} lines have fewer columns than YOLO writes; left out")


class LightningFormat(CsvTool):
    """Lightning's CSVLogger, a folder `version_0`, `version_1`, … a run; its rows are sparse."""

    name = "lightning"
    files = ("metrics.csv",)
    sign = re.compile(_START + rb"(?=[^\n]*(?:\A|[,\" \t])epoch\b)(?=[^\n]*(?:\A|[,\" \t])step\b)")
    below = 6  # lightning_logs/version_0, or logs/train/runs/<time>/csv/version_0
    configs = ("hparams.yaml",)
    step = "step"


class TimmFormat(CsvTool):
    """timm's training script; its accuracies stay per cent, as it writes them."""

    name = "timm"
    files = ("summary.csv",)
    sign = re.compile(_START + rb"epoch\"?,(?=[^\n]*\btrain_loss\b)[^\n]*\beval_")
    configs = ("args.yaml",)
    leading = ("eval_top1",)


class FastaiFormat(CsvTool):
    """fastai's CSVLogger, whose last column is the time that the epoch took."""

    name = "fastai"
    files = ("history.csv", "*.csv")
    sign = re.compile(_START + rb"epoch\"?,train_loss,valid_loss\b[^\n]*\btime\r?\n")
    left_out = ("time",)
    leading = ("accuracy", "f1_score", "roc_auc_score", "dice", "error_rate", "valid_loss")  # all of validation data


class KerasFormat(CsvTool):
    """Keras' CSVLogger, under any name; several in one folder are a run each.

    It writes the epoch, counted from 0, and then what was logged in the order of the alphabet. Other tables with an
    epoch and a loss are plain CSV, and so is one that whoever writes by hand would give the same order.
    """

    name = "keras"
    files = ("training.log", "*.log", "*.csv")
    sign = re.compile(_START + rb"epoch([,;\t])((?:[^\n]*[,;\t])?(?:val_)?loss\b[^\r\n]*)\r?(?:\n\s*(\d+)|\Z)")

    def _begins_so(self, path: Path) -> bool:
        found = self.sign.match(head(path))
        if found is None or (found[3] not in (None, b"0") and path.suffix != ".log"):
            return False
        names = found[2].split(found[1])
        if path.suffix != ".log" and not names[0] < b"loss":
            return False
        return names == sorted(names) and all(
            name.removeprefix(b"val_") in names for name in names if name.startswith(b"val_")
        )

"""Logs of training tools with a line a step, an epoch or a call, one a run: text, objects or CSV.

nanoGPT, llm.c and their kin write text in which the steps stand before the numbers. MMEngine writes an object a line
into `vis_data/scalars.json` in a folder named by the time, MMCV before it into `<time>.log.json`, validation beside
training. Others log a CSV, and are known by how it begins and by what lies beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exaid_evals.runs.files.content import text_lines
from exaid_evals.runs.files.document import objects
from exaid_evals.runs.formats.row_files import csv_rows
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
        # Neptune's operations are objects in objects, of which only some count steps.
        rb'\A\s*\{(?!\s*"obj"\s*:\s*\{)[^\n]*"(?:_step|step|global_step|iter|iteration|epoch|num_updates)"\s*:\s*"?\d[^\n]*\}\s*(?:\n|\Z)'
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


class SpinningUpFormat(CsvTool):
    """Spinning Up's `progress.txt`, a table parted by tabs with a row an epoch; returns rank such runs."""

    name = "spinning_up"
    files = ("progress.txt",)
    sign = re.compile(rb"\AEpoch\t(?=[^\n]*\bEp(?:Ret|Len)\b)|\AEpoch\tAverage")
    left_out = ("time",)
    leading = ("AverageTestEpRet", "AverageEpRet")


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

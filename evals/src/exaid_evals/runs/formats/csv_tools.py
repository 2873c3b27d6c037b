"""Tools that log a CSV with a row an epoch or a call: how its beginning looks, and what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from exaid_evals.runs.files.content import text_lines
from exaid_evals.runs.formats.csv_file import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile, head

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
    epoch and a loss are plain CSV.
    """

    name = "keras"
    files = ("training.log", "*.log", "*.csv")
    sign = re.compile(_START + rb"epoch([,;\t])((?:[^\n]*[,;\t])?(?:val_)?loss\b[^\r\n]*)\r?(?:\n\s*(\d+)|\Z)")

    def _begins_so(self, path: Path) -> bool:
        found = self.sign.match(head(path))
        if found is None or (found[3] not in (None, b"0") and path.suffix != ".log"):
            return False
        names = found[2].split(found[1])
        return names == sorted(names) and all(
            name.removeprefix(b"val_") in names for name in names if name.startswith(b"val_")
        )

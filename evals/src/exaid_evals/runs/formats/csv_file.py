"""Histories in CSV: a row a step, a column a metric; and the tools whose CSV has a row an epoch or a call.

The tools are known by how their file begins, and by what lies beside it.
"""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import text_lines
from exaid_evals.runs.files.delimited import MISSING, Block, Delimited, fitted, number, numbers, open_delimited
from exaid_evals.runs.following import FollowedRows
from exaid_evals.runs.history import Column
from exaid_evals.runs.history_files import HistoryFile
from exaid_evals.runs.metric_names import role_of_column
from exaid_evals.runs.rows import Row, Table, step_column
from exaid_evals.runs.tool_files import ToolFile, head


class FollowedCsv(FollowedRows):
    """Delimited text that grows; a cell holds no line end, since half a row could not be told from a whole one."""

    source = "csv"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._columns: list[str] | None = None
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else ","

    def begun_again(self) -> None:
        """Forget the header."""
        self._columns = None

    def parsed(self, line: bytes) -> Mapping[str, Any] | None:
        """Return the cells of a line by column; None for the header."""
        text = line.decode("utf-8-sig", "replace").rstrip("\r")
        if self._columns is None:
            if self._delimiter == "," and text.count(";") > text.count(","):
                self._delimiter = ";"
            self._columns = [cell.strip() for cell in self._cells(text)]
            return None
        cells = self._cells(text)
        if len(cells) != len(self._columns):
            self.odd("rows of another width than the header")
            return None
        # Of a column that is a duplicate the first is meant.
        return dict(reversed(list(zip(self._columns, cells, strict=True))))

    def _cells(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self._delimiter), [])
        except csv.Error:
            return []


class CsvFormat(HistoryFile):
    """Reads CSV files with any usual delimiter, a BOM, decimal commas."""

    name = "csv"
    suffixes = (".csv", ".tsv")
    line_follower = FollowedCsv

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Return the rows; one with another number of cells than the header is left out and told of."""
        return csv_rows(path, warnings)

    def table(self, path: Path, warnings: list[str]) -> Table:
        """Return the columns, read a block of lines at a time."""
        return csv_table(path, warnings)

    def measures(self, path: Path) -> bool:
        """Recognise it by the header; the numbers of rows that pandas writes count as steps."""
        columns = open_delimited(path).columns
        counted = step_column(columns) is not None or columns[0] == ""
        return counted and any(role_of_column(name) == "metric" for name in columns)


def csv_rows(path: Path, warnings: list[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file: column → number, text, or None for an empty cell.

    Raises:
        DataError: the file is not CSV.
    """
    table = csv_table(path, warnings)
    for at in range(table.n_rows):
        yield {name: column.at(at) for name, column in table.columns.items()}


def csv_table(path: Path, warnings: list[str]) -> Table:
    """Return the columns of a CSV file; a row of another width than the header is left out and told of.

    Raises:
        DataError: the file is not CSV.
    """
    opened = open_delimited(path)
    width = len(opened.columns)
    wrong: list[int] = []
    # Of a column that is a duplicate the first is meant.
    columns = {name: Column() for name in opened.columns}
    firsts = [opened.columns.index(name) for name in columns]
    n_rows = 0
    for block in opened.blocks():
        cells = _cells_by_column(opened, block, wrong)
        n_rows += len(cells[0]) if cells else 0
        for column, at in zip(columns.values(), firsts, strict=True):
            _add(column, cells[at] if cells else ())
    if wrong:
        lines = ", ".join(map(str, wrong[:5]))
        warnings.append(f"{path.name}: {len(wrong)} rows are not {width} cells wide (lines {lines}); left out")
    warnings += [f"{path.name}: {warning}" for warning in opened.warnings]
    return Table(columns, n_rows, names=set(columns) if n_rows else set())


def _cells_by_column(opened: Delimited, block: Block, wrong: list[int]) -> list[Sequence[str]]:
    columns, width = opened.columns, len(opened.columns)
    if block.lines is not None:
        if not (columns[0] and any(line.lstrip("\"' \t").startswith(columns[0]) for line in block.lines)):
            with contextlib.suppress(DataError):  # rows of another width
                return opened.split(block)
        rows = [line.split(opened.delimiter) for line in block.lines]
    else:
        rows = block.rows or []
    kept = []
    for at, one in enumerate(rows):
        row = fitted(one, columns)
        if row is not None and len(row) == width and row != [""]:
            kept.append(row)
        elif row and row != [""]:
            wrong.append(block.line + at)
    return list(zip(*kept, strict=True))


def _add(column: Column, cells: Sequence[str]) -> None:
    """Append cells: at once where they are numbers as JSON has them, which most are."""
    if not any(cells):
        column.add_missing(len(cells))
        return
    try:
        if "" not in cells:
            column.add_numbers(numbers(cells))
            return
    except ValueError:
        pass
    for cell in cells:
        column.add(_cell(cell) if cell else None)


def _cell(text: str) -> float | str | None:
    """Return a cell: empty is missing, and so is what tools write in its place; a logged `nan` diverged, and stays."""
    if text.strip().lower() in MISSING:
        return None
    try:
        return number(text)
    except ValueError:
        return text


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

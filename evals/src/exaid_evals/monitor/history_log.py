"""What a training loop logs: its numbers, the batch of a step, and the history that a monitor writes of them."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

from exaid_evals.anomalies.base import Anomaly
from exaid_evals.artifacts.atomic import append_whole
from exaid_evals.errors import ConfigError
from exaid_evals.files import append_descriptor
from exaid_evals.monitor.locking import Lock
from exaid_evals.monitor.settings import MonitoringConfig

Row = dict[str, float]
_TEXT = (str, bytes, bytearray, memoryview)


def row_of(metrics: Mapping[Any, Any], problem: Callable[[str], None]) -> Row:
    """Return the numbers among metrics, by name.

    Args:
        metrics: name → value, of any kind.
        problem: called with each that is left out.
    """
    row: Row = {}
    for given, value in metrics.items():
        try:
            name = given if type(given) is str else str(given)
        except Exception:  # an object of the user's
            problem("a metric's name is not text")
            continue
        number = number_of(value)
        if number is None:
            problem(f"not a number: {name:.100}")
        else:
            row[name] = number
    return row


def number_of(value: Any) -> float | None:
    """Return a logged value as a float; None for what is not a number: text, None, a list, a tensor of elements.

    NaN and infinities are numbers here.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if value is None or isinstance(value, _TEXT):
        return None
    try:
        # A tensor that needs its gradient must be asked by item(): float() of it warns.
        item = getattr(value, "item", None)
        if item is None:
            return float(value)
        if getattr(value, "mask", False) is not False and bool(value.mask):
            return None  # NumPy's masked arrays give the number under the mask
        plain = item()
        return None if isinstance(plain, _TEXT) else float(plain)
    except Exception:  # whatever a foreign object raises, it is not a number
        return None


_MOST_ITEMS = 20


def evidence_with(batch_info: Mapping[str, Any], one: Anomaly) -> Anomaly:
    """Return an anomaly whose evidence names the batch, and its first twenty items.

    Raises:
        Exception: whatever an item raises that cannot be written out.
    """
    more: dict[str, Any] = {}
    number = number_of(batch_info.get("batch_idx"))
    if number is not None and math.isfinite(number):
        more["batch_idx"] = int(number)
    items = batch_info.get("items")
    if isinstance(items, list | tuple):
        more["items"] = [str(item) for item in items[:_MOST_ITEMS]]
        more["n_items"] = len(items)
    return replace(one, evidence={**one.evidence, **more})


def log_batch(folder: Path, step: float, row: Mapping[str, float], batch_info: Mapping[str, Any]) -> None:
    """Write the batch into the batch log beside the history, if it has a `batch_idx`.

    Raises:
        OSError: the file cannot be written.
        TypeError, ValueError: the batch is of another form than `log_batch_metrics` takes.
    """
    from exaid_evals.analysis.batches.log import log_batch_metrics

    if "batch_idx" not in batch_info:
        return
    phase: Literal["train", "eval"] = "eval" if batch_info.get("phase") == "eval" else "train"
    log_batch_metrics(
        int(batch_info["batch_idx"]), step, row, batch_info.get("items") or (),
        profile=batch_info.get("profile"), phase=phase, folder=folder,
    )  # fmt: skip


HISTORY = "history.jsonl"


class HistoryLog:
    """Appends a row a step to `history.jsonl`, whole lines only.

    Numbers are not rounded as in records: a learning rate of 3e-7 has to stay one. NaN and infinities, which JSON
    lacks, are written as text that every reader of numbers knows ("NaN"): a null would say that nothing was logged.
    """

    def __init__(self, log_dir: Path, name: str, *, resume: bool = False) -> None:
        """Choose the folder; nothing is written.

        Args:
            log_dir: of the runs' folders.
            name: of this run's folder; where a history lies there already, `name-2`, `name-3`, … is taken, since two
                trainings in one file would be read as one.
            resume: go on with the history in `name`.
        """
        self._log_dir, self._name, self._resume = log_dir, name, resume
        self._folder = log_dir / name if resume else self._free()
        self._stream: IO[bytes] | None = None
        self._lock: Lock | None = None

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._folder / HISTORY

    def taken(self) -> bool:
        """Return whether another training writes this file; if not, it is this one's until it is closed."""
        try:
            self._own()
        except BlockingIOError:
            return True
        except OSError:
            return False  # not there yet, or not to be read: writing will say so
        return False

    def _own(self) -> None:
        """Lock the file, if that has not been done: of two that resume one history, each would break the other's."""
        if self._lock is None:
            try:
                self._lock = Lock(self.path)
            except BlockingIOError as error:
                raise BlockingIOError(error.errno, "another training writes it", str(self.path)) from None

    def reserve(self) -> None:
        """Make the file, so that no other training takes its folder.

        Raises:
            OSError: the folder cannot be written.
        """
        if self._stream is None:
            self._stream = self._opened()

    def write(self, step: float, metrics: Mapping[str, float]) -> None:
        """Write a row.

        Raises:
            OSError: the file cannot be written.
        """
        self.reserve()
        row: dict[str, float | str] = {name: _plain(value) for name, value in metrics.items()}
        row["step"] = int(step) if step.is_integer() else step
        line = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        # A lone surrogate, which only a damaged name can hold, has no UTF-8.
        assert self._stream is not None  # noqa: S101 - it has been reserved
        append_whole(self._stream, line.encode("utf-8", "backslashreplace") + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _free(self) -> Path:
        numbers = itertools.count(2)
        folder = self._log_dir / self._name
        while os.path.lexists(folder / HISTORY):
            folder = self._log_dir / f"{self._name}-{next(numbers)}"
        return folder

    def _opened(self) -> IO[bytes]:
        while not self._resume:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
            except FileExistsError:  # another training has begun meanwhile
                self._folder = self._free()
            else:
                self._resume = True  # after an error of the disk, the same file is opened again
                self._own()
                return os.fdopen(descriptor, "ab", buffering=0)
        self._folder.mkdir(parents=True, exist_ok=True)
        stream = os.fdopen(append_descriptor(self.path), "a+b", buffering=0)
        try:
            self._own()
        except BlockingIOError:
            stream.close()
            raise
        # A killed process may have left half a line, to which nothing must be joined.
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")
        return stream


def _plain(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def history_log(config: MonitoringConfig, run_name: str) -> HistoryLog | None:
    """Return the history of a run, as the configuration says; None where none is written.

    Raises:
        ConfigError: another training goes on in the one that is to be resumed.
    """
    if config.history_dir is None:
        return None
    from exaid_evals.analysis.report.write import folder_name

    history = HistoryLog(config.history_dir, folder_name(run_name), resume=config.resumes)
    if history.taken():
        remedy = "end the other training first (close its monitor), or give this one another run_name"
        raise ConfigError("another training writes this history", where=str(history.path), remedy=remedy)
    return history


def write_run_report(history: Path, config: MonitoringConfig) -> Path:
    """Analyse a history with the monitor's directions and thresholds, and return the folder of the report.

    Raises:
        DataError: the history holds no step, or no finite number.
        MissingDependencyError: the extra `analysis` is not installed.
    """
    from exaid_evals.analysis.report.write import write_report
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.analysis.stage import analyse
    from exaid_evals.anomalies.base import DetectionSettings
    from exaid_evals.runs.formats.row_files import JsonlFormat
    from exaid_evals.runs.registry import read_history

    shared = config.anomaly_detection.model_dump(include=set(DetectionSettings.model_fields))
    detection = DetectionSettings.model_validate(shared)
    settings = AnalysisConfig(anomaly_detection=detection)
    return write_report(analyse(read_history(JsonlFormat(), history.parent), settings), config.reporting.output_dir)

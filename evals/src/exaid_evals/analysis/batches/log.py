"""`log_batch_metrics`: what a training loop calls for each batch, so that an analysis can name the bad ones."""

from __future__ import annotations

import importlib
import logging
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from exaid_evals.artifacts.atomic import append_whole
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.errors import ConfigError
from exaid_evals.files import append_descriptor
from exaid_evals.runs.history_files import BATCHES

FOLDER_VARIABLE = "EXAID_BATCH_LOG_DIR"
_USUAL = "runs/run"
_log = logging.getLogger("exaid_evals.analysis")
Phase = Literal["train", "eval"]


class BatchLog:
    """Appends batches to `batch_metrics.jsonl`, a line each, whole lines only.

    Where a run of W&B is active in this process, the metrics go there too, as `batch/<phase>/<metric>`, without
    committing a step of their own.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BATCHES
        self._stream: IO[bytes] | None = None

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._path

    def __enter__(self) -> Self:
        """Return the log; the file is opened with the first batch."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def log_batch_metrics(
        self,
        batch_idx: int,
        step: float,
        metrics: Mapping[str, float | None],
        items: Sequence[str | os.PathLike[str]] = (),
        *,
        profile: Mapping[str, float | None] | None = None,
        phase: Phase = "train",
    ) -> None:
        """Write one batch.

        Args:
            batch_idx: within its epoch or evaluation.
            step: of the training.
            metrics: of this batch alone; a number that is not finite is written as null.
            items: identifiers of what the batch holds, in order; paths below the image folder for images.
            profile: further numbers: `brightness`, `target_length`, `confidence`.
            phase: `train`, or `eval` for a batch of a validation or test set.

        Raises:
            OSError: the file cannot be written.
        """
        row: dict[str, Any] = {
            "batch_idx": int(batch_idx),
            "step": _plain(step),
            "metrics": {name: _plain(value) for name, value in metrics.items()},
            "items": [str(item) for item in items],
            "phase": phase,
        }
        if profile:
            row["profile"] = {name: _plain(value) for name, value in profile.items()}
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = os.fdopen(append_descriptor(self._path), "ab", buffering=0)
        # One write of one line: processes that share the file do not mix their lines.
        append_whole(self._stream, canonical_bytes(row) + b"\n")
        _to_wandb(row)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


_logs: dict[Path, BatchLog] = {}


def log_batch_metrics(
    batch_idx: int,
    step: float,
    metrics: Mapping[str, float | None],
    items: Sequence[str | os.PathLike[str]] = (),
    *,
    images_paths: Iterable[str | os.PathLike[str]] | None = None,
    profile: Mapping[str, float | None] | None = None,
    phase: Phase = "train",
    folder: Path | None = None,
) -> None:
    """Write one batch into the folder that is given, or that EXAID_BATCH_LOG_DIR names; see `BatchLog`.

    Args:
        batch_idx: as in `BatchLog`.
        step: the same.
        metrics: the same.
        items: the same.
        profile: the same.
        phase: the same.
        images_paths: the items, where they are images.
        folder: of the run's history; None takes the variable's, and without one `runs/run`, where a monitor writes.

    Raises:
        ConfigError: both items and images_paths are given.
        OSError: the file cannot be written.
    """
    if images_paths is not None:
        if len(items):
            raise ConfigError("items and images_paths are two names of one thing", remedy="give one of them")
        items = [os.fspath(path) for path in images_paths]
    named = folder or Path(os.environ.get(FOLDER_VARIABLE) or _USUAL)
    log = _logs.get(named.resolve())
    if log is None:
        log = _logs[named.resolve()] = BatchLog(named)
        if folder is None and not os.environ.get(FOLDER_VARIABLE):
            _log.warning("batches are written to %s; %s names another folder", log.path, FOLDER_VARIABLE)
    log.log_batch_metrics(batch_idx, step, metrics, items, profile=profile, phase=phase)


def _plain(value: float | None) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _to_wandb(row: Mapping[str, Any]) -> None:
    # Only where the training itself has imported wandb: a batch log must not be what loads it.
    if "wandb" not in sys.modules:
        return
    run = importlib.import_module("wandb").run
    if run is not None:
        values = {f"batch/{row['phase']}/{name}": value for name, value in row["metrics"].items() if value is not None}
        run.log({**values, f"batch/{row['phase']}/index": row["batch_idx"]}, commit=False)

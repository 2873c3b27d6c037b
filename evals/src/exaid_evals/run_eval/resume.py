"""An evaluation that was killed goes on where it was: what was counted so far, beside the rows written so far."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.run_eval.batches import mapped
from exaid_evals.run_eval.placement import Processes, random_state, set_random_state

_STATE, _ROWS = "state.npz", "predictions.csv"
_ABOUT, _RANDOM = "about", "random"
_SHARE = 20
"""Saving may take a twentieth of the time."""


class Partial:
    """A folder beside the results that holds an evaluation as far as it has come; it goes when that has ended well.

    Attributes:
        about: counts of the loop, as plain data; empty where nothing was saved.
        state: arrays of the metric set.
    """

    def __init__(self, output_dir: Path, split: str, signature: str, model: nn.Module, processes: Processes) -> None:
        """Read what an earlier evaluation has saved, where that was the same one.

        Args:
            output_dir: of the results.
            split: of the set.
            signature: of the numbers: whatever was saved under another one is left out.
            model: likewise, by its weights.
            processes: each of several saves its own share, and goes on with that of as many.
        """
        self._all = output_dir, f".{split}_partial"
        self._folder = output_dir / (self._all[1] + (f"-{processes.rank}" if processes.size > 1 else ""))
        self._key = {"signature": signature, "model": _digest(model), "process": [processes.rank, processes.size]}
        self._batches = hashlib.sha256(b"").hexdigest()
        self._saved_at, self._cost = time.perf_counter(), 0.0
        self._stream: BinaryIO | None = None
        self.about: dict[str, Any] = {}
        self.state: dict[str, NDArray[Any]] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):  # damaged: anew
            self._read()
        self.in_all = min(processes.gathered(self.n_batches))
        """How many batches every process has counted: up to there none calls the model."""

    def _read(self) -> None:
        with np.load(self._folder / _STATE, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
        about = json.loads(found.pop(_ABOUT).tobytes())
        kept = about["n_bytes"] is None or (self._folder / _ROWS).stat().st_size >= about["n_bytes"]
        if about["key"] == self._key and kept:
            self.about, self.state = about, found

    @property
    def n_batches(self) -> int:
        """How many batches are counted already."""
        return int(self.about.get("n_batches", 0))

    def note(self, number: int, labels: Any) -> None:
        """Note a batch's labels; after the last of those that are counted already, take up the random state.

        Raises:
            DataError: the labels up to there are other ones than they were.
        """
        found = hashlib.sha256(self._batches.encode())
        mapped(labels, lambda tensor: _add(found, tensor))
        self._batches = found.hexdigest()
        if number == self.n_batches:
            if self._batches != self.about["batches"]:
                raise DataError(
                    "the loader gives other labels than before it was interrupted",
                    remedy=f"evaluate anew: set resume to false, or remove {self._folder}",
                )
            set_random_state(torch.from_numpy(self.state.pop(_RANDOM)))

    @contextlib.contextmanager
    def rows(self, path: Path) -> Iterator[BinaryIO]:
        """Open the file of the rows, at the end of those that belong to what was saved; at last it takes its name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        own = self._folder / _ROWS
        with own.open("r+b" if self.about else "wb") as stream:
            stream.truncate(self.about.get("n_bytes", 0))
            stream.seek(0, os.SEEK_END)
            self._stream = stream
            yield stream
            _to_disk(stream)
        own.replace(path)

    def save(self, n_batches: int, about: Mapping[str, Any], state: Any) -> None:
        """Save what was counted, if enough time has passed for it to cost little.

        Args:
            n_batches: that were counted.
            about: counts of the loop.
            state: asked for the arrays of the metric set.
        """
        begun = time.perf_counter()
        if begun - self._saved_at < _SHARE * self._cost:
            return
        n_bytes = None
        if self._stream is not None:
            _to_disk(self._stream)
            n_bytes = self._stream.tell()
        fields = {**about, "n_batches": n_batches, "key": self._key, "batches": self._batches}
        content = json.dumps({**fields, "n_bytes": n_bytes}).encode()
        self._folder.mkdir(parents=True, exist_ok=True)
        packed = BytesIO()
        np.savez(
            packed,
            **state(),
            **{
                _ABOUT: np.frombuffer(content, dtype=np.uint8),
                _RANDOM: random_state().numpy(),
            },
        )
        write_bytes(self._folder / _STATE, packed.getvalue())
        self._saved_at = time.perf_counter()
        self._cost = self._saved_at - begun

    def remove(self) -> None:
        """Take the folder away, and those of other processes: all have ended."""
        folder, name = self._all
        for one in folder.glob(f"{name}*"):
            shutil.rmtree(one, ignore_errors=True)


def resumable(config: Any, metric_set: Any) -> None:
    """Check that an evaluation can be resumed.

    Raises:
        ConfigError: it has no folder, or a metric set without a state.
    """
    where = "EvalConfig.resume"
    if config.output_dir is None:
        raise ConfigError("cannot be: there is no output_dir to keep it in", where=where, remedy="name an output_dir")
    if not hasattr(metric_set, "absorb"):
        what = f"cannot be: {type(metric_set).__name__} has no state"
        raise ConfigError(what, where=where, remedy="give it `state()` and `absorb(state)`, or set resume to false")


def _digest(model: nn.Module) -> str:
    """Return a hash of a model's class, weights and buffers."""
    found = hashlib.sha256(type(model).__qualname__.encode())
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found.update(name.encode())
        _add(found, tensor)
    return found.hexdigest()


def _add(to: Any, tensor: Tensor) -> None:
    to.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    to.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())


def _to_disk(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())

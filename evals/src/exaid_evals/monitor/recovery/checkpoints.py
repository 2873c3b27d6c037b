"""Checkpoints in a folder: written whole, few, ranked, and believed only where their hash agrees."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.atomic import atomic_file, remove_leftovers, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_bytes
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor.recovery.state_file import read_state, write_state

_MANIFEST = re.compile(r"checkpoint-([0-9]{6})\.json")
_MOST_MANIFEST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint as its manifest describes it.

    Attributes:
        number: counted up; its file is `checkpoint-<number>.npz`.
        step: of the training.
        metric: by which it is ranked.
        value: of the metric, when it was made.
        sha256: of the file.
    """

    number: int
    step: float
    metric: str
    value: float
    sha256: str


class CheckpointStore:
    """The checkpoints of one training, of which the best `keep` stay.

    A file's name follows from its manifest's name, never from what a manifest says; links are not followed. So a folder
    that somebody else has filled can name no file outside itself, and states are read without pickle.

    Attributes:
        refused: what was not believed or taken, and why.
    """

    def __init__(
        self, folder: Path, keep: int, *, larger_is_worse: bool, resume: bool = False, metric: str | None = None
    ) -> None:
        """Open a folder; it is made with the first checkpoint.

        Args:
            folder: of checkpoints.
            keep: how many stay.
            larger_is_worse: whether the metric improves downwards.
            resume: take the checkpoints that are there as this training's own.
            metric: by which they have to be ranked, or they are left out; None takes any.

        Raises:
            ConfigError: the folder holds checkpoints, and `resume` is not given.
        """
        self._folder, self._keep, self.larger_is_worse = folder, keep, larger_is_worse
        self._metric = metric
        self.refused: list[str] = []
        self._found = self._read() if folder.is_dir() else []
        if (self._found or self.refused) and not resume:
            remedy = "name another folder, or set resume: true if this is the same training"
            raise ConfigError("holds checkpoints of another training", where=str(folder), remedy=remedy)
        remove_leftovers(folder)
        # Also numbers whose manifests were refused are taken.
        taken = [int(match[1]) for path in _names(folder) if (match := _MANIFEST.fullmatch(path))]
        self._next = max(taken, default=0) + 1

    @property
    def ranked(self) -> list[Checkpoint]:
        """The best first; of equals the later."""
        sign = 1.0 if self.larger_is_worse else -1.0
        return sorted(self._found, key=lambda one: (sign * one.value, -one.number))

    def save(self, state: Any, step: float, metric: str, value: float) -> Checkpoint:
        """Write a checkpoint, and remove the worst beyond `keep`.

        Raises:
            ConfigError: the state holds what cannot be kept.
            OSError: the folder cannot be written.
        """
        number = self._next
        path = self._file(number)
        with atomic_file(path) as stream:
            write_state(stream, state)
        digest = sha256_bytes(path.read_bytes())
        made = Checkpoint(number, step, metric, value, digest)
        record = {
            **header("exaid.recovery"), "record_type": "checkpoint", "step": step, "metric": metric,
            "value": repr(value), "sha256": digest,
        }  # fmt: skip
        # The manifest last: a file without one is no checkpoint.
        write_bytes(self._manifest(number), canonical_bytes(record) + b"\n")
        self._next += 1
        self._found.append(made)
        for surplus in self.ranked[self._keep :]:
            self.remove(surplus)
        return made

    def load(self, one: Checkpoint) -> Any:
        """Return a checkpoint's state.

        Raises:
            DataError: the file is missing, was changed, or is no state.
        """
        path = self._file(one.number)
        remedy = "the next best checkpoint is taken"
        data = _plain_bytes(path)
        if sha256_bytes(data) != one.sha256:
            raise DataError("is not what was written", where=str(path), remedy=remedy)
        return read_state(data, str(path))

    def best(self) -> tuple[Checkpoint, Any] | None:
        """Return the best checkpoint that can be believed, with its state; the others before it are given up."""
        for one in self.ranked:
            try:
                return one, self.load(one)
            except DataError as error:
                self.refused.append(str(error))
                self._found.remove(one)
        return None

    def remove(self, one: Checkpoint) -> None:
        """Remove a checkpoint, its manifest first."""
        self._found.remove(one)
        self._manifest(one.number).unlink(missing_ok=True)
        self._file(one.number).unlink(missing_ok=True)

    def _read(self) -> list[Checkpoint]:
        found = []
        for name in _names(self._folder):
            match = _MANIFEST.fullmatch(name)
            if match is None:
                continue
            try:
                one = _checkpoint(int(match[1]), self._folder / name)
            except DataError as error:
                self.refused.append(str(error))
                continue
            if self._metric is not None and one.metric != self._metric:
                # A value of another metric can be held against none of this one.
                self.refused.append(
                    f"{self._folder / name}: is ranked by {one.metric!r}, not {self._metric!r}; left out"
                )
            else:
                found.append(one)
        return found

    def _file(self, number: int) -> Path:
        return self._folder / f"checkpoint-{number:06d}.npz"

    def _manifest(self, number: int) -> Path:
        return self._folder / f"checkpoint-{number:06d}.json"


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []  # noqa: PTH208 - names, as they are


def _checkpoint(number: int, path: Path) -> Checkpoint:
    remedy = "remove it"
    data = _plain_bytes(path, most=_MOST_MANIFEST_BYTES)
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        raise DataError("is no manifest of a checkpoint", where=str(path), remedy=remedy) from None
    if not isinstance(record, dict) or record.get("record_type") != "checkpoint":
        raise DataError("is no manifest of a checkpoint", where=str(path), remedy=remedy)
    require_valid(record, str(path))
    return Checkpoint(
        number, float(record["step"]), record["metric"], float(record["value"]), record["sha256"]
    )  # fmt: skip


def _plain_bytes(path: Path, most: int | None = None) -> bytes:
    """Read a file that is one: neither a link to another place nor a pipe that never ends.

    Raises:
        DataError: it is not, or is missing, or larger than `most` bytes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=str(path), remedy="remove it") from None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is no plain file", where=str(path), remedy="remove it")
        if most is not None and status.st_size > most:
            raise DataError("is too large", where=str(path), remedy="remove it")
        return stream.read()

"""Checkpoints in a folder: when one is kept; written whole, few, ranked, and believed only where their hash agrees."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.anomalies.robust import MAD_TO_SIGMA, RunningMedian
from exaid_evals.artifacts.atomic import atomic_file, remove_leftovers, write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.schemas import header, require_valid
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import open_regular
from exaid_evals.monitor.locking import FolderLock
from exaid_evals.monitor.recovery.alarm import Ranking
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.monitor.recovery.training_state import TrainingState
from exaid_evals.monitor.settings import AutoRecoveryConfig

_NAME = re.compile(r"checkpoint-([0-9]{6}|[1-9][0-9]{6,15})\.(json|npz)")
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
        larger_is_worse: whether the metric improves downwards.
        slack: difference of values that says nothing.
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
        self.slack = 0.0
        self.refused: list[str] = []
        self._found = self._read() if folder.is_dir() else []
        if (self._found or self.refused) and not resume:
            remedy = "name another folder, or set resume: true if this is the same training"
            raise ConfigError("holds checkpoints of another training", where=str(folder), remedy=remedy)
        remove_leftovers(folder)
        # Numbers are taken also of manifests that were refused, and of files that nobody has described: a folder may
        # hold checkpoints of the training's own, of the same name.
        taken = [int(match[1]) for name in _names(folder) if (match := _NAME.fullmatch(name))]
        self._next = max(taken, default=0) + 1

    @property
    def ranked(self) -> list[Checkpoint]:
        """The best first; of those within `slack` of the best value, the later."""
        best = self.best_value
        if best is None:
            return []
        limit = self._sign * best + self.slack
        equal = [one for one in self._found if self._sign * one.value <= limit]
        others = [one for one in self._found if self._sign * one.value > limit]
        return [
            *sorted(equal, key=lambda one: -one.number),
            *sorted(others, key=lambda one: (self._sign * one.value, -one.number)),
        ]

    @property
    def best_value(self) -> float | None:
        """The best value of the metric among the checkpoints; None where there is none."""
        return min((one.value for one in self._found), key=lambda value: self._sign * value, default=None)

    @property
    def _sign(self) -> float:
        return 1.0 if self.larger_is_worse else -1.0

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
        with path.open("rb") as written:
            digest = _digest(written)
        made = Checkpoint(number, step, metric, value, digest)
        record = {
            **header("exaid.recovery"), "record_type": "checkpoint", "step": step, "metric": metric,
            "value": repr(value), "sha256": digest,
        }  # fmt: skip
        try:
            # The manifest last: a file without one is not a checkpoint.
            write_bytes(self._manifest(number), canonical_bytes(record) + b"\n")
        except OSError:
            with contextlib.suppress(OSError):
                path.unlink()  # nothing would ever remove it, and it may be what fills the disk
            raise
        self._next += 1
        self._found.append(made)
        for surplus in self._surplus():
            self.remove(surplus)
        return made

    def _surplus(self) -> list[Checkpoint]:
        """Return the worst beyond `keep`, but never the best by value, which is what the others are held against."""
        best, ranked = self.best_value, self.ranked
        held = next((one for one in ranked if one.value == best), None) if self._keep > 1 else None
        free = [one for one in ranked if one is not held]
        return free[self._keep - (held is not None) :]

    def load(self, one: Checkpoint) -> Any:
        """Return a checkpoint's state.

        Raises:
            DataError: the file is missing, was changed, or is not a state.
        """
        path = self._file(one.number)
        with open_regular(path, follow=False, remedy="remove it") as stream:
            # Hashed before it is held: what took its place may be larger than the memory.
            if _digest(stream) != one.sha256:
                remedy = "the next best checkpoint is taken"
                raise DataError("is not what was written", where=str(path), remedy=remedy)
            stream.seek(0)
            data = stream.read()
        return read_state(data, str(path))

    def best(self) -> tuple[Checkpoint, Any] | None:
        """Return the best checkpoint that can be believed, with its state."""
        return next(self.believed(), None)

    def believed(self) -> Iterator[tuple[Checkpoint, Any]]:
        """Yield the checkpoints that can be believed, the best first, with their states; the others are given up."""
        for one in self.ranked:
            try:
                state = self.load(one)
            except DataError as error:
                self.give_up(one, str(error))
            else:
                yield one, state

    def give_up(self, one: Checkpoint, why: str) -> None:
        """Take a checkpoint for none from now on; its files stay."""
        self.refused.append(why)
        self._found.remove(one)

    def remove(self, one: Checkpoint) -> None:
        """Remove a checkpoint, its manifest first."""
        self._found.remove(one)
        self._manifest(one.number).unlink(missing_ok=True)
        self._file(one.number).unlink(missing_ok=True)

    def _read(self) -> list[Checkpoint]:
        found = []
        for name in _names(self._folder):
            match = _NAME.fullmatch(name)
            if match is None or match[2] != "json":
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
    with open_regular(path, follow=False, remedy="remove it") as stream:
        data = stream.read(_MOST_MANIFEST_BYTES + 1)
    if len(data) > _MOST_MANIFEST_BYTES:
        raise DataError("is too large", where=str(path), remedy=remedy)
    try:
        record = orjson.loads(data)
    except (ValueError, RecursionError):
        raise DataError("is not a manifest of a checkpoint", where=str(path), remedy=remedy) from None
    if not isinstance(record, dict) or record.get("record_type") != "checkpoint":
        raise DataError("is not a manifest of a checkpoint", where=str(path), remedy=remedy)
    require_valid(record, str(path))
    step, value = float(record["step"]), float(record["value"])
    if not (math.isfinite(step) and math.isfinite(value)):
        # 1e999 is a number in JSON, and would be the best for ever.
        raise DataError("has a value that is not finite", where=str(path), remedy=remedy)
    return Checkpoint(number, step, record["metric"], value, record["sha256"])


def _digest(stream: BufferedReader) -> str:
    return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


_WINDOW, _LEAST = 16, 5
_DIFFERENCE_TO_SIGMA = MAD_TO_SIGMA / math.sqrt(2)


class CheckpointPolicy:
    """Keeps the states that are better than every one before, and later ones that are as good.

    The best of many noisy values is mostly luck, and may be old: what lies between it and now is lost when a training
    comes back to it. So a value within the noise of the best counts as equal (σ of the metric from the median of its
    last differences, at most `tolerance` of the best), and of equals the later is the better checkpoint. The best
    by value always stays, so that equals of equals do not lead downwards.
    """

    def __init__(
        self, config: AutoRecoveryConfig, ranking: Ranking, store: CheckpointStore, folder_lock: FolderLock
    ) -> None:
        self._config, self._ranking, self._store, self._folder_lock = config, ranking, store, folder_lock
        self._differences = RunningMedian(_WINDOW)
        self._last: float | None = None
        self._kept_at = -math.inf

    def look(self, step: float, value: float, training_state: TrainingState, *, spoiled: bool) -> None:
        """Look at a finite value of the ranking metric, and keep the state that it is of, if that is worth it.

        Raises:
            ConfigError: the state holds what cannot be kept, or the folder is another training's.
            OSError: the checkpoint cannot be written.
        """
        if self._last is not None:
            self._differences.add(abs(value - self._last))
        self._last = value
        metric = self._ranking.metric
        if spoiled or metric is None or not self._wanted(step, value) or not training_state.finite():
            return
        self._folder_lock.take()
        self._store.save(training_state.state(), step, metric, value)
        self._kept_at = step

    def _wanted(self, step: float, value: float) -> bool:
        best = self._store.best_value
        if best is None:
            return True
        worse_by = self._ranking.worse(value) - self._ranking.worse(best)
        self._store.slack = slack = self._slack(best)
        if worse_by < 0:
            return True
        # A metric that is repeated at each step has no noise, and must not write a checkpoint at each step.
        return slack > 0 and worse_by <= slack and abs(step - self._kept_at) >= self._config.cooldown_steps

    def _slack(self, best: float) -> float:
        if len(self._differences) < _LEAST or self._config.keep_checkpoints == 1:
            return 0.0
        return min(_DIFFERENCE_TO_SIGMA * self._differences.median, self._config.tolerance * abs(best))

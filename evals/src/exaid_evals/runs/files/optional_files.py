"""What a training run may have beside its required files. A checkpoint is never opened: loading one runs code."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.errors import DataError
from exaid_evals.files import is_file, open_regular
from exaid_evals.runs.files.document import read_object

EMBEDDINGS = "embeddings_val.npy"
OPTUNA = "optuna_trial.json"


@dataclass
class Further:
    """What the optional files say.

    Attributes:
        config: parameters of the trial.
        trial: its number or id.
        attributes: which files there are, and the shape of the embeddings.
        warnings: what is odd, without the run's name.
    """

    config: dict[str, Any] = field(default_factory=dict)
    trial: str | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def names(files: Iterable[str]) -> list[str]:
    """Return the names of the optional files that are read, present or not."""
    return [EMBEDDINGS, OPTUNA, *_rays(files)]


def read(seen: Listing) -> Further:
    """Read what there is; a damaged optional file is a warning."""
    further = Further()
    for name, part in ((EMBEDDINGS, _embeddings), (OPTUNA, _optuna)):
        if name in seen.files:
            try:
                part(seen.path(name), further)
            except DataError as error:
                further.warnings.append(f"{name}: {error.what}, and is left out")
    for name in _rays(seen.files):
        _ray(seen.path(name), further)
    return further


def _rays(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith("ray_") and name.endswith(".jsonl"))


def _embeddings(path: Path, further: Further) -> None:
    """Read the header alone: shape and type of the array, which no pickle can hide in."""
    from numpy.lib import format as npy

    try:
        with open_regular(path) as stream:
            version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = header(stream)  # type: ignore[no-untyped-call]
    except (ValueError, OSError) as error:
        raise DataError(f"no NumPy array ({error})") from None
    if dtype.hasobject:
        raise DataError("holds Python objects, which are never unpickled")
    further.attributes["embeddings_shape"] = [int(size) for size in shape]


def _optuna(path: Path, further: Further) -> None:
    odd: list[str] = []
    data = read_object(path, warnings=odd)
    further.warnings += [f"{OPTUNA}: {one}" for one in odd]
    params = data.get("params") or data.get("_params") or {}
    if isinstance(params, dict):
        further.config |= {str(key): value for key, value in params.items()}
    number = data.get("number", data.get("trial_number", data.get("trial_id", data.get("_number"))))
    if number is not None:
        further.trial = str(number)
    state = data.get("state")
    if state is not None and str(state).rpartition(".")[2].upper() not in ("COMPLETE", "1"):
        further.warnings.append(f"{OPTUNA}: the trial's state is {str(state)[:40]}: look whether it was finished")


def _ray(path: Path, further: Further) -> None:
    """Take parameters and id from the last result that Ray Tune wrote."""
    last: dict[str, Any] | None = None
    for line in scan_jsonl(path):
        if line.value is None:
            further.warnings.append(f"{path.name}:{line.number}: {line.problem}, and is left out")
        else:
            last = line.value
    if last is None:
        return
    config = last.get("config", last.get("params"))
    if isinstance(config, dict):
        further.config |= {str(key): value for key, value in config.items()}
    if last.get("trial_id") is not None and further.trial is None:
        further.trial = str(last["trial_id"])


_BELOW = "metrics"


@dataclass(slots=True)
class Listing:
    """The files of a training run.

    Attributes:
        folder: of the run.
        files: names of the files in it, those in its folder of metrics with `metrics/` before them.
        dead_links: whether a link lies among them that leads nowhere, or could one day.
    """

    folder: Path
    files: frozenset[str]
    dead_links: bool = False
    _paths: dict[str, Path] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, folder: Path) -> Listing:
        """List a folder.

        Raises:
            OSError: it cannot be listed.
        """
        found: set[str] = set()
        holds_metrics, dead = _add_files(str(folder), "", found)
        if holds_metrics:
            with contextlib.suppress(OSError):
                dead |= _add_files(f"{folder}/{_BELOW}", f"{_BELOW}/", found)[1]
        return cls(folder, frozenset(found), dead)

    def path(self, name: str) -> Path:
        """Return the path of a file, present or not; the same object each time, whose hash is computed once."""
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = self.folder / name
        return path


def _add_files(folder: str, before: str, found: set[str]) -> tuple[bool, bool]:
    """Add the names of a folder's files; tell whether it holds one of metrics, and links that are no files now."""
    holds_metrics = dead = False
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_file(entry):
                found.add(f"{before}{entry.name}")
            else:
                holds_metrics |= entry.name == _BELOW
                dead |= entry.is_symlink() and entry.name != _BELOW
    return holds_metrics, dead

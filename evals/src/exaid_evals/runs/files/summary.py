"""What a training run was made with: its `summary.json`, what may lie beside it, and what readers of settings share.

Where the seed stands, what names a run, and what is left out.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.config.mapping_file import leaves
from exaid_evals.errors import DataError
from exaid_evals.files import is_file, open_regular
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.values import plain

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


def optional_names(files: Iterable[str]) -> list[str]:
    """Return the names of the optional files that are read, present or not."""
    return [EMBEDDINGS, OPTUNA, *_rays(files)]


def read_optional(seen: Listing) -> Further:
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


_SETTINGS = ("hyperparameters", "hyper_parameters", "hparams", "config", "params", "parameters", "args")
SEEDS = ("seed", "random_seed", "random_state", "global_seed", "rng_seed", "seed_everything", "manual_seed")
_SEED_KEYS = (*SEEDS, *(f"{part}.seed" for part in ("args", "train", "training", "trainer")))
"""The settings under which scripts keep the seed, the first that is there."""
_HASHES = ("git_hash", "git_commit", "git_sha", "git_rev", "commit", "commit_hash", "sha", "hash")
# What names, places or times a run: it differs between runs that are made alike. Whole last parts of keys, never words
# within them: `batch_size_per_device`, `time_steps`, `train_file`, `model_id` and `dataset_version` are settings.
_INCIDENTAL_NAMES = """
    tracker_run_name tracker_run_id tracker_project
    run_name run_id run_uuid run_dir run_path run_url run_number exp_name exp_id exp_dir experiment experiment_name
    experiment_id experiment_dir trial trial_id trial_number trial_name fold fold_id job_name job_id
    slurm_job_id uuid output output_dir output_path out_dir out_path log_dir log_path log_file logdir logging_dir
    save_dir save_path results_dir result_dir checkpoint_dir ckpt_dir work_dir workdir working_dir cwd tensorboard_dir
    wandb_dir wandb_id wandb_name wandb_run_id wandb_url cache_dir tmp_dir time timestamp date datetime created
    created_at creation_time started started_at start_time start_date finished finished_at finish_time ended ended_at
    end_time end_date duration duration_seconds elapsed elapsed_seconds elapsed_time runtime runtime_seconds run_time
    wall_time wall_seconds walltime total_time train_time training_time train_runtime host hostname host_name machine
    device device_id device_name gpu_id gpu_name local_rank user username user_name command cmd argv pid note notes
    config_hash run_hash schema_version"""
_INCIDENTAL = frozenset(_INCIDENTAL_NAMES.split())
# These say something of the run where they stand alone or below a part that means the run; `model.version`, `data.path`
# and `optimizer.name` say what it was made with.
_OF_THE_RUN = frozenset(("name", "id", "dir", "path", "folder", "file", "url", "version", "hash"))
_RUN_PART_NAMES = """
    run experiment exp trial job wandb mlflow hydra logger logging log output outputs meta metadata info system sys
    host"""
_RUN_PARTS = frozenset(_RUN_PART_NAMES.split())
_LONGEST_LINE = 500
_WHOLE = re.compile(r"\s*[+-]?\d{1,19}\s*")
_OUTCOME = re.compile(
    r"^(top_k$|topk$|best|final|last|val|valid|validation|test|train|n_params|num_params|metrics|results?|status)(_|$)"
)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a summary says.

    Attributes:
        config: hyper-parameters, dotted key → value, without what names, places or times the run.
        fold, trial: as the summary says; a folder's name comes before it.
        signature: how its numbers were made, as whoever made them says; None where the summary has none.
        primary_metric: what ranks such runs, as written; None where the summary does not say.
        lower_is_better: whether that improves downwards; None where the summary does not say.
        warnings: what is odd about the file, without its name.
    """

    config: Mapping[str, Any]
    seed: int | None
    git_hash: str | None
    git_dirty: bool | None
    fold: int | None
    trial: str | None
    stub: bool | None
    signature: str | None = None
    primary_metric: str | None = None
    lower_is_better: bool | None = None
    warnings: tuple[str, ...] = ()


def read_summary(path: Path) -> Summary:
    """Read a summary.

    Hyper-parameters stand under a key of their own (`hyperparameters`, `config`, …) or, where there is none, beside
    everything else: then results (`best_…`, `val_…`) are left out.

    Raises:
        DataError: the file is missing or no JSON object.
    """
    warnings: list[str] = []
    data = read_object(path, warnings=warnings)
    nested = next((data[key] for key in _SETTINGS if isinstance(data.get(key), dict)), None)
    flat = leaves(data if nested is None else nested)
    everything = _by_last_part(flat if nested is None else leaves(data))
    config = {
        key: value
        for key, value in flat.items()
        if not is_incidental(key) and (nested is not None or not _OUTCOME.search(key.lower()))
    }
    git_hash, git_dirty = _git(everything)
    fold, trial = _first(everything, ("fold", "fold_id")), _first(everything, ("trial", "trial_id", "trial_number"))
    return Summary(
        config=dict(sorted(config.items())),
        seed=_integer(_first(everything, SEEDS)),
        git_hash=git_hash,
        git_dirty=git_dirty,
        fold=_integer(fold),
        trial=None if trial is None else str(trial),
        stub=_truth(data.get("stub")),
        signature=_line(data.get("signature")),
        primary_metric=_line(data.get("primary_metric")),
        lower_is_better=_truth(data.get("lower_is_better")),
        warnings=tuple(warnings),
    )


def _truth(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _line(value: Any) -> str | None:
    return " ".join(value.split())[:_LONGEST_LINE] or None if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def is_incidental(key: str) -> bool:
    """Return whether a setting seeds, names, places or times a run: it differs between runs that are made alike.

    >>> [is_incidental(key) for key in ("seed", "run_name", "output_dir", "timestamp", "device", "name", "git_hash")]
    [True, True, True, True, True, True, True]
    >>> [is_incidental(key) for key in ("per_device_batch_size", "model_name_or_path", "time_steps", "data.path")]
    [False, False, False, False]
    """
    parent, _, last = key.rpartition(".")
    last = _word(last)
    if last in (*SEEDS, *_HASHES) and last != "hash":
        return True
    if last in _OF_THE_RUN:
        return not parent or _word(parent.rpartition(".")[2]) in _RUN_PARTS
    return last in _INCIDENTAL or last == "git" or last.startswith("git_")


@lru_cache(maxsize=4096)
def is_code_version(key: str) -> bool:
    """Return whether a setting says from which version of its code a run was made.

    >>> [is_code_version(key) for key in ("git_hash", "git.commit", "code_version", "hash", "git_branch")]
    [True, True, True, False, False]
    """
    last = _word(key.rpartition(".")[2])
    return (last in _HASHES and last != "hash") or last in ("git", "code_version", "code_hash", "git_dirty")


def _word(part: str) -> str:
    """Return a part of a key in lower case, words joined by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part).lower()).strip("_")


def _by_last_part(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by the last part of their keys; of several the first, whole keys before longer ones."""
    found: dict[str, Any] = {}
    for key in sorted(flat, key=lambda key: key.count(".")):
        found.setdefault(key.rpartition(".")[2].lower(), flat[key])
    return found


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if name in values), None)


def _integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    is_whole = _WHOLE.fullmatch(value) if isinstance(value, str) else isinstance(value, int) or value.is_integer()
    return int(value) if is_whole else None


def _git(flat: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    value = _first(flat, (*_HASHES, "git"))
    dirty = _first(flat, ("git_dirty", "dirty", "is_dirty"))
    if not isinstance(value, str) or not value.strip():
        return None, dirty if isinstance(dirty, bool) else None
    text = value.strip()
    bare = re.sub(r"([-+]dirty|\+)$", "", text)
    return bare, True if bare != text else (dirty if isinstance(dirty, bool) else None)


def seed_in(config: Mapping[str, Any]) -> int | None:
    """Return the seed among settings; text that is a whole number counts, for some trackers keep only text.

    >>> seed_in({"lr": 0.1, "seed": "7"}), seed_in({"seed": True}), seed_in({})
    (7, None, None)
    """
    seeds = (_integer(config.get(name)) for name in _SEED_KEYS)
    return next((seed for seed in seeds if seed is not None), None)


def is_seed(name: str) -> bool:
    """Return whether a setting of a name is a seed.

    >>> is_seed("Random_Seed"), is_seed("seed_everything"), is_seed("seeds")
    (True, True, False)
    """
    return name.lower() in _SEED_KEYS


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters without the seed, as plain data that JSON has a form for."""
    named = {str(key): value for key, value in config.items() if key not in _SEED_KEYS}
    return {key: plain(named[key]) for key in sorted(named)}

"""What a training run was made with: its `summary.json`, and what readers of trackers' settings share.

Where the seed stands, what names a run, and what is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from exaid_evals.config.mapping_file import leaves
from exaid_evals.runs.files.document import read_object
from exaid_evals.runs.files.values import plain

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

"""`summary.json`: what a training run was made with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from exaid_evals.export.readers.document import read_object

_SETTINGS = ("hyperparameters", "hyper_parameters", "hparams", "config", "params", "parameters", "args")
_SEEDS = ("seed", "random_seed", "random_state", "global_seed")
_HASHES = ("git_hash", "git_commit", "git_sha", "git_rev", "commit", "commit_hash", "sha", "hash")
# What names, places or times a run: it differs between runs that are made alike.
_INCIDENTAL = re.compile(
    r"(^|_)(dir|path|folder|file|name|id|time|timestamp|date|datetime|duration|elapsed|host|hostname|device|user|"
    r"created|started|finished|ended|runtime|seconds|url|version|command|argv|pid|fold|trial|notes?)(_|s?$)"
)
_OF_RANKING = ("signature", "primary_metric", "lower_is_better", "stub")
_LONGEST_LINE = 500
_OUTCOME = re.compile(
    r"^(best|final|last|val|valid|validation|test|train|n_params|num_params|metrics|results?|status)(_|$)"
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
    flat = _flat(data if nested is None else nested)
    everything = _by_last_part(flat if nested is None else _flat(data))
    config = {
        key: value
        for key, value in flat.items()
        if not is_incidental(key) and (nested is not None or not _OUTCOME.search(key.lower()))
    }
    git_hash, git_dirty = _git(everything)
    fold, trial = _first(everything, ("fold", "fold_id")), _first(everything, ("trial", "trial_id", "trial_number"))
    return Summary(
        config=dict(sorted(config.items())),
        seed=_integer(_first(everything, _SEEDS)),
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


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


@lru_cache(maxsize=4096)
def is_incidental(key: str) -> bool:
    """Tell whether a setting seeds, names, places or times a run: it differs between runs that are made alike."""
    parent, _, last = key.rpartition(".")
    last = re.sub(r"[^a-z0-9]+", "_", last.lower())
    # `optimizer.name` and `model_name` say what was used; `name` and `run_name` only call the run something.
    names_a_part = (last == "name" and bool(parent)) or (last.endswith("_name") and not last.startswith(("run", "exp")))
    named = last in (*_SEEDS, *_HASHES) or last.startswith("git") or bool(_INCIDENTAL.search(last))
    return named and not names_a_part


def _by_last_part(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by the last part of their keys; of several the first, whole keys before longer ones."""
    found: dict[str, Any] = {}
    for key in sorted(flat, key=lambda key: key.count(".")):
        found.setdefault(key.rpartition(".")[2].lower(), flat[key])
    return found


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((values[name] for name in names if name in values), None)


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return int(value)
    return value if isinstance(value, int) else None


def _git(flat: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    value = _first(flat, (*_HASHES, "git"))
    dirty = _first(flat, ("git_dirty", "dirty", "is_dirty"))
    if not isinstance(value, str) or not value.strip():
        return None, dirty if isinstance(dirty, bool) else None
    text = value.strip()
    bare = re.sub(r"([-+]dirty|\+)$", "", text)
    return bare, True if bare != text else (dirty if isinstance(dirty, bool) else None)

"""Which cases of a data set are taken, and the hashes that name the selection."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Iterable, Sequence

from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.ids import known_case_ids
from exaid_evals.config.mas_generation import DatasetConfig, SelectionMode
from exaid_evals.errors import ConfigError


def select(
    available: Iterable[str],
    config: DatasetConfig,
    *,
    wanted: Sequence[str] | None = None,
    limit: int | None = None,
    excluded: Collection[str] = (),
) -> tuple[str, ...]:
    """Return the selected ids, sorted as strings.

    Args:
        available: ids of all cases; their order does not matter.
        config: mode, seed and size.
        wanted: exactly these instead, selected or not; ids may lack their `case-`.
        limit: only the first so many of the selected.
        excluded: ids that are as if they were not there, since another campaign has them.

    Raises:
        ConfigError: a wanted id is unknown (near ones are named) or excluded, or the subset is larger than what
            there is to select from, or nothing is selected.
    """
    every = sorted(available)
    hidden = frozenset(excluded)
    ids = [case_id for case_id in every if case_id not in hidden]
    if wanted is not None:
        selected = known_case_ids(wanted, every)
        taken = [case_id for case_id in selected if case_id in hidden]
        if taken:
            raise ConfigError(
                f"{', '.join(taken)} belong to the excluded campaign",
                where="--cases",
                remedy="name other cases, or leave --exclude-from out",
            )
    elif config.mode is SelectionMode.ALL:
        selected = ids
    elif config.n_cases > len(ids):
        raise ConfigError(
            f"n_cases is {config.n_cases}, but there are only {len(ids)} cases"
            + (f" beside the {len(every) - len(ids)} excluded ones" if len(ids) < len(every) else ""),
            where="dataset: n_cases",
            remedy="take fewer, or `mode: all`",
        )
    else:
        selected = sorted(random.Random(config.seed).sample(ids, config.n_cases))  # noqa: S311 - not for secrets
    if not selected:
        raise ConfigError("no case is selected", where="dataset", remedy="name cases, or take a source that has some")
    return tuple(selected[:limit])


def case_list_hash(ordered: Sequence[str]) -> str:
    """Return the hash of an ordered list of ids, over `json.dumps` with its default separators."""
    return sha256_text(json.dumps(list(ordered), sort_keys=True))


def mas_run_id(*, mac_commit: str, model: str, cases: Sequence[str]) -> str:
    """Return the id of a generation: MAC's commit, the model and the ordered cases determine it."""
    text = json.dumps({"mac_commit": mac_commit, "model": model, "cases": list(cases)}, sort_keys=True)
    return f"mas-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

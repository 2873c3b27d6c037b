"""Which cases of a data set are taken, and the hashes that name the selection."""

from __future__ import annotations

import difflib
import hashlib
import json
import random
from collections.abc import Iterable, Sequence

from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.config.dataset import DatasetConfig, SelectionMode
from exaid_evals.errors import ConfigError, DataError


def select(
    available: Iterable[str], config: DatasetConfig, *, wanted: Sequence[str] | None = None, limit: int | None = None
) -> tuple[str, ...]:
    """Return the selected ids, sorted as strings.

    Args:
        available: ids of all cases; their order does not matter.
        config: mode, seed and size.
        wanted: exactly these instead, selected or not; ids may lack their `case-`.
        limit: only the first so many of the selected.

    Raises:
        ConfigError: a wanted id is unknown (near ones are named), or the subset is larger than the data set.
    """
    ids = sorted(available)
    if wanted is not None:
        selected = _wanted(ids, wanted)
    elif config.mode is SelectionMode.ALL:
        selected = ids
    elif config.n_cases > len(ids):
        raise ConfigError(
            f"n_cases is {config.n_cases}, but there are only {len(ids)} cases",
            where="dataset: n_cases",
            remedy="take fewer, or `mode: all`",
        )
    else:
        selected = sorted(random.Random(config.seed).sample(ids, config.n_cases))  # noqa: S311 - not for secrets
    return tuple(selected[:limit])


def _wanted(ids: Sequence[str], wanted: Sequence[str]) -> list[str]:
    known = set(ids)
    found: set[str] = set()
    problems = []
    for name in dict.fromkeys(wanted):
        try:
            case_id = case_id_of(name)
        except DataError as error:
            problems.append(ConfigError(error.what, where="--cases", remedy=error.remedy))
            continue
        if case_id in known:
            found.add(case_id)
            continue
        near = difflib.get_close_matches(case_id, ids, n=3)
        remedy = f"did you mean {' or '.join(near)}?" if near else f"ids look like {ids[0] if ids else 'case-…'}"
        problems.append(ConfigError(f"no case is called {case_id}", where="--cases", remedy=remedy))
    if problems:
        raise ConfigError.of(problems)
    return sorted(found)


def case_list_hash(ordered: Sequence[str]) -> str:
    """Return the hash of an ordered list of ids, over `json.dumps` with its default separators."""
    return sha256_text(json.dumps(list(ordered), sort_keys=True))


def mas_run_id(*, mac_commit: str, model: str, cases: Sequence[str]) -> str:
    """Return the id of a generation: MAC's commit, the model and the ordered cases determine it."""
    text = json.dumps({"mac_commit": mac_commit, "model": model, "cases": list(cases)}, sort_keys=True)
    return f"mas-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

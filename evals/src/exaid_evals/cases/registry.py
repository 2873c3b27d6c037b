"""Sources of cases by name, and which cases of a data set are taken."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.artifacts.ids import known_case_ids
from exaid_evals.cases import mac
from exaid_evals.cases.base import Case, CaseSource, Chosen, SourceContext, require_unique
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError, DataError

if TYPE_CHECKING:
    from exaid_evals.config.mas_generation import DatasetConfig

CASE_SOURCES = Kind(
    "source of cases",
    "exaid_evals.case_sources",
    {"mac": "exaid_evals.cases.mac:load", "synthetic": "exaid_evals.cases.synthetic:load"},
)


@dataclass(frozen=True, slots=True)
class CaseSet:
    """All cases of one source.

    Attributes:
        source: the source's name, never `auto`; of MAC's data that are not the pinned ones `mac (modified)`.
        cases: in the source's order; each may be read when it is asked for.
        ids: of the cases, in this order.
        reason: why this source, for the user; empty where the configuration names it.
    """

    source: str
    cases: Sequence[Case]
    ids: tuple[str, ...]
    reason: str = ""

    def of(self, ids: Sequence[str]) -> Sequence[Case]:
        """Return the cases with some ids, in their order."""
        place = {case_id: index for index, case_id in enumerate(self.ids)}
        return Chosen(self.cases, [place[case_id] for case_id in ids])


def load_cases(context: SourceContext) -> CaseSet:
    """Load every case of the configured source.

    Raises:
        ConfigError: no source has that name, or its cases are not there.
        DataError: the cases are damaged, repeat an id, or there is none.
    """
    name, reason = context.config.source, ""
    if name == "auto":
        name, reason = resolve_auto(context)
    load = cast("CaseSource", CASE_SOURCES.find(name))
    cases = load(context)
    if isinstance(cases, tuple):
        cases = tuple(case if case.source == name else replace(case, source=name) for case in cases)
    if not cases:
        raise DataError("the source holds no case", where=f"source {name}", remedy="name another source")
    ids = tuple(case.case_id for case in cases)
    require_unique(ids, where=f"source {name}")
    modification = mac.modification(context.mac_dir, len(cases)) if name == mac.SOURCE else None
    if modification is not None:
        # The manifest names MAC's commit; where the data are not that commit's, it must not pass for them.
        return CaseSet(f"{name} (modified)", cases, ids, f"{modification}; {reason}" if reason else modification)
    return CaseSet(name, cases, ids, reason)


def resolve_auto(context: SourceContext) -> tuple[str, str]:
    """Return the source that `auto` stands for here, and why."""
    path = mac.data_file(context.mac_dir)
    if path is not None:
        return "mac", f"found {path}"
    place = f"{context.mac_dir} holds no {mac.FILE_NAME}" if context.mac_dir else "no folder of MAC is known"
    return "synthetic", f"{place} (third_party/mac is an empty submodule in a plain clone; --mac-dir names another)"


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
    elif config.mode == "all":
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

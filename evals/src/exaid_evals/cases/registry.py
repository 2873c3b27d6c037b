"""Sources of cases by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from exaid_evals.cases import mac
from exaid_evals.cases.base import Case, CaseSource, Chosen, SourceContext, require_unique
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import DataError

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

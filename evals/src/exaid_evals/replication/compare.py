"""Each published number beside the recomputed one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from exaid_evals.replication.measures import CaseMeasures, Values, aggregate, case_measures
from exaid_evals.replication.published import POLICIES, Publication, PublishedRun, PublishedTrace


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the publication.

    Attributes:
        variant: as published.
        measure: by its published name, nested ones with dots: `m8_latency_ms_mean.summary`.
        published, recomputed: the two; None where undefined.
        case_id: None for a measure of a variant.
    """

    variant: str
    measure: str
    published: float | None
    recomputed: float | None
    case_id: str | None = None

    @property
    def equal(self) -> bool:
        """Whether both print the same digits."""
        return self.published == self.recomputed


@dataclass(frozen=True, slots=True)
class VariantMade:
    """What a published variant is, by its run_meta and never by its id.

    Attributes:
        variant: as published.
        policy: its trigger_policy.
        ours: our variant of the same make; None for a policy that is not known.
        meaning: in words.
        history_k: summaries in view.
        n_cases: run logs.
    """

    variant: str
    policy: str
    ours: str | None
    meaning: str
    history_k: int
    n_cases: int


@dataclass(frozen=True, slots=True)
class Recomputed:
    """All numbers that need no concept extractor.

    Attributes:
        cells: of the variants.
        case_cells: of the cases under each.
        variants: what each variant is.
        beyond: published measures that rest on concepts or on upstream's own files, by name: not in `cells`.
        unpublished: `variant case` of run logs without a line in the published measures of cases, where there are any.
        n_hashed: traces whose content is what the manifest says.
        per_case: measure → variant → case id → value, for tests of conclusions.
    """

    cells: tuple[Cell, ...]
    case_cells: tuple[Cell, ...]
    variants: tuple[VariantMade, ...]
    beyond: tuple[str, ...]
    unpublished: tuple[str, ...]
    n_hashed: int
    per_case: Mapping[str, Mapping[str, Mapping[str, float | None]]]


def recompute(
    publication: Publication,
    traces: Mapping[str, PublishedTrace],
    runs: Mapping[str, Mapping[str, PublishedRun]],
) -> Recomputed:
    """Recompute what a publication's records determine.

    Args:
        publication: the folder, for what was published.
        traces: case id → conversation.
        runs: variant → case id → run log.

    Raises:
        DataError: a trace is not the one that was published.
    """
    n_hashed = publication.check_manifest()
    cells: list[Cell] = []
    case_cells: list[Cell] = []
    beyond: set[str] = set()
    per_case: dict[str, dict[str, dict[str, float | None]]] = {}
    for variant, logs in runs.items():
        cases: list[CaseMeasures] = []
        for case_id, run in logs.items():
            found = case_measures(traces[case_id], run)
            cases.append(found)
            case_cells += _cells(variant, publication.per_case.get((variant, case_id), {}), found.values, case_id)
            for measure, value in leaves(found.values):
                per_case.setdefault(measure, {}).setdefault(variant, {})[case_id] = value
        published, totals = publication.aggregate.get(variant, {}), aggregate(cases)
        cells += _cells(variant, published, totals)
        beyond |= {name for name, _ in leaves(published)} - {cell.measure for cell in cells}
    made = tuple(_made(variant, logs) for variant, logs in runs.items())
    without = [
        f"{variant} {case_id}"
        for variant, logs in runs.items()
        for case_id in logs
        if publication.per_case and (variant, case_id) not in publication.per_case
    ]
    return Recomputed(tuple(cells), tuple(case_cells), made, tuple(sorted(beyond)), tuple(without), n_hashed, per_case)


def _made(variant: str, logs: Mapping[str, PublishedRun]) -> VariantMade:
    meta = next(iter(logs.values())).meta
    ours, meaning = POLICIES.get(meta["trigger_policy"], (None, "a policy that is not known here"))
    return VariantMade(variant, meta["trigger_policy"], ours, meaning, meta["history_k"], len(logs))


def leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers of nested measures, with dots between the names.

    >>> list(leaves({"a": 1, "b": {"c": 2, "d": {}}}))
    [('a', 1), ('b.c', 2)]
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _cells(variant: str, published: Mapping[str, Any], found: Values, case_id: str | None = None) -> Iterator[Cell]:
    """Yield a cell for each recomputed number that was published; what only one side has stands there as None."""
    theirs, ours = dict(leaves(published)), dict(leaves(found))
    for measure in ours:
        if measure in theirs:
            yield Cell(variant, measure, theirs[measure], ours[measure], case_id)
    for measure in theirs.keys() - ours.keys():
        parent = next((name for name in ours if measure.startswith(f"{name}.") and ours[name] is None), None)
        if parent is not None:
            yield Cell(variant, measure, theirs[measure], None, case_id)

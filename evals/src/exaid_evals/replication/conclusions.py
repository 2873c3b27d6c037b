"""Each published number beside the recomputed one, and which published conclusions survive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.jsonl import require_record, scan_jsonl
from exaid_evals.concepts.base import Extractor, concept_ids
from exaid_evals.errors import DataError
from exaid_evals.ontologies.hpo import primary_id
from exaid_evals.replication.measures import CaseMeasures, Values, aggregate, case_measures
from exaid_evals.replication.published import POLICIES, Publication, PublishedRun, PublishedTrace
from exaid_evals.stats.bootstrap import percentile_intervals, resample_counts
from exaid_evals.stats.descriptive import holm
from exaid_evals.stats.paired import detectable_effect, wilcoxon_p


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


Floats = NDArray[np.float64]
RESAMPLES, SEED = 10_000, 42
ALPHA = 0.05
_MOST_CASES = 100_000
PerCase = Mapping[str, Mapping[str, float | None]]
"""Variant → case id → value."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """What a publication says of two variants in one measure, and what the cases say.

    Attributes:
        measure: the measure.
        higher, lower: the variants as published: the first has the larger mean.
        difference: paired mean difference, higher less lower, over the cases that have both.
        low, high: its 95 % bootstrap percentile interval over cases.
        p, p_holm: Wilcoxon signed-rank; adjusted over the pairs of the measure. None where no case differs.
        n: cases.
        n_needed: cases with which a difference of this size is found with 80 % power; None where there is none.
    """

    measure: str
    higher: str
    lower: str
    difference: float
    low: float
    high: float
    p: float | None
    p_holm: float | None
    n: int
    n_needed: int | None

    @property
    def survives(self) -> bool:
        """Whether the adjusted test finds the published direction."""
        return self.difference > 0 and self.p_holm is not None and self.p_holm < ALPHA


def orderings(measure: str, published: Mapping[str, float | None], per_case: PerCase) -> list[Ordering]:
    """Test each published ordering of two variants.

    Args:
        measure: its name.
        published: variant → published mean; variants without one are left out, and so are ties.
        per_case: the recomputed values.
    """
    means = {variant: mean for variant, mean in published.items() if mean is not None and variant in per_case}
    pairs = [
        (one, other) if means[one] > means[other] else (other, one)
        for one, other in combinations(means, 2)
        if means[one] != means[other]
    ]
    rows = [(pair, _differences(per_case[pair[0]], per_case[pair[1]])) for pair in pairs]
    rows = [(pair, differences) for pair, differences in rows if len(differences) > 1]
    p_values = [wilcoxon_p(differences) for _, differences in rows]
    adjusted = iter(holm([p for p in p_values if p is not None]))
    found = []
    for ((higher, lower), differences), p in zip(rows, p_values, strict=True):
        n = len(differences)
        counts = resample_counts(n, RESAMPLES, np.random.default_rng(SEED))
        low, high = percentile_intervals(differences[:, np.newaxis], counts)[:, 0]
        found.append(
            Ordering(
                measure,
                higher,
                lower,
                float(differences.mean()),
                float(low),
                float(high),
                p,
                None if p is None else next(adjusted),
                n,
                cases_needed(differences),
            )
        )
    return found


def _differences(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> Floats:
    cases = sorted(case for case in one if one[case] is not None and other.get(case) is not None)
    # Rounded, so that differences that should be equal are ties for the test.
    return np.array([round(float(one[case] or 0) - float(other[case] or 0), 6) for case in cases])


def cases_needed(differences: Sequence[float] | Floats) -> int | None:
    """Return the fewest cases with which a paired t test at 5 % finds such a difference with 80 % power.

    >>> cases_needed(np.array([1.0, 2.0, 3.0, 2.0]))
    4
    """
    values = np.asarray(differences, dtype=float)
    effect = abs(values.mean()) / values.std(ddof=1) if len(values) > 1 and values.std(ddof=1) > 0 else 0.0
    if effect == 0.0:
        return None
    low, high = 2, _MOST_CASES
    if detectable_effect(high) > effect:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if detectable_effect(middle) > effect else (low, middle)
    return low


VALIDITY_RESAMPLES, VALIDITY_SEED = 2_000, 42
REMEDY = 'write lines of {"id", "text", "gold": [[start, end, "HP:…"], …]}'
Interval = tuple[float, float, float]
"""Value, and its 95 % percentile interval."""


@dataclass(frozen=True, slots=True)
class Validity:
    """How well an extractor reads texts that people annotated: (document, id) pairs, micro.

    Attributes:
        n_documents: number of texts; intervals are of a bootstrap over them.
        precision: share of what is found that people marked.
        recall: share of what people marked that is found.
    """

    n_documents: int
    precision: Interval
    recall: Interval


@dataclass(frozen=True, slots=True)
class Bounds:
    """A share of unsupported concepts, and what it may be where the extractor misses concepts.

    Attributes:
        observed: the share, with its interval over cases.
        corrected: as Rogan and Gladen correct a prevalence: a concept that was said is found in the conversation
            with the probability of the recall, whether it is found in a summary or not.
        low: the same from the lower ends of both intervals: the errors in both texts have nothing to do with one
            another.
        high: from the upper end of the share and the lower end of the recall: whatever was missed in summaries is
            unsupported.
    """

    observed: Interval
    corrected: float
    low: float
    high: float


def extractor_validity(extractor: Extractor, path: Path) -> Validity:
    """Measure an extractor on annotated texts; counted are ids of the vocabularies that the annotations use.

    Args:
        extractor: reads the texts as it reads conversations.
        path: JSON Lines of `{"id", "text", "gold": [[start, end, id], …]}`.

    Raises:
        DataError: a line is another record, or there is nothing to be found; names file and line.
    """
    texts, gold = [], []
    for line in scan_jsonl(path):
        record = require_record(line, path)
        text, marks = record.get("text"), record.get("gold")
        if not isinstance(text, str) or not _are_marks(marks):
            raise DataError("no text with its gold", where=f"{path}:{line.number}", remedy=REMEDY)
        texts.append(text)
        gold.append({primary_id(mark[2]) if mark[2].startswith("HP:") else mark[2] for mark in marks})
    vocabularies = {concept.partition(":")[0] for ids in gold for concept in ids}
    found = [
        {concept for concept in concept_ids(mentions) if concept.partition(":")[0] in vocabularies}
        for mentions in extractor.mentions(texts)
    ]
    pairs = np.array([(len(f & g), len(f), len(g)) for f, g in zip(found, gold, strict=True)], dtype=float)
    if not len(pairs) or not pairs.sum(axis=0).all():
        raise DataError("nothing that is marked is found", where=str(path), remedy="name texts of these vocabularies")
    sums = resample_counts(len(pairs), VALIDITY_RESAMPLES, np.random.default_rng(VALIDITY_SEED)) @ pairs
    right, n_found, n_gold = pairs.sum(axis=0)
    return Validity(
        len(pairs),
        (right / n_found, *_ends(sums[:, 0] / np.maximum(sums[:, 1], 1))),
        (right / n_gold, *_ends(sums[:, 0] / np.maximum(sums[:, 2], 1))),
    )


def unsupported_bounds(per_case: Mapping[str, float | None], validity: Validity) -> Bounds | None:
    """Carry the interval of the recall into the mean share of unsupported concepts; None without a case.

    Source: W. J. Rogan and B. Gladen, *Estimating prevalence from the results of a screening test* (1978).

    >>> recall = Validity(9, (0.9, 0.8, 1.0), (0.8, 0.75, 0.85))
    >>> bounds = unsupported_bounds({"a": 0.6, "b": 0.6}, recall)
    >>> round(bounds.corrected, 3), round(bounds.low, 3), round(bounds.high, 3)
    (0.5, 0.467, 0.7)
    """
    values = np.array([value for value in per_case.values() if value is not None], dtype=float)
    if not len(values):
        return None
    counts = resample_counts(len(values), VALIDITY_RESAMPLES, np.random.default_rng(VALIDITY_SEED))
    low, high = percentile_intervals(values[:, np.newaxis], counts)[:, 0] if len(values) > 1 else (values[0], values[0])
    recall, recall_low, _ = validity.recall
    share = float(values.mean())
    return Bounds(
        (share, float(low), float(high)),
        _corrected(share, recall),
        _corrected(float(low), recall_low),
        float(high) * recall_low + 1 - recall_low,
    )


def _corrected(share: float, recall: float) -> float:
    return float(np.clip((share - (1 - recall)) / recall, 0.0, 1.0)) if recall > 0 else 0.0


def _ends(values: Any) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _are_marks(marks: object) -> TypeGuard[list[list[Any]]]:
    return isinstance(marks, list) and all(
        isinstance(mark, list) and len(mark) == 3 and isinstance(mark[2], str) for mark in marks
    )

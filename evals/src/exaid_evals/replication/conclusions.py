"""Which published conclusions survive: orderings of variants tested, and what misses of the extractor leave open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from exaid_evals.stats.bootstrap import percentile_intervals, resample_counts
from exaid_evals.stats.descriptive import holm
from exaid_evals.stats.paired import detectable_effect, wilcoxon_p

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

"""What an extractor's own recall leaves open in a share of unsupported concepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from exaid_evals.artifacts.jsonl import require_record, scan_jsonl
from exaid_evals.concepts.base import Extractor, concept_ids
from exaid_evals.errors import DataError
from exaid_evals.ontologies.hpo import primary_id
from exaid_evals.stats.bootstrap import percentile_intervals, resample_counts

RESAMPLES, SEED = 2_000, 42
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
    sums = resample_counts(len(pairs), RESAMPLES, np.random.default_rng(SEED)) @ pairs
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
    counts = resample_counts(len(values), RESAMPLES, np.random.default_rng(SEED))
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

"""Coverage and unsupported corrected for the extractor's errors, by what people say of some of the cases."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.schemas import header
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import OK, read_variant_and_cases

SCHEMA = "exaid.corrected"
CORRECTED = ("coverage", "unsupported")
"""The measures that labels correct: shares that rest on the extractor."""
_REMEDY = (
    'write {"case_id", "concepts": [ids]} for what a conversation states and {"case_id", "variant_id", "concepts": '
    '[ids]} for what its updates state, or {"case_id", "variant_id", "measures": {"coverage": 0.6}} for both'
)


@dataclass(frozen=True, slots=True)
class Label:
    """What people say of one case under one variant.

    Attributes:
        measures: name → their value.
    """

    case_id: str
    variant_id: str
    measures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CorrectedMeasure:
    """A measure over the cases of a variant, as it was measured and corrected.

    Attributes:
        mean: as measured; with ci95_low and ci95_high as the metrics file has them.
        corrected: None without a labelled case, as its interval with fewer than five.
        bias: mean of measured less labelled, over the labelled cases.
        n, n_labelled: cases that define the measure, and those of them that are labelled.
        weight: of what was measured, see `exaid_evals.stats.agreement`.
    """

    mean: float | None
    ci95_low: float | None
    ci95_high: float | None
    corrected: float | None
    corrected_ci95_low: float | None
    corrected_ci95_high: float | None
    bias: float | None
    n: int
    n_labelled: int
    weight: float


def read_labels(records: Iterable[tuple[int, Mapping[str, Any]]], where: str) -> list[Label]:
    """Read labels: values of measures, or concepts of conversations and updates, from which the values follow.

    Raises:
        DataError: names the record that is not a label, or the case whose conversation is not labelled.
    """
    values: dict[tuple[str, str], dict[str, float]] = {}
    said: dict[str, frozenset[str]] = {}
    reported: dict[tuple[str, str], frozenset[str]] = {}
    for number, record in records:
        place = f"{where}:{number}"
        case, variant = record.get("case_id"), record.get("variant_id")
        if not isinstance(case, str) or not (variant is None or isinstance(variant, str)):
            raise DataError("names no case", where=place, remedy=_REMEDY)
        if variant is not None and isinstance(record.get("measures"), dict):
            values[case, variant] = {name: _share(name, value, place) for name, value in record["measures"].items()}
            continue
        concepts = record.get("concepts")
        if not isinstance(concepts, list) or not all(isinstance(one, str) for one in concepts):
            raise DataError("holds neither measures nor concepts", where=place, remedy=_REMEDY)
        if variant is None:
            said[case] = frozenset(concepts)
        else:
            reported[case, variant] = frozenset(concepts)
    for (case, variant), stated in reported.items():
        if case not in said:
            raise DataError(f"what the conversation of {case} states is not labelled", where=where, remedy=_REMEDY)
        values.setdefault((case, variant), {}).update(_of_concepts(said[case], stated))
    return [Label(case, variant, measures) for (case, variant), measures in values.items()]


def _share(name: str, value: Any, place: str) -> float:
    if name not in CORRECTED or isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(f"{name}: {value!r:.40}", where=place, remedy=f"give {' or '.join(CORRECTED)} between 0 and 1")
    return float(value)


def _of_concepts(said: frozenset[str], reported: frozenset[str]) -> dict[str, float]:
    """Return the measures of labelled concepts, by the definitions of `coverage` and `unsupported`."""
    shares = {"coverage": (len(said & reported), len(said)), "unsupported": (len(reported - said), len(reported))}
    return {name: part / whole for name, (part, whole) in shares.items() if whole}


def corrected_measures(campaign: Campaign, variant: str, labels: Sequence[Label]) -> dict[str, CorrectedMeasure]:
    """Return measure → what the labels make of it, from a variant's metrics file.

    Raises:
        DataError: a label is of a case that was not measured.
    """
    import numpy as np

    from exaid_evals.stats.agreement import powered_mean

    over_cases, cases = read_variant_and_cases(campaign.metrics_file(variant))
    of_case = {label.case_id: label.measures for label in labels if label.variant_id == variant}
    measured = {case.case_id: case.measures for case in cases if case.status == OK}
    if strangers := sorted(of_case.keys() - measured.keys()):
        where = str(campaign.metrics_file(variant))
        raise DataError(
            f"{', '.join(strangers[:5])}: labelled, and not measured", where=where, remedy="correct the ids"
        )
    found = {}
    for name in CORRECTED:
        defined = {case: float(value) for case, values in measured.items() if (value := values.get(name)) is not None}
        predicted = np.array(list(defined.values()))
        observed = np.array([of_case.get(case, {}).get(name, math.nan) for case in defined])
        mean, raw = powered_mean(predicted, observed), over_cases.measures.get(name)
        labelled = ~np.isnan(observed)
        found[name] = CorrectedMeasure(
            raw.mean if raw else None,
            raw.ci95_low if raw else None,
            raw.ci95_high if raw else None,
            mean.value,
            mean.low,
            mean.high,
            float((predicted - observed)[labelled].mean()) if labelled.any() else None,
            mean.n,
            mean.n_labelled,
            mean.weight,
        )
    return found


def write_corrected(
    campaign: Campaign, by_variant: Mapping[str, Mapping[str, CorrectedMeasure]], *, labels: Path, signature: str
) -> Path:
    """Write a record for each variant, and return the file."""
    path = campaign.metrics / "corrected.jsonl"
    write_jsonl(
        path,
        (
            {
                **header(SCHEMA),
                "variant_id": variant,
                "measures": {name: asdict(one) for name, one in measures.items()},
                "labels_sha256": sha256_file(labels),
                "signature": signature,
            }
            for variant, measures in by_variant.items()
        ),
    )
    return path

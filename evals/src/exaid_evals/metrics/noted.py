"""What people's notes and labels add: updates against a note, statements against what was said, corrected coverage."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.artifacts.schemas import header
from exaid_evals.concepts.base import Extractor
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import DataError
from exaid_evals.factuality.notes import SAME_MEANING, Similarity, by_meaning, verdict_shares
from exaid_evals.factuality.reference import Comparison, Judged, Sources
from exaid_evals.metrics.observation import Observation
from exaid_evals.metrics.records import OK, read_variant_and_cases
from exaid_evals.replay.clock import MessageArrival
from exaid_evals.traces.model import Trace

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


REFERENCE, STATEMENTS, MEANING = "reference", "statements", "meaning"
"""Families of measures that are taken where they are asked for: the first where there are references."""


def read_references(records: Iterable[tuple[int, Mapping[str, Any]]], where: str) -> dict[str, str]:
    """Return case → its clinician's note.

    Raises:
        DataError: a record has no case or note, or a case has two.
    """
    found: dict[str, str] = {}
    for number, record in records:
        case, note = record.get("case_id"), record.get("reference")
        if not isinstance(case, str) or not isinstance(note, str):
            remedy = 'write {"case_id": "case-…", "reference": "…"} on each line'
            raise DataError("not a reference of a case", where=f"{where}:{number}", remedy=remedy)
        if case in found:
            raise DataError(f"duplicate {case}", where=f"{where}:{number}", remedy="keep one reference for each case")
        found[case] = note
    return found


def with_references(config: MetricsConfig, references: Mapping[str, str]) -> MetricsConfig:
    """Return a configuration that measures against references where there are any."""
    if not references or REFERENCE in config.measures:
        return config
    return config.model_copy(update={"measures": (*config.measures, REFERENCE)})


class NoteMeasures:
    """Takes those of the families' measures that a configuration asks for.

    Args:
        config: names the families.
        extractor: finds concepts.
        stop_entities: names that are never concepts.
    """

    def __init__(self, config: MetricsConfig, extractor: Extractor, stop_entities: frozenset[str]) -> None:
        self.wanted = {REFERENCE, STATEMENTS, MEANING}.intersection(config.measures)
        """Which of them are asked for."""
        self._compare = Comparison(extractor, stop_entities) if self.wanted else None
        self._meaning = _meaning() if MEANING in self.wanted else None

    def __call__(
        self, trace: Trace, arrivals: Sequence[MessageArrival], seen: Observation, reference: str | None
    ) -> dict[str, float | None]:
        """Return name → number of one case under one variant.

        Args:
            trace: the conversation.
            arrivals: when each of its messages arrived.
            seen: the updates.
            reference: a clinician's note of the case; None where there is none.
        """
        found: dict[str, float | None] = {}
        if self._compare is None:
            return found
        if REFERENCE in self.wanted and reference is not None:
            reported = "\n".join(update.text for update in seen.faithful_updates)
            measures = self._compare.measures(reported, reference)
            found |= {f"{REFERENCE}_{name}": value for name, value in measures.items()}
        if self.wanted & {STATEMENTS, MEANING}:
            shares = self._statements(self._compare, trace, arrivals, seen)
            found |= {f"{STATEMENTS}_{name}": value for name, value in shares.items()}
        return found

    def _statements(
        self, compare: Comparison, trace: Trace, arrivals: Sequence[MessageArrival], seen: Observation
    ) -> dict[str, float | None]:
        """Judge each statement of the updates against what had been said when it came, half messages included."""
        judged: list[Judged] = []
        nearer: list[Judged] = []
        restated: list[bool] = []
        sources, heard = Sources([]), [0] * len(arrivals)
        earlier: list[str] = []
        for update in seen.faithful_updates:  # in order of emission
            for place, (message, arrival) in enumerate(zip(trace.messages, arrivals, strict=True)):
                there = arrival.chars_at(update.t_ms)
                if there > heard[place]:
                    sources.add(compare.read(message.content[:there]))
                    heard[place] = there
            verdicts = [sources.judge(statement) for statement in compare.read(update.text).statements]
            judged += verdicts
            if self._meaning is not None:
                said = [message.content[:there] for message, there in zip(trace.messages, heard, strict=True)]
                nearer += [by_meaning(one, said, self._meaning) for one in verdicts]
                restated += [self._meaning.similarity(one.statement.text, earlier) >= SAME_MEANING for one in verdicts]
                earlier.append(update.text)
        shares = _shares(judged)
        if self._meaning is not None:
            shares |= {f"{name}_by_meaning": value for name, value in _shares(nearer).items()}
            shares["restated_by_meaning"] = sum(restated) / len(restated) if restated else None
        return shares


def _meaning() -> Similarity:
    from exaid_evals.factuality.judge import Meaning

    return Meaning()


def _shares(judged: Sequence[Judged]) -> dict[str, float | None]:
    return {name: value for name, value in verdict_shares(judged).items() if name != STATEMENTS}

"""Updates against a clinician's note, and statements against what had been said: by request, for it costs time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from exaid_evals.concepts.base import Extractor
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import DataError
from exaid_evals.factuality.notes import SAME_MEANING, Similarity, by_meaning, verdict_shares
from exaid_evals.factuality.reference import Comparison
from exaid_evals.factuality.support import Judged, Sources
from exaid_evals.metrics.observation import Observation
from exaid_evals.replay.clock import MessageArrival
from exaid_evals.traces.model import Trace

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

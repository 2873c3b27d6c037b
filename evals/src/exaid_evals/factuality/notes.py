"""A note or summary measured against a clinician's note and against what it was written from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from exaid_evals.artifacts.canonical import FLOAT_DECIMALS
from exaid_evals.errors import DataError
from exaid_evals.factuality.reference import Comparison, Judged, Verdict, judge

SAME_MEANING = 0.6
"""Cosine from which a statement and what a source says are the same in other words."""
_SUMMARY, _SOURCE = ("summary", "candidate"), ("source", "dialogue", "conversation")
_REMEDY = (
    'write {"id": …, "summary": "…", "source": "…", "reference": "…"} on each line; one of the last two may be absent'
)


@dataclass(frozen=True, slots=True)
class Note:
    """What is measured.

    Attributes:
        id: as it is given.
        summary: the text that is measured.
        sources: what it was written from; empty where that is not known.
        reference: a clinician's note; None where there is none.
    """

    id: Any
    summary: str
    sources: tuple[str, ...] = ()
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class MeasuredNote:
    """What was found.

    Attributes:
        measures: name → number, None where it is undefined. Shares of statements are `supported`, `contradicted` and
            `not_found`; `statements` is their number.
        statements: each with its verdict; empty without sources and reference.
        by_model: the verdicts of a language model on them; empty where none was asked.
    """

    id: Any
    measures: Mapping[str, float | None]
    statements: Sequence[Judged] = field(default_factory=tuple)
    by_model: Sequence[Verdict] = ()

    def to_record(self) -> dict[str, Any]:
        """Return it as plain data."""
        statements = [
            {
                "text": one.statement.text,
                "start": one.statement.start,
                "verdict": one.verdict.value,
                "reason": one.reason,
            }
            for one in self.statements
        ]
        for statement, verdict in zip(statements, self.by_model, strict=False):
            statement["verdict_of_model"] = verdict.value
        return {"id": self.id, "measures": dict(self.measures), "statements": statements}


def read_note(record: Mapping[str, Any], number: int, where: str) -> Note:
    """Read a record.

    Raises:
        DataError: it has no summary, nothing to measure it against, or something is not a text.
    """
    summary, source = (
        next((record[alias] for alias in aliases if record.get(alias) is not None), None)
        for aliases in (_SUMMARY, _SOURCE)
    )
    sources = [] if source is None else source if isinstance(source, list) else [source]
    reference = record.get("reference")
    if not isinstance(summary, str) or not all(isinstance(one, str) for one in (*sources, reference or "")):
        raise DataError("summary, source and reference must be texts", where=f"{where}:{number}", remedy=_REMEDY)
    if reference is None and not sources:
        raise DataError("neither source nor reference to measure against", where=f"{where}:{number}", remedy=_REMEDY)
    return Note(record.get("id", number), summary, tuple(sources), reference)


class Similarity(Protocol):
    """Measures how near a statement comes to what some texts say."""

    def similarity(self, statement: str, texts: Sequence[str]) -> float:
        """Return the greatest cosine."""


Judge = Callable[[Sequence[str], Sequence[str]], list[Verdict]]
"""Statements and what was said → a verdict on each."""


def measure_note(
    note: Note, comparison: Comparison, meaning: Similarity | None = None, judge_too: Judge | None = None
) -> MeasuredNote:
    """Measure a note by whatever stands beside it.

    A statement is judged against the sources, and against the reference too where there is one, for what the clinician
    has noted is as true as what was said.

    Args:
        note: what is measured.
        comparison: compares texts.
        meaning: adds the verdicts' shares by meaning, `supported_by_meaning` and so on; None leaves them out.
        judge_too: a second judge, whose shares are `supported_by_model` and so on.
    """
    measures = {} if note.reference is None else comparison.measures(note.summary, note.reference)
    said = "\n".join(note.sources)  # one text, for an answer may stand in another part than its question
    texts = [text for text in (said or None, note.reference) if text is not None]
    judged = judge(comparison.read(note.summary), [comparison.read(text) for text in texts]) if texts else []
    if texts:
        measures |= verdict_shares(judged)
    if texts and meaning is not None:
        nearer = verdict_shares([by_meaning(one, texts, meaning) for one in judged])
        measures |= {f"{verdict.value}_by_meaning": nearer[verdict.value] for verdict in Verdict}
    by_model = judge_too([one.statement.text for one in judged], texts) if texts and judge_too else []
    if by_model:
        measures |= {f"{verdict.value}_by_model": by_model.count(verdict) / len(by_model) for verdict in Verdict}
    return MeasuredNote(note.id, _rounded(measures), judged, by_model)


def by_meaning(judged: Judged, texts: Sequence[str], meaning: Similarity) -> Judged:
    """Return a statement that is not found as supported where a source says the same in other words.

    A value that no source holds is not found in whatever words.
    """
    if judged.verdict is not Verdict.NOT_FOUND or any(unit.is_value for unit in judged.missing):
        return judged
    near = meaning.similarity(judged.statement.text, texts) >= SAME_MEANING
    return replace(judged, verdict=Verdict.SUPPORTED, reason="") if near else judged


def verdict_shares(judged: Sequence[Judged]) -> dict[str, float | None]:
    """Return the share of statements under each verdict, None without any, and how many there are."""
    counts, total = Counter(one.verdict for one in judged), len(judged)
    shares = {verdict.value: counts[verdict] / total if total else None for verdict in Verdict}
    return {**shares, "statements": float(total)}


def _rounded(measures: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, FLOAT_DECIMALS) + 0.0 for name, value in measures.items()}

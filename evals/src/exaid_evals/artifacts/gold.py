"""Gold labels: what a simulated message really states, as the generator that wrote it knows.

A label says where a message mentions something, in which form, and which concept that is. Ids are those of the
vocabularies in `exaid_evals.ontologies`: a phenotype's where one exists, else a disease's. No extractor has a say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple


class MentionKind(StrEnum):
    """How a message mentions something; the values are those of `gold_mentions` in `exaid.trace`."""

    CANONICAL = "canonical"
    SYNONYM = "synonym"
    INFLECTED = "inflected"
    ABBREVIATED = "abbreviated"
    NEGATED = "negated"
    NEAR_MISS = "near_miss"
    UNJUDGED = "unjudged"
    COPIED = "copied"

    __hash__ = str.__hash__  # in C: kinds are counted by the million


_KINDS = {kind.value: kind for kind in MentionKind}

STATING = (MentionKind.CANONICAL, MentionKind.SYNONYM, MentionKind.INFLECTED, MentionKind.ABBREVIATED)
"""The kinds that state their concept."""

NOT_STATING = (MentionKind.NEGATED, MentionKind.NEAR_MISS)
"""The kinds that name something without stating it: what is denied, and what is said of relatives or supposed."""


class GoldMention(NamedTuple):
    """One labelled place of a message.

    Attributes:
        start: first code point.
        end: one past the last.
        kind: the form. `unjudged` marks a suspicion, of which nobody can say whether it states its concept; `copied`
            marks text of a report that somebody else wrote, and nobody has labelled.
        concept_id: None where the phrase is the name of no term; what an extractor finds there is then not judged.
    """

    start: int
    end: int
    kind: MentionKind
    concept_id: str | None = None

    @property
    def stated(self) -> str | None:
        """The concept that this place states; None where it states none, or none that is known."""
        return self.concept_id if self.kind in STATING else None

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Where the label stands among those of its message."""
        return self.start, self.end, self.kind, self.concept_id or ""

    @property
    def judged(self) -> bool:
        """Whether it is known what an extractor should find here."""
        return self.stated is not None or self.kind in NOT_STATING


def concepts_stated(mentions: Iterable[GoldMention]) -> tuple[str, ...]:
    """Return the ids that some mentions state, each once, sorted.

    >>> fever = GoldMention(0, 5, MentionKind.SYNONYM, "HP:0001945")
    >>> concepts_stated([fever, GoldMention(10, 15, MentionKind.NEGATED, "HP:0000988")])
    ('HP:0001945',)
    """
    return _stated(mentions)


def to_fields(mention: GoldMention) -> dict[str, Any]:
    """Return a label as a trace holds it."""
    return {"kind": mention.kind.value, "concept_id": mention.concept_id, "start": mention.start, "end": mention.end}


def from_fields(fields: Mapping[str, Any]) -> GoldMention:
    """Build a label from a valid record's fields."""
    return GoldMention(fields["start"], fields["end"], _KINDS[fields["kind"]], fields["concept_id"])


def _stated(labels: Iterable[tuple[int, int, str, str | None]]) -> tuple[str, ...]:
    return tuple(sorted({concept for _, _, kind, concept in labels if concept is not None and kind in STATING}))


def gold_problems(
    content: str, mentions: Iterable[tuple[int, int, str, str | None]] | None, concepts: Iterable[str] | None
) -> Iterator[str]:
    """Yield every way in which a message's labels, or tuples of their fields, contradict its text or each other."""
    if mentions is None:
        return
    labels, length = list(mentions), len(content)
    for start, end, _, _ in labels:
        if not start < end <= length:
            yield f"the gold mention {start}–{end} is empty, or beyond the content's {length} characters"
    order = [(start, end, kind, concept or "") for start, end, kind, concept in labels]
    if any(after <= before for before, after in pairwise(order)):
        yield "gold_mentions are not in the order of the text, or one is a duplicate"
    if concepts is None or sorted(concepts) != list(_stated(labels)):
        yield "gold_concepts are not the concepts that gold_mentions state"

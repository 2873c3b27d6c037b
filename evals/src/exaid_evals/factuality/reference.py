"""How much of a clinician's note another text holds, and how much it adds: measures that need a reference.

ROUGE is computed here, and held against the package rouge-score in the tests: that one comes as source alone and
imports nltk, and with it all of scikit-learn, to stem words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from exaid_evals.concepts.base import Extractor, concept_ids
from exaid_evals.concepts.compiled import Settings, load_compiled
from exaid_evals.factuality.content import Content, Reader, Unit
from exaid_evals.factuality.support import Sources

_ROUGE_SPLIT = re.compile(r"[^a-z0-9]+")
NAMES = ("content", "concept", "term", "value", "rouge1", "rouge2", "rougeL")
"""What is compared; each has a precision, a recall and an F1."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How two collections overlap.

    Attributes:
        matched: entries of the candidate that the reference holds.
        found: entries of the candidate.
        recalled: entries of the reference that the candidate holds.
        wanted: entries of the reference.
        smoothing: added to both sides of each share, so that a share of three words is less sure than one of thirty.
    """

    matched: int
    found: int
    recalled: int
    wanted: int
    smoothing: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the candidate that is in the reference; None where the candidate holds nothing."""
        return (self.matched + self.smoothing) / (self.found + self.smoothing) if self.found else None

    @property
    def recall(self) -> float | None:
        """Share of the reference that is in the candidate; None where the reference holds nothing."""
        return (self.recalled + self.smoothing) / (self.wanted + self.smoothing) if self.wanted else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; 0 where one side alone holds nothing, None where both hold nothing."""
        if not self.found or not self.wanted:
            return None if self.found == self.wanted else 0.0
        precision, recall = self.precision or 0.0, self.recall or 0.0
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def overlap(candidate: Set[Hashable], reference: Set[Hashable]) -> Overlap:
    """Compare two sets.

    >>> overlap({1, 2, 3}, {2, 3, 4, 5}).recall
    0.5
    """
    common = len(candidate & reference)
    return Overlap(common, len(candidate), common, len(reference))


class Comparison:
    """Compares texts with references.

    Args:
        extractor: finds concepts.
        stop_entities: names that are never concepts.
    """

    def __init__(self, extractor: Extractor, stop_entities: frozenset[str]) -> None:
        self.read = Reader(extractor)
        self._affirmed = extractor.mentions
        self._clinical = _vocabulary_words(stop_entities)

    def overlaps(self, candidate: str, reference: str) -> dict[str, Overlap]:
        """Compare a text with a reference in every respect of `NAMES`."""
        ours, theirs = self.read(candidate), self.read(reference)
        affirmed = [concept_ids(mentions) for mentions in self._affirmed([candidate, reference])]
        return {
            "content": content_overlap(ours, theirs),
            "concept": overlap(affirmed[0], affirmed[1]),
            "term": overlap(self._terms(ours), self._terms(theirs)),
            "value": overlap(ours.values, theirs.values),
            **rouge(candidate, reference),
        }

    def measures(self, candidate: str, reference: str) -> dict[str, float | None]:
        """Return `<name>_precision`, `<name>_recall` and `<name>_f1` for each of `NAMES`, and `negation_agreement`."""
        found: dict[str, float | None] = {}
        for name, one in self.overlaps(candidate, reference).items():
            found |= {f"{name}_precision": one.precision, f"{name}_recall": one.recall, f"{name}_f1": one.f1}
        found["negation_agreement"] = negation_agreement(self.read(candidate), self.read(reference))
        return found

    def _terms(self, content: Content) -> frozenset[Hashable]:
        """Clinical terms: words that the vocabularies use in names, pairs of them side by side, and concepts.

        What MEDCON counts with UMLS, whose licence it needs, anatomy and procedures included: W. Yim and others,
        Aci-bench, Scientific Data 10 (2023) 586.
        """

        def clinical(unit: Unit) -> bool:
            return not unit.is_value and unit.key in self._clinical

        terms: set[Hashable] = {unit.key for unit in content.units if clinical(unit)}
        for statement in content.statements:
            terms |= {
                (one.key, other.key) for one, other in pairwise(statement.units) if clinical(one) and clinical(other)
            }
        return frozenset(terms).union(*(unit.concepts for unit in content.units))


def _vocabulary_words(stop_entities: frozenset[str]) -> frozenset[str]:
    """Stems of all words in the names of the vocabularies."""
    tables = load_compiled(Settings(), stop_entities).tables
    return frozenset(word for phrase in tables.phrases for word in phrase.split())


def content_overlap(candidate: Content, reference: Content) -> Overlap:
    """Compare the words and values that carry content, each counted once, across synonyms, roots and denials of all.

    Both shares are smoothed by one, as C.-Y. Lin and F. J. Och do for n-grams: ORANGE, COLING 2004.

    >>> from exaid_evals.factuality.content import Statement
    >>> one, two = (Content((Statement("", 0, tuple(map(Unit, words))),)) for words in ("ab", "b"))
    >>> content_overlap(two, one).recall
    0.6666666666666666
    """
    found, wanted = _distinct(candidate), _distinct(reference)
    matched = sum(map(Sources([reference]).holds, found))
    recalled = sum(map(Sources([candidate]).holds, wanted))
    return Overlap(matched, len(found), recalled, len(wanted), smoothing=1)


def _distinct(content: Content) -> list[Unit]:
    return list({unit.key: unit for unit in reversed(content.units)}.values())


def negation_agreement(candidate: Content, reference: Content) -> float | None:
    """Of the reference's parts of concepts that the candidate mentions too, the share that both affirm or both deny.

    None where they share none.
    """
    sources = Sources([candidate])
    shared = [
        (unit, places)
        for unit in reference.units
        if unit.concepts and (places := [place.unit for place in sources.places(unit)])
    ]
    agreeing = sum(any(place.denied == unit.denied for place in places) for unit, places in shared)
    return agreeing / len(shared) if shared else None


def rouge(candidate: str, reference: str) -> dict[str, Overlap]:
    """ROUGE-1, ROUGE-2 and ROUGE-L, without stemming, the last over the whole text.

    Source: C.-Y. Lin, ROUGE: a package for automatic evaluation of summaries, 2004.

    >>> {name: one.recall for name, one in rouge("the cat sat", "the cat was here").items()}
    {'rouge1': 0.5, 'rouge2': 0.3333333333333333, 'rougeL': 0.5}
    """
    ours, theirs = (_ROUGE_SPLIT.sub(" ", text.lower()).split() for text in (candidate, reference))
    found: dict[str, Overlap] = {}
    grams: tuple[tuple[str, Callable[[Sequence[str]], Iterable[Hashable]]], ...] = (
        ("rouge1", list),
        ("rouge2", pairwise),
    )
    for name, parts in grams:
        one, other = Counter(parts(ours)), Counter(parts(theirs))
        common = (one & other).total()
        found[name] = Overlap(common, one.total(), common, other.total())
    common = _longest_common_subsequence(ours, theirs)
    return found | {"rougeL": Overlap(common, len(ours), common, len(theirs))}


def _longest_common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length, with a bit for each word of `one`: H. Hyyrö, Bit-parallel LCS-length computation revisited, 2004."""
    at: dict[str, int] = {}
    for index, word in enumerate(one):
        at[word] = at.get(word, 0) | 1 << index
    full = (1 << len(one)) - 1
    rows = full
    for word in other:
        matched = rows & at.get(word, 0)
        rows = ((rows + matched) | (rows - matched)) & full
    return len(one) - rows.bit_count()

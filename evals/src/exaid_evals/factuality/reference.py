"""How much of a text another holds: content against a clinician's note, each statement against what had been said.

ROUGE is computed here, and held against the package rouge-score in the tests: that one comes as source alone and
imports nltk, and with it all of scikit-learn, to stem words.

Whether a statement is supported is found offline and deterministically: it is aligned with its sources word by word,
through stems, words of one meaning and concepts; then numbers, units, sides, denials, whose it is, beginnings and ends,
plans and suppositions have to agree, denial, person, beginning and supposition all at one place. It reads no
implication: what follows from the sources in other words is not found.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from exaid_evals.concepts.base import Extractor, concept_ids
from exaid_evals.concepts.compiled import Settings, load_compiled
from exaid_evals.factuality.content import KIN, NOTHING_WRONG, Content, Reader, Statement, Unit
from exaid_evals.factuality.words import DONE, PLANNED, SUPPOSED

MISSING_SHARE = 1 / 3
"""Of the units of a statement: where more of them are in no source, the statement is not found."""
_PREFIX = 4
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


class Verdict(StrEnum):
    """What the sources say of a statement."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement and what the sources say of it.

    Attributes:
        statement: as it stands in the text.
        verdict: what the sources say.
        reason: why, for people; empty where it is supported.
        missing: units that no source holds.
    """

    statement: Statement
    verdict: Verdict
    reason: str = ""
    missing: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """A unit of a source, in its statement."""

    unit: Unit
    statement: Statement


class Sources:
    """What had been said, to be looked up.

    Args:
        contents: texts, read.
    """

    def __init__(self, contents: Sequence[Content]) -> None:
        self._by_key: dict[str, list[_Place]] = defaultdict(list)
        self._by_concept: dict[str, list[_Place]] = defaultdict(list)
        self._by_prefix: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[str, set[str]] = defaultdict(set)
        self._denies = self._denies_all = False
        for content in contents:
            self.add(content)

    def add(self, content: Content) -> None:
        """Take in what was said next."""
        self._denies |= content.denies
        self._denies_all |= content.denies_all
        for statement in content.statements:
            for unit in statement.units:
                place = _Place(unit, statement)
                self._by_key[unit.key].append(place)
                for concept in unit.concepts:
                    self._by_concept[concept].append(place)
                if unit.is_value:
                    self._numbers[unit.measure].add(unit.key)
                else:
                    self._by_prefix[unit.key[:_PREFIX]].add(unit.key)

    def places(self, unit: Unit) -> list[_Place]:
        """Return where the sources hold a unit: the same key or concept, else a word of the same root."""
        found = list(self._by_key.get(unit.key, ()))
        found += [place for concept in sorted(unit.concepts) for place in self._by_concept.get(concept, ())]
        if not found and not unit.is_value and unit.key != NOTHING_WRONG:
            near = sorted(key for key in self._by_prefix.get(unit.key[:_PREFIX], ()) if same_root(key, unit.key))
            found = [place for key in near for place in self._by_key[key]]
        return found

    def holds(self, unit: Unit) -> bool:
        """Whether the sources hold a unit; what is denied also where *none* is all they say."""
        if unit.key == NOTHING_WRONG and self._denies:
            return True
        return bool(self.places(unit)) or (unit.denied and self._denies_all)

    def judge(self, statement: Statement) -> Judged:
        """Judge a statement."""
        missing = tuple(unit for unit in statement.units if not self.holds(unit))
        words = [unit for unit in statement.units if not unit.is_value]
        absent = Judged(statement, Verdict.NOT_FOUND, f"no {_shown(missing, statement)}", missing)
        if sum(not unit.is_value for unit in missing) > MISSING_SHARE * len(words):
            return absent
        if wrong := [unit for unit in missing if unit.is_value and unit.measure and self._numbers.get(unit.measure)]:
            return Judged(statement, Verdict.CONTRADICTED, f"another number there than {_shown(wrong, statement)}")
        if len(missing) > MISSING_SHARE * len(statement.units):
            return absent
        reason = next(self._disagreements(statement), "")
        return Judged(statement, Verdict.CONTRADICTED if reason else Verdict.SUPPORTED, reason)

    def _disagreements(self, statement: Statement) -> Iterator[str]:
        """Yield in what the places that a statement is aligned with differ from it."""
        words = [unit for unit in statement.units if not unit.is_value and unit.key != NOTHING_WRONG]
        kin = not KIN.isdisjoint(unit.key for unit in words)  # maternal asthma
        aligned = [(unit, self.places(unit)) for unit in words]
        # One place must agree in everything: that she denies what her mother had is no finding of hers.
        faults = [(unit, [_faults(unit, place, statement, kin) for place in places]) for unit, places in aligned]
        opposed = [(unit, there) for unit, there in faults if there and all(there)]
        if 2 * len(opposed) >= len(words) > 0:
            yield f"{opposed[0][1][0][0]} there: {_shown([unit for unit, _ in opposed], statement)}"
        best = _best(aligned)
        there = frozenset[str]().union(*(one.sides for one in best))
        if statement.sides and there and not (statement.sides & there or "both" in there):
            yield f"side there: {', '.join(sorted(there))}"
        if statement.times == {DONE} and best and all(one.times == {PLANNED} for one in best):
            yield "planned there, not done"
        if best and not statement.times & {SUPPOSED, PLANNED} and all(SUPPOSED in one.times for one in best):
            yield "only supposed there"


def _faults(unit: Unit, place: _Place, statement: Statement, kin: bool) -> list[str]:
    """Return in what a place differs from a unit; of somebody else is right where the statement names a relative."""
    found = []
    if place.unit.denied != unit.denied:
        found.append("affirmed" if unit.denied else "denied")
    if place.unit.other != unit.other and not kin:
        found.append("of the patient" if unit.other else "of somebody else")
    if statement.changes and place.statement.changes and not statement.changes & place.statement.changes:
        found.append(min(place.statement.changes))
    if SUPPOSED in place.statement.times and not statement.times & {SUPPOSED, PLANNED} and not unit.denied:
        found.append("only supposed")
    return found


def _shown(units: Sequence[Unit], statement: Statement) -> str:
    """Return units as a reader knows them: words as the statement has them, which is compared by their stems."""
    shown = []
    for unit in units:
        word = _WORD.match(statement.text[max(0, unit.start - statement.start) :])
        as_it_stands = not unit.is_value and word and word[0].casefold().startswith(unit.key[:3])
        shown.append(word[0] if word and as_it_stands else f"{unit.key} {unit.measure}".strip())
    return ", ".join(dict.fromkeys(shown))


def _best(aligned: Sequence[tuple[Unit, Sequence[_Place]]]) -> list[Statement]:
    """Return the statements of the sources that hold most of the units."""
    counts = Counter(
        id(place.statement) for _, places in aligned for place in {id(p.statement): p for p in places}.values()
    )
    most = max(counts.values(), default=0)
    by_id = {id(place.statement): place.statement for _, places in aligned for place in places}
    return [statement for key, statement in by_id.items() if counts[key] == most]


def same_root(one: str, other: str) -> bool:
    """Whether two stems differ in their last letters alone.

    >>> same_root("jewelr", "jeweller"), same_root("psychiatr", "psychiatrist"), same_root("hypertens", "hypotens")
    (True, True, False)
    """
    shorter, longer = sorted((one, other), key=len)
    common = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(shorter))
    return common >= _PREFIX and common >= len(shorter) - 1 and common >= len(longer) - 3


def judge(text: Content, sources: Sequence[Content]) -> list[Judged]:
    """Judge every statement of a text."""
    said = Sources(sources)
    return [said.judge(statement) for statement in text.statements]


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

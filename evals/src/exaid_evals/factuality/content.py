"""What a text says, in units that can be looked for in another text: statements, their words, values and denials.

A statement is a part of a sentence between conjunctions and marks. Its units are the words that carry content, by their
stems, and values; words that say the same in lay and clinical language are one unit.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

from exaid_evals.concepts import context, negation
from exaid_evals.concepts.base import AnnotatingExtractor, Extractor, Mention
from exaid_evals.concepts.tokens import JOIN, STOP, Tokenizer, Tokens
from exaid_evals.factuality.words import (
    ABBREVIATED,
    CHANGES,
    DENYING_ABBREVIATIONS,
    DENYING_WORDS,
    NO_WORDS,
    NOTHING_WORDS,
    NOTHING_WRONG_WORDS,
    SIDES,
    STOP_WORDS,
    SUPPOSED,
    TIMES,
    content_key,
    read_value,
)

NOTHING_WRONG = "#normal"
"""The unit of words that report the absence of anything wrong."""

# What these find is replaced by as many characters, so that no offset moves.
_LIST_NUMBER = re.compile(r"(?m)(?:^|(?<=[.:;]\s)|(?<=[.:;]\s\s))\(?\d{1,2}[.)](?=\s|$)")
_NON = re.compile(r"\bnon(-?)(contributory\b|(?=[a-z]{4}))", re.IGNORECASE)
_SPELLED_OUT = re.compile(r"\b(?:[A-Z] ){1,4}[A-Z]\b")  # E K G, as speech is written down
_LONGEST_HEADING = 2
_REMEMBERED = 5_000
"""Texts; each is some hundred units."""
_BEFORE_POSSIBLE = frozenset(["as", "if", "when", "where"])
_ASKING_LEAVE = frozenset(["i", "we"])
"""Behind *may* these ask for leave: *may I ask*."""
_BEFORE_IF = frozenset(["as", "even"])
"""With *if* these suppose nothing."""
_RULING = frozenset(["rule", "ruled", "ruling"])
"""With *out* these name what is supposed, or was."""
_CHANGE_KEYS = frozenset(map(content_key, CHANGES))
_EMPTY = STOP_WORDS.union(SIDES, TIMES)
KIN = frozenset(map(content_key, context.RELATIVES))
"""Keys of words that name relatives."""
_HABITS = frozenset(map(content_key, ["smokes", "drinks"]))
"""Of a relative that stands before them: *her father smokes*."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A word or value that carries content, where it stands.

    Attributes:
        key: what it is compared by; digits, or a date, for a value.
        start: first code point.
        denied: whether the text denies it.
        other: whether it is said of somebody else than the patient.
        measure: of a value its unit (`mg`, `year`, `date`); empty where none follows.
        concepts: ids of the concepts of whose mention it is part.
    """

    key: str
    start: int = 0
    denied: bool = False
    other: bool = False
    measure: str = ""
    concepts: frozenset[str] = frozenset()

    @property
    def is_value(self) -> bool:
        """Whether it is a number or a date."""
        return self.key[0].isdigit()


@dataclass(frozen=True, slots=True)
class Statement:
    """A part of a sentence that can be true or false.

    Attributes:
        text: as it stands there.
        start: its first code point.
        units: not empty, in order.
        times: of its sentence, whether something is yet to be done, has been done, or is only supposed.
        sides: left, right, or both.
        changes: whether something begins or ends.
    """

    text: str
    start: int
    units: tuple[Unit, ...]
    times: frozenset[str] = frozenset()
    sides: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Content:
    """A text, read.

    Attributes:
        statements: in order.
        denies: whether it denies anything at all.
        denies_all: whether *none* is all it says.
    """

    statements: tuple[Statement, ...] = ()
    denies: bool = False
    denies_all: bool = False

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Units of all statements, in order."""
        return tuple(unit for statement in self.statements for unit in statement.units)

    @cached_property
    def values(self) -> frozenset[tuple[str, str]]:
        """Number and unit of each value that has a unit, dates included."""
        return frozenset((unit.key, unit.measure) for unit in self.units if unit.is_value and unit.measure)


class Reader:
    """Reads texts, and remembers what it has read.

    Args:
        extractor: finds concepts; those that a text denies only where it shows them.
    """

    def __init__(self, extractor: Extractor) -> None:
        self._find = extractor.annotate if isinstance(extractor, AnnotatingExtractor) else extractor.mentions
        self._tokenize = Tokenizer()
        self._read: dict[str, Content] = {}

    def __call__(self, text: str) -> Content:
        """Read a text."""
        known = self._read.get(text)  # another thread may forget all at any time
        if known is None:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            known = self._read[text] = self._content(text)
        return known

    def _content(self, text: str) -> Content:
        plain = _LIST_NUMBER.sub(lambda found: " " * len(found[0]), text)
        plain = _SPELLED_OUT.sub(lambda found: found[0].replace(" ", "").ljust(len(found[0])), plain)
        plain = _NON.sub(lambda found: ("noncontributory" if found[2] else "no ").ljust(len(found[0])), plain)
        tokens = self._tokenize(plain)
        mentions = sorted(self._find([text])[0], key=lambda one: one.start)
        starts = [one.start for one in mentions]
        statements: list[Statement] = []
        sentences = _without_speakers(tokens)
        for (begin, end), answer in zip_longest(sentences, sentences[1:]):
            refused = answer is not None and tokens.words[end] == "?" and tokens.words[answer[0]] in NO_WORDS
            first, last = (bisect_left(starts, at) for at in (tokens.starts[begin], tokens.end(end - 1)))
            units = list(_units(tokens, begin, end, mentions[first:last], refused=refused))
            times = frozenset(_times(tokens, begin, end))
            within = {index for (first, last), _ in units for index in range(first, last)}
            of_sentence: list[Statement] = []
            for first, last in _parts(tokens, begin, end, within):
                inside = tuple(unit for (index, _), unit in units if first <= index < last)
                words = tokens.words[first:last]
                changes = frozenset(CHANGES[word] for word in words if word in CHANGES)
                if changes and of_sentence and not any(_has_object(unit) for unit in inside):  # started, and later quit
                    of_sentence[-1] = replace(of_sentence[-1], changes=of_sentence[-1].changes | changes)
                if inside:
                    start = tokens.starts[first]
                    sides = frozenset(SIDES[word] for word in words if word in SIDES)
                    guarded = (
                        times | {SUPPOSED} if words[0] == "if" and tokens.words[end : end + 1] != ("?",) else times
                    )
                    shown = text[start : tokens.end(last - 1)]
                    of_sentence.append(Statement(shown, start, inside, guarded, sides, changes))
            statements += of_sentence
        said = {word for word in tokens.words if word.isalpha()}
        return Content(tuple(statements), not said.isdisjoint(DENYING_WORDS), bool(said) and said <= NOTHING_WORDS)


def _without_speakers(tokens: Tokens) -> list[tuple[int, int]]:
    """Return the sentences; what stands before a colon, and recurs there, names who speaks."""
    sentences = tokens.sentences()
    heads = [tokens.words[begin:end] if tokens.words[end : end + 1] == (":",) else () for begin, end in sentences]
    counts = Counter(heads)
    return [
        sentence
        for sentence, head in zip(sentences, heads, strict=True)
        if not head or len(head) > _LONGEST_HEADING or counts[head] == 1
    ]


def _times(tokens: Tokens, begin: int, end: int) -> Iterator[str]:
    """Yield what a sentence's words say of the time; *in May*, *may I* and *as soon as possible* suppose nothing."""
    for index in range(begin, end):
        word, before = tokens.words[index], tokens.words[index - 1] if index > begin else ""
        month = before and tokens.spelled[index] == "May"
        leave = word in ("may", "might") and tokens.words[index + 1] in _ASKING_LEAVE
        if word in TIMES and not (month or leave) and not (word == "possible" and before in _BEFORE_POSSIBLE):
            yield TIMES[word]
        elif word == "out" and before in _RULING:
            yield SUPPOSED


def _has_object(unit: Unit) -> bool:
    """Whether a unit may be what begins or ends."""
    return bool(unit.concepts) and not unit.is_value and unit.key not in _CHANGE_KEYS


def _parts(tokens: Tokens, begin: int, end: int, within: Set[int]) -> Iterator[tuple[int, int]]:
    """Yield half-open ranges of tokens between conjunctions and marks, and before *if*, but for those within values."""
    first = begin
    for index in range(begin, end + 1):
        if first < index < end and tokens.words[index] == "if" and tokens.words[index - 1] not in _BEFORE_IF:
            yield first, index
            first = index
        if index == end or (tokens.kinds[index] in (JOIN, STOP) and index not in within):
            if index > first:
                yield first, index
            first = index + 1


def _units(
    tokens: Tokens, begin: int, end: int, mentions: Sequence[Mention], *, refused: bool
) -> Iterator[tuple[tuple[int, int], Unit]]:
    """Yield the units of a sentence, each with its range of tokens; a question that *no* answers denies them."""
    found = list(_keys(tokens.words, begin, end))
    words = list(tokens.words[begin:end])
    spans = [(first - begin, last - begin) for (first, last), _, _ in found]
    denied = negation.denied(words, spans)
    # A relative is no finding here, though it is a unit; and *it* may be the patient's: it hurts, we call it gout.
    apart = [
        place
        for place, (first, _) in enumerate(spans)
        if found[place][1] not in KIN and words[max(0, first - 1) : first] != ["it"]
    ]
    others = {apart[place] for place in context.of_others(words, [spans[place] for place in apart])}
    others |= {
        place
        for place, ((first, _), key, _) in enumerate(found)
        if key in _HABITS and first > begin and tokens.words[first - 1] in context.RELATIVES
    }
    for place, ((first, last), key, measure) in enumerate(found):
        start, behind = tokens.starts[first], tokens.end(last - 1)
        concepts = frozenset(one.concept_id for one in mentions if one.start < behind and start < one.end)
        no = place in denied
        if tokens.words[first] in DENYING_ABBREVIATIONS:
            no = tokens.words[first - 1 : first] != ("not",)
        yield (first, last), Unit(key, start, no != refused, place in others, measure, concepts)


def _keys(words: Sequence[str], begin: int, end: int) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Yield the range of each word or value that carries content, its key, and the unit of a value."""
    index = begin
    while index < end:
        word, behind = words[index], index + 1
        if value := read_value(words, index, end):
            yield (index, value.end), value.number, value.unit
            behind = value.end
        elif word in NOTHING_WRONG_WORDS:
            yield (index, behind), NOTHING_WRONG, ""
        elif len(word) > 1 and word[0].isalpha() and word not in _EMPTY:
            for meant in ABBREVIATED.get(word, (word,)):
                yield (index, behind), content_key(meant), ""
        index = behind

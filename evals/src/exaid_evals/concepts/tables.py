"""What the lexicon looks up, as it is kept on disk."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

STRICT, JOINED, CAPITALISED, PLURAL, DERIVED, ORDERED, CLOSED = 1, 2, 4, 8, 16, 32, 64
"""Flags of an entry: its words must be those of the text; it is a coordination; a capital; a plural; it follows from
other names by rule, and is none itself; its words are kept in order, since left and right must stand in theirs;
no other word of weight follows."""

_SPARE = 10  # tokens that a phrase may span beyond its own words

# The garbage collector does not look through strings, nor for long through tuples of them, and there are many.
Phrase = tuple[str, str | None, tuple[str, ...]]
"""Key of a phrase, its third rarest stem if it has three, and all of them."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What the extractor looks up.

    Attributes:
        phrases: stems of a phrase, sorted and joined → its entries, as `packed` gives them, best first.
        anchors: the rarest stem of a phrase of several → its next rarest → the phrases that hold both, a line each,
            those of three words and more with the third rarest and a bar in front.
        stems: all stems of phrases.
        acronyms: acronym as it is written → concept id; a question mark before it says that it has other meanings.
        parents: phenotype → ids directly above it, with spaces between.
    """

    phrases: dict[str, str]
    anchors: dict[str, dict[str, str]]
    stems: list[str]
    acronyms: dict[str, str]
    parents: dict[str, str]


def packed(entries: Iterable[tuple[str, str, int]]) -> str:
    """Put entries into a string: concept id, its words' keys, flags."""
    return "\n".join(f"{concept_id}\t{words}\t{flags}" for concept_id, words, flags in entries)


def unpacked(entries: str) -> list[tuple[str, str, int]]:
    """Return the entries that a string holds."""
    return [(target, words, int(flags)) for target, words, flags in (line.split("\t") for line in entries.split("\n"))]


def phrases_in(lines: str) -> tuple[Phrase, ...]:
    """Return the phrases of a pair of stems, as the anchors have them."""
    parts = [line.rpartition("|") for line in lines.split("\n")]
    return tuple([(key, third or None, tuple(key.split(" "))) for third, _, key in parts])


def complete_phrases(
    present: set[str], pairs: Iterable[tuple[str, Sequence[Phrase], str]]
) -> list[tuple[str, str, Phrase]]:
    """Return the phrases all of whose words a sentence has, each behind its two rarest.

    Args:
        present: stems of the sentence.
        pairs: two of them, and between them the phrases that hold both.
    """
    return [
        (anchor, second, phrase)
        for anchor, phrases, second in pairs
        for phrase in phrases
        if phrase[1] is None or (phrase[1] in present and present.issuperset(phrase[2]))
    ]


def candidates(
    where: Mapping[str, Sequence[int]], complete: Iterable[tuple[str, str, Phrase]]
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield the places of each phrase whose words are near to each other, and its key.

    Args:
        where: the places of each stem of the sentence.
        complete: as `complete_phrases` gives them.
    """
    for anchor, second, (key, third, words) in complete:
        if third is None:
            for one in where[anchor]:
                other = _nearest(where[second], one)
                if abs(one - other) <= 2 + _SPARE:
                    yield ((one, other) if one < other else (other, one)), key
        else:
            for one in where[anchor]:
                places = sorted([one if word == anchor else _nearest(where[word], one) for word in words])
                if places[-1] - places[0] <= len(places) + _SPARE:
                    yield tuple(places), key


def _nearest(places: Sequence[int], place: int) -> int:
    """Return the nearest of some places in order; of two the first."""
    at = bisect_left(places, place)
    if at == len(places):
        return places[-1]
    return places[at - 1] if at and place - places[at - 1] <= places[at] - place else places[at]

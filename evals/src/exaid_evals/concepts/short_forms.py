"""Abbreviations: those that a text introduces itself, and acronyms that the vocabulary lists.

Source of the alignment: A. S. Schwartz, M. A. Hearst: A simple algorithm for identifying abbreviation definitions in
biomedical text. Pacific Symposium on Biocomputing 8 (2003) 451–462. There the long form is found in free text; here
the vocabulary's match just before the bracket is a candidate too, which settles where it begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.tokens import PART_END, STOP, Tokens

_OPEN, _CLOSE = frozenset("(["), frozenset(")],")


def singular(short: str) -> str:
    """An acronym without the s of its plural: VSDs, SLEs."""
    return short[:-1] if len(short) > 2 and short.endswith("s") and short[:-1].isupper() else short


def aligned(short: str, long: str) -> bool:
    """Whether a short form's letters occur in order in a long form, the first at its very beginning.

    Args:
        short: *VSD*.
        long: *ventricular septal defect*.
    """
    letters = [character for character in short.lower() if character.isalnum()]
    text = long.lower()
    position = len(text)
    for letter in reversed(letters[1:]):
        position = text.rfind(letter, 0, position)
        if position <= 0:
            return False
    return bool(letters) and text.startswith(letters[0])


def definitions(tokens: Tokens, matches: Sequence[Match]) -> dict[int, tuple[str, str | None]]:
    """Short forms that a text introduces: ``long form (SF)`` and ``SF (long form)``.

    Returns:
        Index of the token that introduces it → short form and concept id, in order. The id is None where the long form
        is in no vocabulary, so that the short form means something else in this text than in the vocabulary.
    """
    ending = {match.last: match for match in matches if not match.nested}
    beginning = {match.first: match for match in matches if not match.nested}
    text, words, kinds = tokens.text, tokens.words, tokens.kinds
    found: dict[int, tuple[str, str | None]] = {}
    for index, spelled in tokens.short_forms.items():
        short = singular(spelled)
        if (
            index >= 2
            and words[index - 1] in _OPEN
            and (words[index + 1] in _CLOSE or (kinds[index + 1] == STOP and words[index + 1] != PART_END))
        ):
            match = ending.get(index - 1)
            if match is not None and aligned(short, text[tokens.starts[match.first] : tokens.end(match.last - 1)]):
                found[index] = (short, match.concept_id)
                continue
            first = max(0, index - 1 - min(len(short) + 5, 2 * len(short)))
            for start in range(index - 2, first - 1, -1):
                if kinds[start] == STOP:
                    break
                if aligned(short, text[tokens.starts[start] : tokens.end(index - 2)]):
                    found[index] = (short, None)
                    break
        elif words[index + 1] in _OPEN:
            match = beginning.get(index + 2)
            if match is not None and aligned(short, text[tokens.starts[match.first] : tokens.end(match.last - 1)]):
                found[index] = (short, match.concept_id)
    return found


def resolve(
    tokens: Tokens,
    matches: Sequence[Match],
    local: Mapping[int, Mapping[str, str | None]],
    acronyms: Mapping[str, str],
) -> list[Match]:
    """Add the matches of short forms.

    Args:
        tokens: of a text.
        matches: phrases found, in order; a short form inside one stays part of it, unless it is the whole phrase.
        local: for each token of a short form those that are introduced around it, and their concepts.
        acronyms: upper-case acronyms of the vocabulary, with the concept that each one names.

    Returns:
        All matches, in order.
    """
    taken = {index for match in matches if match.last - match.first > 1 for index in range(match.first, match.last)}
    meant: dict[int, str | None] = {}
    for index, spelled in tokens.short_forms.items():
        if index in taken:
            continue
        short, introduced = singular(spelled), local[index]
        if short in introduced:
            meant[index] = introduced[short]
        elif short in acronyms and not _shouted(tokens, index):
            meant[index] = acronyms[short]
    if not meant:
        return list(matches)
    found = [match for match in matches if match.first not in meant]
    found += [Match(index, index + 1, concept) for index, concept in meant.items() if concept is not None]
    return sorted(found, key=lambda match: (match.first, match.last, match.concept_id))


def _shouted(tokens: Tokens, index: int) -> bool:
    """Whether a neighbour is a longer word in capitals, so that capitals say nothing here: a heading."""
    neighbours = (tokens.short_forms.get(index - 1, ""), tokens.short_forms.get(index + 1, ""))
    return any(len(word) > 5 and word.isupper() for word in neighbours)

"""Abbreviations: those that a text introduces itself, and acronyms that the vocabulary lists.

Source of the alignment: A. S. Schwartz, M. A. Hearst: A simple algorithm for identifying abbreviation definitions in
biomedical text. Pacific Symposium on Biocomputing 8 (2003) 451–462. There the long form is found in free text; here
the vocabulary's match just before the bracket is a candidate too, which settles where it begins.
"""

from __future__ import annotations

from collections.abc import Mapping

from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.tokens import CLOSE, OPEN, STOP, Tokens


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


def definitions(text: str, tokens: Tokens, matches: list[Match]) -> dict[str, str | None]:
    """Short forms that a text introduces: ``long form (SF)`` and ``SF (long form)``.

    Returns:
        Short form to concept id; None where the long form is in no vocabulary, so that the short form means
        something else in this text than in the vocabulary.
    """
    ending = {match.last: match for match in matches}
    beginning = {match.first: match for match in matches}
    codes = tokens.codes
    found: dict[str, str | None] = {}
    for index, spelled in tokens.short_forms.items():
        short = singular(spelled)
        if (
            index >= 2
            and codes[index - 1] == OPEN
            and index + 1 < len(codes)
            and codes[index + 1] in (CLOSE, ",", STOP)
        ):
            match = ending.get(index - 1)
            if match is not None and aligned(short, text[tokens.starts[match.first] : tokens.ends[match.last - 1]]):
                found.setdefault(short, match.concept_id)
                continue
            first = max(0, index - 1 - min(len(short) + 5, 2 * len(short)))
            for start in range(index - 2, first - 1, -1):
                if codes[start] == STOP:
                    break
                if aligned(short, text[tokens.starts[start] : tokens.ends[index - 2]]):
                    found.setdefault(short, None)
                    break
        elif index + 2 < len(codes) and codes[index + 1] == OPEN:
            match = beginning.get(index + 2)
            if match is not None and aligned(short, text[tokens.starts[match.first] : tokens.ends[match.last - 1]]):
                found.setdefault(short, match.concept_id)
    return found


def resolve(text: str, tokens: Tokens, matches: list[Match], acronyms: Mapping[str, str]) -> list[Match]:
    """Add the matches of short forms.

    Args:
        text: the text.
        tokens: its tokens.
        matches: phrases found, in order; a short form inside one stays part of it, unless it is the whole phrase.
        acronyms: upper-case acronyms of the vocabulary, with the concept that each one names.

    Returns:
        All matches, in order.
    """
    local = definitions(text, tokens, matches)
    taken = {index for match in matches if match.last - match.first > 1 for index in range(match.first, match.last)}
    kept = {match.first: match for match in matches}
    for index, spelled in tokens.short_forms.items():
        if index in taken:
            continue
        short = singular(spelled)
        if short in local:
            concept = local[short]
            kept.pop(index, None)
        else:
            concept = None if _shouted(tokens, index) else acronyms.get(short)
        if concept is not None:
            kept[index] = Match(index, index + 1, concept)
    return [kept[first] for first in sorted(kept)]


def _shouted(tokens: Tokens, index: int) -> bool:
    """Whether a neighbour is a longer word in capitals, so that capitals say nothing here: a heading."""
    neighbours = (tokens.short_forms.get(index - 1, ""), tokens.short_forms.get(index + 1, ""))
    return any(len(word) > 5 and word.isupper() for word in neighbours)

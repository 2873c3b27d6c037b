"""Abbreviations: those that a text introduces itself, and acronyms that the vocabulary lists.

Source of the alignment: A. S. Schwartz, M. A. Hearst: A simple algorithm for identifying abbreviation definitions in
biomedical text. Pacific Symposium on Biocomputing 8 (2003) 451–462. There the long form is found in free text; here
the vocabulary's match just before the bracket is a candidate too, which settles where it begins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from exaid_evals.concepts.context import RELATIVES
from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.negation import phrases
from exaid_evals.concepts.tokens import CONTENT, JOIN, PART_END, STOP, Tokens
from exaid_evals.ontologies.base import Term

_OPEN, _CLOSE = frozenset("(["), frozenset(")],")
_FINDINGS = ("HP:", "MESH:")
_INTRODUCING = phrases(
    "h / o,s / p,c / o,r / o,w /,hx of,history of,hx,dx,dx of,diagnosis of,diagnosed with,known,acute,prior,previous,"
    "recent,chronic,old,possible,probable,suspected,likely,no,denies,without,negative for,positive for,ruled out for,"
    "with,has,had,vs,versus,pmh :,pmhx :,fh :,fhx :,history :,hx :,dx :,ddx :,diagnosis :,diagnoses :,assessment :,"
    "impression :,problems :"
)
"""What introduces a diagnosis or a complaint."""
_GOING_ON = frozenset(
    """
    diagnosed treated repair repaired complicated years ago last in since then vs versus x exacerbation likely unlikely
    """.split()  # noqa: SIM905
)
_YEAR = re.compile(r"(?:19|20)\d\d")


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


def is_initialism(name: str, term: Term) -> bool:
    """Whether a one-word name is made of the initials of another name of the same term, or nearly so."""
    if not (2 <= len(name) <= 7 and name.isalnum()):
        return False
    others = [other for other in (term.name, *term.synonyms) if "," not in other and " " in other]
    parts = [re.findall(r"[^\W_]+", other.lower()) for other in others]
    if any(part.startswith(name.lower()[:-1]) for words in parts for part in words):
        return False  # apraxia beside "ideational apraxias": a word
    return any(
        aligned(name, other)
        and 3 * sum(letter in {word[0] for word in words} for letter in name.lower()) >= 2 * len(name)
        for other, words in zip(others, parts, strict=True)
    )


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
        acronyms: those of the vocabulary, as `Tables` has them.

    Returns:
        All matches, in order.
    """
    taken = {index for match in matches if match.last - match.first > 1 for index in range(match.first, match.last)}
    meant: dict[int, str | None] = {}
    doubtful: dict[int, str] = {}
    for index, spelled in tokens.short_forms.items():
        if index in taken:
            continue
        short, introduced = singular(spelled), local[index]
        if short in introduced:
            meant[index] = introduced[short]
        elif _shouted(tokens, index):
            continue
        elif short in acronyms:
            meant[index] = acronyms[short]
        elif f"?{short}" in acronyms:
            doubtful[index] = acronyms[f"?{short}"]
    if doubtful:
        meant |= _diagnoses(tokens, [match for match in matches if match.first not in meant], doubtful, meant)
    if not meant:
        return list(matches)
    found = [match for match in matches if match.first not in meant]
    found += [Match(index, index + 1, concept) for index, concept in meant.items() if concept is not None]
    return sorted(found, key=lambda match: (match.first, match.last, match.concept_id))


def _diagnoses(
    tokens: Tokens, matches: Sequence[Match], doubtful: Mapping[int, str], meant: Mapping[int, str | None]
) -> dict[int, str]:
    """Return which short forms with several meanings name a diagnosis: introduced as one, or listed with findings."""
    words, kinds = tokens.words, tokens.kinds
    findings = [match for match in matches if match.concept_id.startswith(_FINDINGS)]
    ends = {match.last for match in findings} | {index + 1 for index, concept in meant.items() if concept}
    begins = {match.first for match in findings} | {index for index, concept in meant.items() if concept}
    drugs = {match.first for match in matches} - begins
    found: dict[int, str] = {}

    def named(index: int) -> bool:
        before, after = words[max(0, index - 4) : index], words[index + 1]
        if after == ":" or (kinds[index + 1] == CONTENT and after not in _GOING_ON and not _YEAR.fullmatch(after)):
            return False
        listed = (kinds[index - 1] == JOIN and index - 1 in ends) if index else False
        listed = listed or (kinds[index + 1] == JOIN and index + 2 in begins)
        treated = after == "on" and index + 2 in drugs
        head, mark = before[-2:] if len(before) > 1 else ("", "")
        item = (mark == "-" and head in RELATIVES) or (mark == ")" and head.isdigit())
        return listed or treated or item or any(before[-len(cue) :] == cue for cue in _INTRODUCING)

    while newly := {index: concept for index, concept in doubtful.items() if index not in found and named(index)}:
        found |= newly
        ends |= {index + 1 for index in newly}
        begins |= newly.keys()
    return found


def letters(tokens: Tokens, acronyms: Mapping[str, str]) -> list[Match]:
    """Find *N/V* and *N/V/D*."""
    found, words = list[Match](), tokens.words
    for first in [index for index, word in enumerate(words[:-2]) if word == "n"] if "N/V" in acronyms else ():
        if words[first + 1] in "/&" and words[first + 2] == "v":
            found.append(Match(first, first + 3, acronyms["N/V"]))
            if words[first + 3 : first + 5] == ("/", "d") and "/D" in acronyms:
                found.append(Match(first + 4, first + 5, acronyms["/D"]))
    return found


def _shouted(tokens: Tokens, index: int) -> bool:
    """Whether a neighbour is a longer word in capitals, so that capitals say nothing here: a heading."""
    neighbours = (tokens.short_forms.get(index - 1, ""), tokens.short_forms.get(index + 1, ""))
    return any(len(word) > 5 and word.isupper() for word in neighbours)

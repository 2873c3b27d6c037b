"""Which concepts a text affirms of the patient: not those that it denies, supposes, or says of somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.concepts import experiencer, negation
from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.tokens import Tokens

_TESTS = frozenset("marker markers panel panels screening vaccine vaccines vaccination prophylaxis clinic".split())  # noqa: SIM905
"""Behind a concept these make it part of their own name: tumor markers are not tumor."""

_ANSWERS = frozenset("none negative absent denied denies nil".split())  # noqa: SIM905
"""As the whole answer behind a colon these deny what stands before it."""

_TRIGGER_WORDS = negation.TRIGGER_WORDS | experiencer.TRIGGER_WORDS | _TESTS
"""The words that triggers begin with: a sentence without one of them is not looked at any closer."""


def not_affirmed(tokens: Tokens, matches: Sequence[Match]) -> tuple[frozenset[int], frozenset[int]]:
    """Find the matches that a text denies, and those that it supposes against the facts or says of somebody else.

    Args:
        tokens: of the text.
        matches: phrases found, ordered by first token.

    Returns:
        Indices into `matches`: of what is denied, and of what is not said of the patient.
    """
    denied: set[int] = set()
    others: set[int] = set()
    first = 0
    for begin, end in tokens.sentences():
        last = first
        while last < len(matches) and matches[last].first < end:
            last += 1
        words = list(tokens.words[begin:end]) if last > first else []
        if words and not _TRIGGER_WORDS.isdisjoint(words):
            spans = [(match.first - begin, match.last - begin) for match in matches[first:last]]
            tests = {index for index, (_, after) in enumerate(spans) if after < len(words) and words[after] in _TESTS}
            denied.update(first + index for index in negation.denied(words, spans))
            others.update(first + index for index in experiencer.of_others(words, spans) | tests)
        if last > first and _answered_no(tokens, end):
            denied.update(index for index in range(first, last) if matches[index].last == end)
        first = last
    return frozenset(denied), frozenset(others)


def _answered_no(tokens: Tokens, end: int) -> bool:
    """Whether a colon and a denial follow: *allergies: none*."""
    words, behind = tokens.words, end + 2
    if end + 1 >= len(words) or words[end] != ":" or words[end + 1] not in _ANSWERS:
        return False
    return behind == len(words) or not words[behind].isalnum()

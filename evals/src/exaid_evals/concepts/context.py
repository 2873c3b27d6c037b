"""Which concepts a text affirms of the patient: not those that it denies, supposes, or says of somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.concepts import experiencer, negation
from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.normalize import word_key
from exaid_evals.concepts.tokens import STOP, Tokens

_TESTS = frozenset("marker markers panel panels screening vaccine vaccines vaccination prophylaxis clinic".split())  # noqa: SIM905
"""Behind a concept these make it part of their own name: tumor markers are not tumor."""

# Keys of the words that triggers begin with: a sentence without one of them is not looked at any closer.
_TRIGGER_CODES = frozenset(word_key(word) for word in negation.TRIGGER_WORDS | experiencer.TRIGGER_WORDS | _TESTS)


def not_affirmed(text: str, tokens: Tokens, matches: Sequence[Match]) -> tuple[frozenset[int], frozenset[int]]:
    """Find the matches that a text denies, and those that it supposes against the facts or says of somebody else.

    Args:
        text: the text.
        tokens: its tokens.
        matches: phrases found in it, in order, not overlapping.

    Returns:
        Indices into `matches`: of what is denied, and of what is not said of the patient.
    """
    denied: set[int] = set()
    others: set[int] = set()
    codes = tokens.codes
    first = 0
    while first < len(matches):
        # The sentence around the next match; most sentences hold no trigger and cost no more than this.
        begin = matches[first].first
        while begin > 0 and codes[begin - 1] != STOP:
            begin -= 1
        end = matches[first].last
        while end < len(codes) and codes[end] != STOP:
            end += 1
        last = first
        while last < len(matches) and matches[last].first < end:
            last += 1
        if _TRIGGER_CODES.isdisjoint(codes[begin:end]):
            first = last
            continue
        words = [text[tokens.starts[i] : tokens.ends[i]].lower() for i in range(begin, end)]
        for i in range(begin, end):
            if codes[i] == "not":
                words[i - begin] = "not"  # n't
        spans = [(match.first - begin, match.last - begin) for match in matches[first:last]]
        tested = {index for index, (_, behind) in enumerate(spans) if behind < len(words) and words[behind] in _TESTS}
        denied.update(first + index for index in negation.denied(words, spans))
        others.update(first + index for index in experiencer.of_others(words, spans) | tested)
        first = last
    return frozenset(denied), frozenset(others)

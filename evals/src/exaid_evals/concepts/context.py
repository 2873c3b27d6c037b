"""Which concepts a text affirms of the patient: not those that it denies, supposes, or says of somebody else.

Of somebody else, after ConText: H. Harkema, J. N. Dowling, T. Thornblade, W. W. Chapman: ConText: an algorithm for
determining negation, experiencer, and temporal status from clinical reports. J Biomed Inform 42 (2009) 839–851. As
there, a trigger reaches from where it stands to a terminating term or the end of the sentence. Unlike there, a relative
is a trigger only as the subject of having something or as the place where it occurred (*her mother had seizures*,
*seizures in two siblings*), since relatives mostly report what they saw (*her mother noticed seizures*).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_

from exaid_evals.concepts import negation
from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.tokens import Tokens

RELATIVES = frozenset(
    """
    mother father parent parents brother brothers sister sisters sibling siblings aunt aunts uncle uncles cousin cousins
    grandmother grandfather grandparent grandparents niece nephew twin relative relatives family families
    generation generations husband wife spouse
    """.split()  # noqa: SIM905 - a word list reads better than quoted strings
)
_HAVING = frozenset("had has have having suffered suffers suffering died developed with diagnosed affected".split())  # noqa: SIM905
_BETWEEN = frozenset("who also was were is are been had has have likewise both all each never".split())  # noqa: SIM905
# What leads back to the patient, or opens a clause of its own.
_ENDS = frozenset(
    """
    patient patient's he she child girl boy infant neonate presented presents presenting admitted referred complained
    but however although though while whereas because since i we
    """.split()  # noqa: SIM905
)
_ABOUT_OTHERS = (("family", "history"), ("family", "histories"))
_ASKING = frozenset("ask asked asking question questioned".split())  # noqa: SIM905
_IF_AGAINST_FACTS = frozenset(["had", "were"])
_SUBJECTS = frozenset(["there", "he", "she", "it", "they", "we", "the"])
_APPOSED = ((",", "a"), (",", "an"), (",", "the"), (",", "aged"), (",", "who"))
_MOST_APPOSED = 10
_HEADING = 5  # words and the colon behind them
_MOST_BETWEEN = 4
_MOST_BEHIND = 12
_CLAUSE_ENDS = frozenset([",", ";"])

_TESTS = frozenset("marker markers panel panels screening vaccine vaccines vaccination prophylaxis clinic".split())  # noqa: SIM905
"""Behind a concept these make it part of their own name: tumor markers are not tumor."""

_ANSWERS = frozenset("none negative absent denied denies nil".split())  # noqa: SIM905
"""As the whole answer behind a colon these deny what stands before it."""

_DENIES, _OF_OTHERS, _AGAINST_FACTS, _TEST = 1, 2, 4, 8
"""What a word may begin, the third at the head of a sentence alone: one without them says all of the patient."""


def _trigger(word: str) -> int:
    return (
        (word in negation.TRIGGER_WORDS) * _DENIES
        | (word in RELATIVES or word == "it") * _OF_OTHERS
        | (word in _IF_AGAINST_FACTS) * _AGAINST_FACTS
        | (word in _TESTS) * _TEST
    )


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
    ids, known, ends = tokens.ids, tokens.lexemes.words, tokens.ends
    triggers = tokens.lexemes.column(_trigger)
    first, n = 0, len(matches)
    while first < n:
        sentence = bisect_left(ends, matches[first].first)
        begin, end = ends[sentence - 1] + 1 if sentence else 0, ends[sentence]
        last = first + 1
        while last < n and matches[last].first < end:
            last += 1
        kinds = {triggers[number] for number in ids[begin:end]}
        if len(kinds) > 1 or 0 not in kinds:
            words = [known[number] for number in ids[begin:end]]
            spans = [(match.first - begin, match.last - begin) for match in matches[first:last]]
            kind = reduce(or_, kinds)
            if kind & _DENIES:
                denied.update([first + index for index in negation.denied(words, spans)])
            if kind & _OF_OTHERS or words[0] in _IF_AGAINST_FACTS:
                others.update([first + index for index in of_others(words, spans)])
            if kind & _TEST:
                behind = enumerate([after for _, after in spans])
                others.update(
                    [first + index for index, after in behind if words[after : after + 1] and words[after] in _TESTS]
                )
        if known[ids[end]] == ":" and _answered_no([known[number] for number in ids[end + 1 : end + 3]]):
            denied.update([index for index in range(first, last) if matches[index].last == end])
        if begin and known[ids[begin - 1]] == ":":
            before = [known[number] for number in ids[max(0, begin - _HEADING) : begin - 1]]
            if negation.denies_list(before):
                denied.update(range(first, last))
            if before and before[-1] in RELATIVES:  # "sister: diabetes"
                others.update(range(first, last))
        first = last
    minus = set(_minus_in_brackets(tokens))
    if minus:
        denied.update(
            [index for index, one in enumerate(matches) if not minus.isdisjoint((one.first - 2, one.last + 1))]
        )
    return frozenset(denied), frozenset(others)


def _minus_in_brackets(tokens: Tokens) -> Iterator[int]:
    """Yield the places of a minus that denies what stands beside it: *vomiting (-)*."""
    if "-" in tokens.lexemes:
        minus = tokens.lexemes["-"]
        for place in [index for index, number in enumerate(tokens.ids) if number == minus]:
            if tuple(tokens.spelled[max(0, place - 1) : place + 2]) == negation.MARK:
                yield place


def _answered_no(words: Sequence[str]) -> bool:
    """Whether what follows a colon is a denial and nothing else: *allergies: none*."""
    return words[0] in _ANSWERS and not words[1].isalnum()


def of_others(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> set[int]:
    """Return which concept spans of one sentence are not said of the patient, by index.

    Args:
        words: the sentence's words and marks in lower case.
        spans: half-open ranges of words, in order.
    """
    inside = frozenset(i for first, last in spans for i in range(first, last))
    found: set[int] = set()
    firsts = [first for first, _ in spans]
    widest: dict[int, int] = {}  # where scopes end, to where the first of them begins
    for low, high in _scopes(words, inside):
        widest[high] = min(low, widest.get(high, low))
    for high, low in widest.items():
        begin_there = range(bisect_left(firsts, low), bisect_left(firsts, high))
        found.update(index for index in begin_there if spans[index][1] <= high)
    # A finding directly behind *it* is the verb of a thing: an argument that gains weight.
    found.update(index for index, (first, _) in enumerate(spans) if first and words[first - 1] == "it")
    return found


def _scopes(words: Sequence[str], inside: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of words that speak of others, or of what would be if the facts were not what they are."""
    if len(words) > 1 and words[0] in _IF_AGAINST_FACTS and words[1] in _SUBJECTS:
        yield 1, _clause_end(words, 1)
    ends = [index for index, word in enumerate(words) if word in _ENDS]

    def end(start: int) -> int:
        return next(iter(ends[(at := bisect_left(ends, start)) : at + 1]), len(words))

    for position, word in enumerate(words):
        if word not in RELATIVES or position in inside:
            continue
        if tuple(words[position : position + 2]) in _ABOUT_OTHERS:
            yield position + 2, end(position + 2)
            continue
        if words[position + 1 : position + 2] == ["-"]:  # "grandmother - dementia"
            yield position + 2, end(position + 2)
        behind = _behind_having(words, position + 1)
        if behind is not None:
            # "Healthy parents with a …" may go on with the patient.
            close = behind + _MOST_BETWEEN if words[behind - 1] == "with" else len(words)
            yield behind, min(end(behind), close)
        before = list(words[max(0, position - _MOST_BETWEEN) : position])
        if "in" in before or "among" in before:
            yield _start(words, position - 1), position
        if _ASKING.intersection(before) and "about" in words[position + 1 : position + 3]:
            yield position + 2, end(position + 2)


def _behind_having(words: Sequence[str], start: int) -> int | None:
    """Return where begins what a relative has; None where the relative is not a subject of having."""
    if tuple(words[start : start + 2]) in _APPOSED:  # "her mother, a woman of 29, had"
        start = next((i + 1 for i in range(start + 1, start + _MOST_APPOSED) if words[i : i + 1] == [","]), start)
    position = start
    while position < len(words) and position - start < _MOST_BETWEEN:
        if words[position] in _HAVING:
            return position + 1
        if words[position] not in _BETWEEN and words[position] not in RELATIVES | {"and", "or"}:
            return None
        position += 1
    return None


def _clause_end(words: Sequence[str], start: int) -> int:
    return next((i for i in range(start, len(words)) if words[i] in _CLAUSE_ENDS), len(words))


def _start(words: Sequence[str], position: int) -> int:
    """Return where begins the clause that ends in *in her family*."""
    for i in range(position, max(-1, position - _MOST_BEHIND), -1):
        if words[i] in _ENDS or words[i] in _CLAUSE_ENDS or words[i] in ("had", "has", "have", "with"):
            return i + 1
    return max(0, position - _MOST_BEHIND)

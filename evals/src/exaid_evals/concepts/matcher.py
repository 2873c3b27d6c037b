"""Finding vocabulary phrases in tokens: leftmost, longest, in any word order, never overlapping."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from exaid_evals.concepts.tokens import CLOSE, COMMA, OPEN, SKIP, STOP, Tokens

EDGES = frozenset(["and", "or", "with", "without", "in", "on", "at", "to", "for", "by", "from", "as", "due", "during"])
"""Words that no phrase begins or ends with, whatever order its words have."""

# After one of these an inverted phrase has ended: "septal defect, ventricular." but not "cough, chronic bronchitis".
_PHRASE_ENDS = EDGES | {COMMA, STOP, OPEN, CLOSE, "was", "were", "is", "are"}


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase in a token list: the half-open range of its tokens, and the concept it names."""

    first: int
    last: int
    concept_id: str


def phrase_key(words: Sequence[str]) -> str:
    """Key of a phrase: its words, sorted, so that *enlarged kidney* and *kidney, enlarged* agree.

    Words of one or two characters say nothing alone and stay with the word before them (*vitamin d*, *type 2*).

    Args:
        words: word keys, at least one for a key that is not empty.
    """
    if len(words) == 1:
        return words[0]
    if min(map(len, words), default=3) < 3:
        units: list[str] = []
        for word in words:
            if units and len(word) < 3:
                units[-1] += "_" + word
            else:
                units.append(word)
        words = units
    return " ".join(sorted(words))


class Matcher:
    """Looks phrases up in tables.

    Args:
        table: phrase key to concept id.
        capitalised: the same for single words that count only when written with a capital.
        reach: for each word of any phrase, how many words the longest phrase that holds it has.
        modifiers: words that stand before a head: *ventricular*.
    """

    def __init__(
        self,
        table: Mapping[str, str],
        capitalised: Mapping[str, str],
        reach: Mapping[str, int],
        modifiers: Collection[str],
    ) -> None:
        self._table = table
        self._capitalised = capitalised
        self._reach = reach
        self._modifiers = frozenset(modifiers)

    def match(self, text: str, tokens: Tokens) -> list[Match]:
        """Find phrases: at each word the longest that begins there, then on behind it.

        A phrase is contiguous but for function words, and crosses no bracket and no end of a clause. It crosses at
        most one comma, and then only as a heading does, a head followed by modifiers that end the phrase: *septal
        defect, ventricular* is one, *broad thumb, clinodactyly* and *cough, chronic bronchitis* are not.
        """
        codes = tokens.codes
        reaches = list(map(self._reach.get, codes))
        lookup = self._table.get
        found: list[Match] = []
        n = len(codes)
        i = 0
        while i < n:
            limit = reaches[i]
            if limit is None or codes[i] in EDGES:
                i += 1
                continue
            best = lookup(codes[i])
            if best is None and codes[i] in self._capitalised and text[tokens.starts[i]].isupper():
                best = self._capitalised[codes[i]]
            end = i + 1
            if limit > 1:
                words = [codes[i]]
                comma = False
                j = i + 1
                while j < n:
                    code = codes[j]
                    reach = reaches[j]
                    if reach is None:
                        if code == SKIP:
                            j += 1
                            continue
                        if code == COMMA and not comma and codes[j - 1] not in self._modifiers:
                            comma = True
                            j += 1
                            continue
                        break
                    if comma and code not in self._modifiers:
                        break
                    if reach < limit:
                        limit = reach
                    if len(words) >= limit:
                        break
                    words.append(code)
                    j += 1
                    concept = lookup(phrase_key(words))
                    if concept is not None and code not in EDGES and (not comma or j >= n or codes[j] in _PHRASE_ENDS):
                        best, end = concept, j
            if best is None:
                i += 1
            else:
                found.append(Match(i, end, best))
                i = end
        return found

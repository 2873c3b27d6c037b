"""Finding vocabulary phrases in a text: in any word order, across function words, shared over coordinations.

The words of a phrase must stand in one noun phrase. Between them there may be function words and adverbs (*ears were
very low-set*), and one coordination of which each part shares the rest: *ear and kidney anomalies* names both, and so
do *short stature and limbs* and *anomalies of the ribs and spine*. A part that is a concept by itself shares nothing:
*hypotonia and facial weakness*.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, pairwise
from operator import not_
from typing import NamedTuple

from exaid_evals.concepts.neighbours import OTHER_CLAUSE, describes_next, inverted, parted
from exaid_evals.concepts.normalize import ABNORMAL, IMPAIRED, PART_KEYS, SPECIMENS, specific_alike
from exaid_evals.concepts.tables import (
    CAPITALISED,
    CLOSED,
    DERIVED,
    JOINED,
    ORDERED,
    PLURAL,
    STRICT,
    Phrase,
    Tables,
    candidates,
    complete_phrases,
    phrases_in,
    unpacked,
)
from exaid_evals.concepts.tokens import BREAK, CONJUNCTIONS, CONTENT, FREE, JOIN, Tokens

_REMEMBERED = 8192  # entries
_LONGEST_LIST = 5  # words that stand between a shared word and the rest
_LONGEST_PART = 3  # words of the last part of a coordination before the head
_SURELY_SPECIFIC = 2  # words without one that says only that something is wrong
_HEAD_OF = frozenset(["of", "in", "to", "on", "affecting"])
_ARTICLES = frozenset(["of", "the", "a", "an", "s", "its", "his", "her", "their", "-"])
_ONE_JOIN = (*([word] for word in (*CONJUNCTIONS, ",")), ["and", "/", "or"])
_SIDES = frozenset(["left", "right"])
_MAY_FOLLOW = frozenset(
    "yet at by in on with since due because until anymore after before when is was has had".split()  # noqa: SIM905
)
"""Behind a name that must close its phrase: *he does not talk at three years*, not *he does not talk about it*."""


class Match(NamedTuple):
    """A phrase in a token list, and the concept it names.

    Attributes:
        first, last: half-open range of its tokens.
        concept_id: the concept.
        nested: whether it lies within a longer phrase that says more.
    """

    first: int
    last: int
    concept_id: str
    nested: bool = False


class _Found(NamedTuple):
    """A phrase whose words stand in one noun phrase: its tokens in order, concept, flags, whether it is shared."""

    places: tuple[int, ...]
    concept_id: str
    flags: int
    shared: bool = False


class _Seconds(dict[str, frozenset[str]]):
    """Anchor → its second stems: two sets are compared by the smaller one, a set and a dict by the whole dict."""

    def __init__(self, anchors: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__()
        self._anchors = anchors

    def __missing__(self, anchor: str) -> frozenset[str]:
        seconds = self[anchor] = frozenset(self._anchors[anchor])
        return seconds


_Entry = tuple[str, tuple[str, ...], int]
"""Concept, keys of the name's words, flags."""
_UNKNOWN = ("", (), 0)


class Matcher:
    """Looks phrases up in tables.

    Args:
        tables: what to look up.
    """

    def __init__(self, tables: Tables) -> None:
        self._phrases = tables.phrases
        self._anchors = tables.anchors
        self._anchoring = frozenset(tables.anchors)
        self._second_to = _Seconds(tables.anchors)
        self._parents = tables.parents
        self._vocabulary = frozenset(tables.stems)
        self._ancestors: dict[str, frozenset[str]] = {}
        self._entries: dict[tuple[str, ...], _Entry | None] = {}
        self._pairs: dict[str, Sequence[Phrase]] = {}

    def match(self, tokens: Tokens) -> list[Match]:
        """Find phrases, ordered by first token; nested ones are marked."""
        for memory in (self._entries, self._pairs):
            if len(memory) > _REMEMBERED:
                memory.clear()
        stems, anchoring, second_to = tokens.stems, self._anchoring, self._second_to
        alone = compress(range(len(stems)), map(self._phrases.__contains__, stems))
        single, found = next(alone, len(stems)), list[Match]()
        for first, last in tokens.sentences():
            here = list[_Found]()
            while single < last:
                if entry := self._entry(tokens, (single,), stems[single]):
                    here.append(_Found((single,), *entry))
                single = next(alone, len(stems))
            present = set(stems[first:last])
            anchors = list(present & anchoring)
            without = list(map(present.isdisjoint, map(second_to.__getitem__, anchors)))
            if not all(without):
                pairs = [
                    (anchor, self._of_pair(anchor, second), second)
                    for anchor in compress(anchors, map(not_, without))
                    for second in second_to[anchor] & present
                ]
                if complete := complete_phrases(present, pairs):
                    where: dict[str, list[int]] = {}
                    for place in range(first, last):
                        where.setdefault(stems[place], []).append(place)
                    self._add_phrases(tokens, where, complete, here)
            if len(here) == 1:
                ((places, concept_id, _, _),) = here
                found.append(Match(places[0], places[-1] + 1, concept_id))
            elif here:
                found += self._resolve(tokens, here)
        return found

    def _of_pair(self, anchor: str, second: str) -> Sequence[Phrase]:
        lines = self._anchors[anchor][second]
        known = self._pairs.get(lines)
        if known is None:
            known = self._pairs[lines] = phrases_in(lines)
        return known

    def _add_phrases(
        self,
        tokens: Tokens,
        where: Mapping[str, Sequence[int]],
        phrases: Iterable[tuple[str, str, Phrase]],
        whole: list[_Found],
    ) -> None:
        """Add the phrases of a sentence, as far as their words stand in one noun phrase."""
        apart = []
        for places, key in candidates(where, phrases):
            gaps: list[list[int]] = []
            if places[-1] - places[0] >= len(places):
                gaps = _gaps(tokens, places)
                if gaps and JOIN not in tokens.kinds[places[0] : places[-1]]:
                    continue
            entry = self._entry(tokens, places, key)
            if entry is None:
                continue
            concept_id, flags = entry
            if flags & STRICT and not _contiguous(tokens, places):
                continue
            if parted(tokens, places, gaps):
                continue
            joined = flags & JOINED and all(_joined(tokens, gap) for gap in gaps)
            if not gaps or joined or (len(gaps) == 1 and inverted(tokens, places, gaps[0])):
                whole.append(_Found(places, concept_id, flags))
            elif len(gaps) == 1 and not flags & STRICT:
                apart.append((_Found(places, concept_id, flags, shared=True), gaps[0]))
        if apart:
            closed = {found.places[-1] for found in whole if not found.flags & (JOINED | STRICT)}
            opening = {found.places[0] for found in whole if len(found.places) > 1}
            # "Chest pain and short limbs" shares no word: the second begins a phrase of its own.
            apart = [one for one in apart if one[0].places[-1] not in opening or tokens.kinds[one[1][-1]] != JOIN]
            # "Hip, knee, and ankle with swollen joints and body pain": what is complete takes no part in a list.
            complete = sorted((one.places[0], one.places[-1]) for one in whole if len(one.places) > 1)
            apart = [one for one in apart if not _lies_in(one[1], complete)]
            whole += [found for found, gap in apart if self._shares(tokens, found.places, gap, closed)]
        denying = [found for found in whole if tokens.words[found.places[0]] == "absence"]
        for found in denying:  # "absence of neck stiffness" has no absence of a neck
            if any(one.places[0] == found.places[-1] and len(one.places) > 1 for one in whole):
                whole.remove(found)

    def _best(self, key: str, keys: tuple[str, ...], *, tight: bool) -> _Entry | None:
        """The entry that suits some words best, whether or not others stand between them; None where none does."""
        words = " ".join(sorted(keys))
        vague = len(keys) < _SURELY_SPECIFIC or not {ABNORMAL, IMPAIRED}.isdisjoint(key.split(" "))
        best: tuple[tuple[bool, int, int, bool], _Entry] | None = None
        entries = unpacked(self._phrases[key])
        for concept_id, spelled, flags in entries:
            if flags & ORDERED:
                named = spelled.split(" ")
                if [key for key in keys if key in _SIDES] != [key for key in named if key in _SIDES]:
                    continue
                if tight and keys[0] in SPECIMENS and named[-1] == keys[0]:
                    continue
                spelled = " ".join(sorted(spelled.split(" ")))
            if spelled != words and (flags & STRICT or (vague and not specific_alike(keys, spelled.split(" ")))):
                continue
            if len(entries) == 1:
                return concept_id, tuple(spelled.split(" ")), flags
            # A name of another vocabulary yields to a phenotype that has a similar one.
            own = frozenset(spelled.split(" "))
            # Of names with as many words of the text, the one with fewer others: not *highly elevated* for *elevated*.
            common = -1 if flags & STRICT else len(own.difference(PART_KEYS).intersection(keys))
            stated = spelled == words and not flags & (STRICT | DERIVED)
            agreement = (stated, common, -len(own.difference(keys, PART_KEYS)), not flags & JOINED)
            if best is None or agreement > best[0]:
                best = (agreement, (concept_id, tuple(spelled.split(" ")), flags))
        return best[1] if best else None

    def _entry(self, tokens: Tokens, places: tuple[int, ...], key: str) -> tuple[str, int] | None:
        """The concept and flags of the entry that suits the words best; None where none does."""
        words, last = tokens.words, places[-1]
        keys = tuple([tokens.keys[place] for place in places])
        # "Urine protein" is a test, "urine with protein" a finding.
        known = keys if (tight := last - places[0] < len(places)) else ("", *keys)
        best = self._entries.get(known, _UNKNOWN)
        if best is _UNKNOWN:
            best = self._entries[known] = self._best(key, keys, tight=tight)
        if best is None:
            return None
        concept_id, spelled, flags = best
        if flags & CAPITALISED and not tokens.spelled[places[0]][0].isupper():
            return None
        if flags & PLURAL and not words[last].endswith("s"):
            return None
        if flags & CLOSED and tokens.kinds[last + 1] in (CONTENT, FREE) and words[last + 1] not in _MAY_FOLLOW:
            return None
        if "arm" in spelled and not {"chromosome", "chromosomes"}.isdisjoint(words[last + 1 : last + 5]):
            return None  # chromosomes have a short arm too
        if "second" in key and any(words[place] == "secondary" and words[place + 1] == "to" for place in places):
            return None
        if tokens.kinds[last + 1] == CONTENT and describes_next(tokens, places, spelled):
            return None
        if len(places) > 1:
            if words[last - 1] in ("that", "which", "who"):
                return None  # "a disorder that affects": a verb
            verb = keys[-1].endswith("ed") and places[-2] == last - 1 and not words[last - 1].endswith("ly")
            if verb and keys[-1] not in spelled:
                return None  # "a small hand narrowed it down"
        return concept_id, flags

    def _shares(self, tokens: Tokens, places: tuple[int, ...], gap: list[int], closed: set[int]) -> bool:
        """Whether what stands between the words of a phrase is the other part of a coordination that shares some."""
        kinds, words = tokens.kinds, tokens.words
        inner = [place for place in gap if kinds[place] == CONTENT]
        joins = [words[place] for place in gap if kinds[place] == JOIN]
        if not CONJUNCTIONS.intersection(joins) or len(inner) > _LONGEST_LIST:
            return False
        if not OTHER_CLAUSE.isdisjoint(words[places[0] : places[-1]]):
            return False
        if any(tokens.keys[place][0].isdigit() for place in (*places, *inner)):
            return False
        known = sum(tokens.stems[place] in self._vocabulary for place in inner)
        if any(kinds[place] == BREAK for place in gap) or 2 * known < len(inner):
            return False
        before = max(place for place in places if place < gap[0])
        after = min(place for place in places if place > gap[-1])
        if kinds[gap[0]] == JOIN and kinds[gap[-1]] != JOIN:  # "ear and kidney anomalies"
            length = next(n for n, place in enumerate(reversed(gap)) if kinds[place] == JOIN)
            plural = words[before].endswith("s") and words[before] != tokens.keys[before]
            return length <= _LONGEST_PART and before not in closed and not plural
        if kinds[gap[-1]] == JOIN and kinds[gap[0]] != JOIN:
            if max(places) in closed:
                return False
            if any(word in _HEAD_OF for word in words[before + 1 : gap[0]]):  # "anomalies of the ribs and spine"
                return True
            if tokens.stems[after] in (ABNORMAL, IMPAIRED):  # "renal dysplasia and anomalies"
                return False
            return len(inner) == 1 and joins in _ONE_JOIN and after == gap[-1] + 1  # "short stature and limbs"
        return False

    def _resolve(self, tokens: Tokens, found: list[_Found]) -> list[Match]:
        """Keep the longest of phrases that lie within each other, and of the others those that say less, marked."""
        found.sort()
        heads = [one.places[0] for one in found]
        found = [one for one in found if not (one.flags & JOINED and _is_sum_of_parts(tokens, one, found, heads))]
        matches, end = list[Match](), -1
        group = list[_Found]()
        for one in found:
            if group and one.places[0] > end:
                matches += self._resolve_group(tokens, group)
                group = []
            group.append(one)
            end = max(end, one.places[-1])
        return matches + self._resolve_group(tokens, group) if group else matches

    def _resolve_group(self, tokens: Tokens, found: list[_Found]) -> list[Match]:
        """Resolve phrases that overlap."""
        if len(found) == 1:
            return [Match(found[0].places[0], found[0].places[-1] + 1, found[0].concept_id)]
        found.sort(key=lambda one: (one.shared, -len(one.places), one.places[-1] - one.places[0], one.concept_id))
        kept: list[_Found] = []
        nested: list[_Found] = []
        holding = defaultdict[int, list[_Found]](list)  # place → those of both that hold it
        for one in found:
            inside = set(one.places)
            longer = [other for other in holding[one.places[0]] if inside.issubset(other.places)]
            if not longer:
                kept.append(one)
            elif all(self._says_less(one, other) for other in longer) and not _gaps(tokens, one.places) and _tight(one):
                nested.append(one)
            else:
                continue
            for place in one.places:
                holding[place].append(one)
        outer = [
            one for one in kept if not any(set(one.places) < set(other.places) for other in holding[one.places[0]])
        ]
        matches = [
            Match(one.places[0], one.places[-1] + 1, one.concept_id, nested=is_nested)
            for group, is_nested in ((outer, False), (nested, True))
            for one in group
        ]
        return sorted(matches, key=lambda match: (match.first, match.last, match.concept_id))

    def _says_less(self, one: _Found, longer: _Found) -> bool:
        if one.concept_id == longer.concept_id or len(one.places) == len(longer.places):
            return False
        if longer.concept_id not in self._parents:
            return True  # a phenotype within the name of a disease or drug
        return one.concept_id in self._above(longer.concept_id)

    def _above(self, concept_id: str) -> frozenset[str]:
        known = self._ancestors.get(concept_id)
        if known is None:
            parents = self._parents.get(concept_id, "").split()
            known = self._ancestors[concept_id] = frozenset(parents).union(*map(self._above, parents))
        return known


def _lies_in(gap: Sequence[int], spans: Sequence[tuple[int, int]]) -> bool:
    """Whether one of some spans, in order, lies in a gap."""
    at = bisect_left(spans, (gap[0], 0))
    return any(last <= gap[-1] for _, last in spans[at : bisect_left(spans, (gap[-1], 0))])


def _tight(found: _Found) -> bool:
    return found.places[-1] - found.places[0] <= len(found.places)


def _gaps(tokens: Tokens, places: Sequence[int]) -> list[list[int]]:
    """The tokens between the words of a phrase that it may not simply skip, run by run."""
    gaps = []
    kinds, stems = tokens.kinds, tokens.stems
    own = {stems[place] for place in places}
    for before, after in pairwise(places):
        if after == before + 1:
            continue
        gap = [place for place in range(before + 1, after) if kinds[place] != FREE and stems[place] not in own]
        numbers = tokens.keys[before].isdigit() and tokens.keys[after].isdigit()
        if gap and not (numbers and len(gap) == 1 and tokens.words[gap[0]] in CONJUNCTIONS):
            gaps.append(gap)
    return gaps


def _contiguous(tokens: Tokens, places: Sequence[int]) -> bool:
    """Whether nothing stands between the words of a phrase but articles and *of*."""
    between = set(tokens.words[places[0] : places[-1] + 1]) - {tokens.words[place] for place in places}
    return between <= _ARTICLES


def _joined(tokens: Tokens, gap: Sequence[int]) -> bool:
    return len(gap) == 1 and tokens.kinds[gap[0]] == JOIN


def _is_sum_of_parts(tokens: Tokens, one: _Found, found: Sequence[_Found], heads: Sequence[int]) -> bool:
    """Whether a name that is itself a coordination stands where all its parts are concepts: *cleft lip and palate*.

    Args:
        tokens: of the text.
        one: the coordination.
        found: it and others, in order.
        heads: the first place of each.
    """
    near = range(one.places[0] - 1, one.places[-1] + 2)
    least = 2 if "and" in tokens.words[one.places[0] : one.places[-1]] else 1  # "nausea, vomiting" are two
    whole = {tokens.stems[place] for place in one.places}
    parts = [
        {tokens.stems[place] for place in other.places}
        for other in found[bisect_left(heads, near.start) : bisect_left(heads, near.stop)]
        if len(other.places) >= least and other.places[-1] in near and other.concept_id != one.concept_id
    ]
    parts = [part for part in parts if part < whole]
    return len(parts) > 1 and whole == set().union(*parts)
